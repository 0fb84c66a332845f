import { steadyNow } from '@rockpool/contracts';
export interface BreakerLimits {
  /** Opens after so many failures without a success between them, of conversations that differ when the host did answer. */
  readonly failures: number;
  /** Or when there was nothing but failures, two at least, for so long. */
  readonly failingMs: number;
  /** Time between probes while it is open. */
  readonly probeEveryMs: number;
}

const breakerLimits: BreakerLimits = { failures: 5, failingMs: 10_000, probeEveryMs: 10_000 };

/** A call that went wrong: nobody answered; the host no longer answers anything; or it answered that it failed at this conversation. */
export interface HostFailure {
  readonly kind: 'no-answer' | 'frozen' | 'refusal';
  /** The conversation. */
  readonly subject: string;
  readonly reason: string;
}

/** `go`: make the call, and tell how it ended. `wait`: not now; ask again after this time or when the state has changed. */
export type Admittance = { readonly kind: 'go' } | { readonly kind: 'wait'; readonly ms: number };

export type BreakerState =
  | { readonly kind: 'closed' }
  /** `probing`: one call has been let through. */
  | { readonly kind: 'open'; readonly since: number; readonly reason: string; readonly probing: boolean };

/**
 * The circuit breaker of one agent host, without timers: closed, every call goes; open, one probe in ten seconds does.
 *
 *     closed ──failures──► open ──10 s──► open, probing ──success──► closed
 *                            ▲──────────────failure──────┘
 *
 * A host that fails at one conversation only is not broken: that one is retried, and quarantined by the host itself.
 */
export class HostBreaker {
  #opened: { since: number; reason: string } | undefined;
  #probeStartedAt: number | undefined;
  #nextProbeAt = 0;
  #failingSince: number | undefined;
  #noAnswers = 0;
  readonly #refused = new Set<string>();

  constructor(
    private readonly limits: BreakerLimits = breakerLimits,
    private readonly now: () => number = steadyNow,
  ) {}

  get state(): BreakerState {
    return this.#opened ? { kind: 'open', ...this.#opened, probing: this.#probeStartedAt !== undefined } : { kind: 'closed' };
  }

  /** Asked before each call. */
  admit(): Admittance {
    if (!this.#opened) return { kind: 'go' };
    const now = this.now();
    if (now < this.#nextProbeAt) return { kind: 'wait', ms: this.#nextProbeAt - now };
    if (this.#probeStartedAt !== undefined) return { kind: 'wait', ms: this.limits.probeEveryMs };
    this.#probeStartedAt = now;
    this.#nextProbeAt = now + this.limits.probeEveryMs;
    return { kind: 'go' };
  }

  /** A call was answered. */
  succeeded(): void {
    this.#opened = this.#probeStartedAt = this.#failingSince = undefined;
    this.#noAnswers = 0;
    this.#refused.clear();
  }

  failed({ kind, subject, reason }: HostFailure): void {
    const now = this.now();
    this.#failingSince ??= now;
    if (kind === 'refusal') this.#refused.add(subject);
    else this.#noAnswers++;
    this.#probeStartedAt = undefined;
    if (this.#opened) {
      this.#opened = { ...this.#opened, reason };
      return;
    }
    const failures = this.#noAnswers + this.#refused.size;
    const failing = failures >= this.limits.failures || (failures >= 2 && now - this.#failingSince >= this.limits.failingMs);
    if (!failing && kind !== 'frozen') return;
    this.#opened = { since: now, reason };
    this.#nextProbeAt = now + this.limits.probeEveryMs;
  }

  /** The call let through was ended by us, so it says nothing about the host. */
  abandoned(): void {
    this.#probeStartedAt = undefined;
  }

  /** The host is there: a probe that has been under way for half the time between probes is working, for a turn may take minutes. */
  alive(): void {
    if (this.#probeStartedAt !== undefined && this.now() - this.#probeStartedAt >= this.limits.probeEveryMs / 2) this.succeeded();
  }
}
