import type { PlanName } from './tenant.js';

/** What a plan allows one tenant. */
export interface PlanLimits {
  /** Messages that may start a turn, per minute over all conversations. */
  readonly messagesPerMinute: number;
  /** Input and output tokens of all turns, per UTC day. */
  readonly tokensPerDay: number;
}

const limits: Readonly<Record<PlanName, PlanLimits>> = {
  free: { messagesPerMinute: 20, tokensPerDay: 200_000 },
  starter: { messagesPerMinute: 60, tokensPerDay: 2_000_000 },
  pro: { messagesPerMinute: 300, tokensPerDay: 20_000_000 },
};

/** The limits of a plan. */
export function planLimits(plan: PlanName): PlanLimits {
  return limits[plan];
}
