import type { PlanName } from './tenant.js';

/** For how many days things are kept. Conversations and jobs with what was said or done in them; sums have no words in them. */
export interface RetentionDays {
  readonly transcript: number;
  /** The inbox with its reply ledgers, since they came and ended. At least 8: a channel may deliver an event again for 7 days, and it is known by its turn. */
  readonly turns: number;
  /** Since they ended. */
  readonly jobs: number;
  readonly usage: number;
}

/** What a plan gives a tenant. */
export interface PlanTerms {
  /** Jobs at once: `min` at any time, up to `max` while there is room. */
  readonly jobs: { readonly min: number; readonly max: number };
  readonly retention: RetentionDays;
  /** How often an agent host that is not well is started anew, before it is left to a person. */
  readonly restarts: number | 'unlimited';
}

/** The terms of each plan. */
export const plans: Readonly<Record<PlanName, PlanTerms>> = {
  free: { jobs: { min: 1, max: 2 }, retention: { transcript: 30, turns: 14, jobs: 14, usage: 400 }, restarts: 3 },
  starter: { jobs: { min: 2, max: 6 }, retention: { transcript: 90, turns: 30, jobs: 30, usage: 400 }, restarts: 3 },
  pro: { jobs: { min: 4, max: 20 }, retention: { transcript: 365, turns: 90, jobs: 90, usage: 800 }, restarts: 'unlimited' },
};

/** For so many days a removed tenant has everything back when it is added again. After that, what was said and done is deleted. */
export const removedKeptDays = 30;
