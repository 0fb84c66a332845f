import { plans } from './plans.js';
import type { PlanName } from './tenant.js';

/** How an agent host was found, one check a minute. */
export type HostHealth = 'well' | 'failing';

/** What restarts came to so far, as it is kept between checks. Times are epoch milliseconds. */
export interface RestartHistory {
  /** Checks in a row that found some host failing. */
  readonly failing: number;
  /** When restarts were asked for, since hosts were well for {@link wellAfterMs}. */
  readonly asked: readonly number[];
  /** Since when no check found a host failing. */
  readonly wellSince?: number;
}

export type RestartVerdict =
  | { readonly kind: 'none' }
  /** The host is to drain and end, so that whoever looks after it starts it anew. */
  | { readonly kind: 'restart'; readonly attempt: number }
  /** As often as the plan allows it was started anew, and it is not well: a person has to look. */
  | { readonly kind: 'used-up'; readonly attempts: number };

/** A single bad check may be a peak. */
const failingChecks = 3;
/** Restarts are forgotten after so long without a failing check. */
export const wellAfterMs = 3_600_000;
const shortestWaitMs = 60_000;
const longestWaitMs = 30 * 60_000;

export const noRestarts: RestartHistory = { failing: 0, asked: [] };

/**
 * Decides by the history alone when a host that is not well is started anew: after three failing checks in a row, with 1, 2, 4 … 30 minutes between attempts, as often as the plan
 * allows. A pooled host serves many plans: the best of them counts.
 */
export class RestartPolicy {
  private readonly limit: number;

  /** Without any tenant the terms of `free` apply. */
  constructor(served: Iterable<PlanName>) {
    const limits = [...served].map((name) => plans[name].restarts);
    this.limit = limits.includes('unlimited') ? Infinity : Math.max(Number(plans.free.restarts), ...limits.map(Number));
  }

  /** What this check comes to, and the history to hand to the next one. */
  decide(history: RestartHistory, health: HostHealth, now: number): { readonly verdict: RestartVerdict; readonly history: RestartHistory } {
    if (health === 'well') {
      const wellSince = history.wellSince ?? now;
      const asked = now - wellSince >= wellAfterMs ? [] : history.asked;
      return { verdict: { kind: 'none' }, history: { failing: 0, asked, wellSince } };
    }
    const failing = history.failing + 1;
    const kept: RestartHistory = { failing, asked: history.asked };
    if (failing < failingChecks) return { verdict: { kind: 'none' }, history: kept };
    const attempts = history.asked.length;
    if (attempts >= this.limit) return { verdict: { kind: 'used-up', attempts }, history: kept };
    const waitMs = attempts === 0 ? 0 : Math.min(shortestWaitMs * 2 ** (attempts - 1), longestWaitMs);
    if (now - (history.asked.at(-1) ?? 0) < waitMs) return { verdict: { kind: 'none' }, history: kept };
    // Later ones only have to tell how many there were, and when the last was.
    const asked = [...history.asked, now].slice(-100);
    return { verdict: { kind: 'restart', attempt: attempts + 1 }, history: { failing: 0, asked } };
  }
}
