import { outcomeOf, RetryLater, steadyNow } from '@rockpool/contracts';

/** What a provider is known to allow: a short burst, then a steady rate. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** Something a provider limits: one chat of one bot, all of one bot. Names are unique over all providers. */
export interface PacedScope {
  readonly name: string;
  readonly rate: Rate;
}

/** Time, for tests that do not wait. */
export interface PacerClock {
  now(): number;
  sleep(ms: number): Promise<void>;
}

const systemClock: PacerClock = {
  now: steadyNow,
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** Longer waits are given back to whoever asks, so that nobody holds a conversation meanwhile. */
const longestWaitMs = 2_000;
/** Timers fire and clocks differ by a little; a request that comes a moment too early is refused once more. */
const marginMs = 100;
/** How long the documented rate is kept to after a refusal. */
const waryMs = 600_000;
/** Two chats of one bot that are refused within this time are taken for the bot being refused. */
const sameCauseMs = 5_000;

/**
 * Keeps the sends of this process within the providers' limits. The documented rates are rules of thumb, which providers enforce loosely, so a scope
 * is not slowed down before it was refused once: from then on it rests as long as the provider asked, and keeps to the documented rate (a token bucket, in
 * memory) until ten minutes went by without another refusal. Scopes that are not wary are forgotten.
 */
export class Pacer {
  private readonly buckets = new Map<string, Bucket>();
  private sweepAt = 1_000;

  constructor(private readonly clock: PacerClock = systemClock) {}

  /**
   * Resolves when a request may be sent, in the order they asked. Rejects with `RetryLater` when that is more than two seconds away, or when the provider
   * asked for a break meanwhile.
   */
  async take(scopes: readonly PacedScope[]): Promise<void> {
    const buckets = scopes.map((scope) => this.bucket(scope));
    const waitMs = Math.max(...buckets.map((bucket) => bucket.waitMs(this.clock.now())));
    if (waitMs > longestWaitMs) throw new RetryLater(waitMs, 'the rate limit of the channel is used up');
    for (const bucket of buckets) bucket.take(this.clock.now());
    if (waitMs === 0) return;
    await this.clock.sleep(waitMs);
    const breakMs = Math.max(...buckets.map((bucket) => bucket.breakMs(this.clock.now())));
    if (breakMs > 0) throw new RetryLater(breakMs, 'the channel asked for a break');
  }

  /** Takes a place only while there are plenty, so that what can be left out never delays what cannot. */
  takeSpare(scopes: readonly PacedScope[]): boolean {
    const buckets = scopes.map((scope) => this.bucket(scope));
    if (!buckets.every((bucket) => bucket.hasSpare(this.clock.now()))) return false;
    for (const bucket of buckets) bucket.take(this.clock.now());
    return true;
  }

  /** Runs a request, and has its scopes rest when the provider refuses it for now. Rejects as the request does. */
  async heed<Result>(scopes: readonly PacedScope[], request: () => Promise<Result>): Promise<Result> {
    try {
      return await request();
    } catch (error) {
      const outcome = outcomeOf(error);
      if (outcome.kind === 'retry' && outcome.afterMs !== undefined) this.rest(scopes, outcome.afterMs);
      throw error;
    }
  }

  /**
   * The provider refused a request and asked for a break. It does not say which limit was hit, so the first scope (the narrowest) rests, and the wider ones
   * only when another narrow one was refused just before.
   */
  rest(scopes: readonly PacedScope[], ms: number): void {
    const now = this.clock.now();
    const [narrow, ...wider] = scopes;
    if (narrow === undefined) return;
    this.bucket(narrow).rest(now + ms + marginMs, now);
    for (const scope of wider) {
      const bucket = this.bucket(scope);
      if (bucket.refused !== undefined && bucket.refused.by !== narrow.name && now - bucket.refused.at < sameCauseMs) {
        bucket.rest(now + ms + marginMs, now);
      }
      bucket.refused = { by: narrow.name, at: now };
    }
  }

  /** Whether a break is on that the provider asked for. */
  isResting(scopes: readonly PacedScope[]): boolean {
    return scopes.some((scope) => this.bucket(scope).breakMs(this.clock.now()) > 0);
  }

  /** How many scopes are remembered. */
  get size(): number {
    return this.buckets.size;
  }

  private bucket(scope: PacedScope): Bucket {
    const known = this.buckets.get(scope.name);
    if (known !== undefined) return known;
    if (this.buckets.size >= this.sweepAt) this.forgetIdle();
    const bucket = new Bucket(scope.rate);
    this.buckets.set(scope.name, bucket);
    return bucket;
  }

  private forgetIdle(): void {
    const now = this.clock.now();
    for (const [name, bucket] of this.buckets) if (bucket.isIdle(now)) this.buckets.delete(name);
    this.sweepAt = Math.max(1_000, this.buckets.size * 2);
  }
}

class Bucket {
  /** Negative while requests wait for places that are yet to come. Counted only while wary. */
  private tokens = 0;
  private filledAt = 0;
  private restsUntil = 0;
  private waryUntil = 0;
  /** The narrower scope that was refused last. */
  refused: { readonly by: string; readonly at: number } | undefined;

  constructor(private readonly rate: Rate) {}

  waitMs(now: number): number {
    if (now >= this.waryUntil) return this.breakMs(now);
    this.fill(now);
    const refillMs = this.tokens >= 1 ? 0 : Math.ceil(((1 - this.tokens) / this.rate.perSecond) * 1000);
    return Math.max(0, this.filledAt - now) + refillMs;
  }

  breakMs(now: number): number {
    return Math.max(0, this.restsUntil - now);
  }

  take(now: number): void {
    if (now >= this.waryUntil) return;
    this.fill(now);
    this.tokens -= 1;
  }

  hasSpare(now: number): boolean {
    if (now >= this.waryUntil) return this.breakMs(now) === 0;
    this.fill(now);
    return this.breakMs(now) === 0 && this.tokens >= Math.max(2, this.rate.burst / 2);
  }

  /** Nothing until then, and from then on the documented rate, until the provider has not refused anything for long. */
  rest(until: number, now: number): void {
    this.restsUntil = Math.max(this.restsUntil, until);
    this.waryUntil = this.restsUntil + waryMs;
    this.fill(now);
    this.filledAt = this.restsUntil;
    this.tokens = Math.min(this.tokens, 1);
  }

  isIdle(now: number): boolean {
    return now >= this.waryUntil && (this.refused === undefined || now - this.refused.at >= sameCauseMs);
  }

  private fill(now: number): void {
    if (now <= this.filledAt) return;
    this.tokens = Math.min(this.rate.burst, this.tokens + ((now - this.filledAt) / 1000) * this.rate.perSecond);
    this.filledAt = now;
  }
}
