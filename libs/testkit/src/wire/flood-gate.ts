/** A bucket that holds `capacity` tokens and refills at `perSecond`: a short burst, then a steady rate. */
export class TokenBucket {
  private tokens: number;
  private filledAt: number | undefined;

  constructor(
    private readonly capacity: number,
    private readonly perSecond: number,
  ) {
    this.tokens = capacity;
  }

  /** Milliseconds until a token is there; 0 when one is. */
  waitMs(now: number): number {
    this.fill(now);
    return this.tokens >= 1 ? 0 : ((1 - this.tokens) / this.perSecond) * 1000;
  }

  take(now: number): void {
    this.fill(now);
    this.tokens -= 1;
  }

  private fill(now: number): void {
    this.tokens = Math.min(this.capacity, this.tokens + ((now - (this.filledAt ?? now)) / 1000) * this.perSecond);
    this.filledAt = now;
  }
}

/** At most `limit` in any `windowMs`. */
export class SlidingWindow {
  private taken: number[] = [];

  constructor(
    private readonly limit: number,
    private readonly windowMs: number,
  ) {}

  waitMs(now: number): number {
    this.taken = this.taken.filter((at) => at > now - this.windowMs);
    const oldest = this.taken[this.taken.length - this.limit];
    return oldest === undefined ? 0 : oldest + this.windowMs - now;
  }

  take(now: number): void {
    this.taken.push(now);
  }
}

/** A limit that applies to a request: its name (what it limits, for whom) and its measure. */
export interface Limit {
  readonly scope: string;
  readonly measure: TokenBucket | SlidingWindow;
}

/** A request that came before the time it had been told to wait for. */
export interface Violation {
  readonly scope: string;
  readonly operation: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** How much too early. */
  readonly earlyMs: number;
}

// Requests already under way when the first 429 left could not know of it; timers may fire a moment early.
const underWayMs = 100;
const timerToleranceMs = 50;

/** Admits requests by their limits, tells the rest how long to wait, and remembers who did not. */
export class FloodGate {
  readonly violations: Violation[] = [];
  private readonly blocks = new Map<string, { readonly since: number; readonly until: number }>();

  /** Whole seconds to wait, or 0: admitted and counted. */
  admit(operation: string, limits: readonly Limit[], now: number): number {
    let waitMs = 0;
    for (const { scope } of limits) {
      const block = this.blocks.get(scope);
      const remainingMs = block ? block.until - now : 0;
      if (!block || remainingMs <= timerToleranceMs) continue;
      if (now - block.since > underWayMs) this.violations.push({ scope, operation, at: now, earlyMs: remainingMs });
      waitMs = Math.max(waitMs, remainingMs);
    }
    if (waitMs > 0) return Math.ceil(waitMs / 1000);

    for (const { scope, measure } of limits) {
      const needed = measure.waitMs(now);
      const block = this.blocks.get(scope);
      const waited = block !== undefined && Math.abs(now - block.until) <= timerToleranceMs;
      if (needed <= (waited ? timerToleranceMs : 0)) continue;
      const seconds = Math.ceil(needed / 1000);
      this.blocks.set(scope, { since: now, until: now + seconds * 1000 });
      waitMs = Math.max(waitMs, seconds * 1000);
    }
    if (waitMs > 0) return Math.ceil(waitMs / 1000);
    for (const { measure } of limits) measure.take(now);
    return 0;
  }
}
