import type { PlanName } from './tenant.js';

/** What a plan gives a tenant. */
export interface PlanTerms {
  /** Jobs at once: `min` at any time, up to `max` while there is room. */
  readonly jobs: { readonly min: number; readonly max: number };
}

/** The terms of each plan. */
export const plans: Readonly<Record<PlanName, PlanTerms>> = {
  free: { jobs: { min: 1, max: 2 } },
  starter: { jobs: { min: 2, max: 6 } },
  pro: { jobs: { min: 4, max: 20 } },
};
