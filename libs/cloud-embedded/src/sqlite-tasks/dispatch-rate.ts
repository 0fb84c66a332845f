/** Milliseconds that sums of fractions may be off. */
const rounding = 1e-3;

/**
 * At most so many dispatches a second: a token bucket that holds a fifth of a second's worth, kept as the one instant at which it would be full
 * (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm).
 */
export class DispatchRate {
  readonly #intervalMs: number;
  readonly #burst: number;
  #fullAt = 0;

  constructor(perSecond: number) {
    this.#intervalMs = 1_000 / perSecond;
    this.#burst = Math.max(1, Math.floor(perSecond / 5));
  }

  /** How many may be dispatched now. */
  available(now: number): number {
    // When the clock was set back, an empty bucket is the worst that may be left of it.
    this.#fullAt = Math.min(this.#fullAt, now + this.#burst * this.#intervalMs);
    const emptyMs = Math.max(0, this.#fullAt - now);
    return Math.floor((this.#burst * this.#intervalMs - emptyMs + rounding) / this.#intervalMs);
  }

  take(count: number, now: number): void {
    this.#fullAt = Math.max(this.#fullAt, now) + count * this.#intervalMs;
  }

  /** The first millisecond at which one may be dispatched. */
  nextAt(): number {
    return Math.ceil(this.#fullAt - (this.#burst - 1) * this.#intervalMs - rounding);
  }
}
