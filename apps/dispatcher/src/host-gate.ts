import { RetryLater } from '@rockpool/contracts';
import type { BreakerState, HostBreaker, HostFailure } from './host-breaker.js';

/** A delivery may be kept for long, but timers only for so long. */
const longestWaitMs = 60_000;

/**
 * Lets calls to one host through while its breaker does. While it is open, calls wait here, each with its wake unacknowledged: nothing is lost, no attempt is
 * used up, and all go on the moment the host is back.
 */
export class HostGate {
  #waiting = 0;
  #changed = Promise.withResolvers<void>();
  #announced: BreakerState['kind'] | undefined;

  constructor(
    private readonly breaker: HostBreaker,
    /** What an error says of the host; `undefined` when it says nothing. */
    private readonly failureOf: (error: unknown, subject: string) => HostFailure | undefined,
    /** Told when it opens and when it closes; also that it is closed, with the first call that goes well. */
    private readonly onState: (state: BreakerState, waiting: number) => void,
  ) {}

  /**
   * Makes the call, waiting for the host while its breaker is open. Rejects with what the call rejects with while it is closed, and with `RetryLater` when `ending`
   * aborts during the wait.
   */
  async run<Result>(subject: string, ending: AbortSignal, call: () => Promise<Result>): Promise<Result> {
    for (;;) {
      await this.#admitted(ending);
      try {
        const result = await call();
        this.#tell(() => this.breaker.succeeded());
        return result;
      } catch (error) {
        const failure = ending.aborted ? undefined : this.failureOf(error, subject);
        this.#tell(() => (failure ? this.breaker.failed(failure) : this.breaker.abandoned()));
        if (!failure || this.breaker.state.kind === 'closed') throw error;
      }
    }
  }

  /** The host answered a question after its health while calls were under way. */
  alive(): void {
    this.#tell(() => this.breaker.alive());
  }

  async #admitted(ending: AbortSignal): Promise<void> {
    this.#waiting++;
    try {
      for (;;) {
        if (ending.aborted) throw new RetryLater(0, 'the dispatcher is shutting down');
        const admittance = this.breaker.admit();
        if (admittance.kind === 'go') return;
        await this.#changeOr(Math.min(admittance.ms, longestWaitMs), ending);
      }
    } finally {
      this.#waiting--;
    }
  }

  async #changeOr(ms: number, ending: AbortSignal): Promise<void> {
    const over = Promise.withResolvers<void>();
    const end = () => over.resolve();
    const timer = setTimeout(end, ms);
    ending.addEventListener('abort', end, { once: true });
    await Promise.race([this.#changed.promise, over.promise]);
    clearTimeout(timer);
    ending.removeEventListener('abort', end);
  }

  #tell(event: () => void): void {
    event();
    const { state } = this.breaker;
    // Whoever waits asks again: it is open for all, or the probe's place is free.
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    if (state.kind === this.#announced) return;
    this.#announced = state.kind;
    this.onState(state, this.#waiting);
  }
}
