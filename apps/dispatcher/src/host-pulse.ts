export interface PulseOptions {
  /** Asks the host after its health; rejects when it gives no answer of any kind. */
  readonly ask: (signal: AbortSignal) => Promise<unknown>;
  readonly everyMs: number;
  /** Told whenever it answers. */
  readonly onAlive: () => void;
}

/** Unanswered questions in a row after which a host counts as frozen. */
const missesAllowed = 2;

/** Why a call was cut off: the host is not gone, but it answers nothing any more. */
export class HostFrozen extends Error {
  constructor() {
    super('the agent host took the call and then answered nothing any more');
  }
}

/**
 * Feels the pulse of a host while calls to it are under way. A call may rightly take minutes, so that only this tells a host which works from one which hangs; calls
 * to that one are aborted with `HostFrozen`.
 */
export class HostPulse {
  readonly #calls = new Set<AbortController>();
  #timer: NodeJS.Timeout | undefined;
  #misses = 0;

  constructor(private readonly options: PulseOptions) {}

  /** Runs a call with a signal that aborts when `signal` does, or when the host is found frozen. */
  async during<Result>(signal: AbortSignal, call: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const controller = new AbortController();
    this.#calls.add(controller);
    this.#timer ??= setInterval(() => void this.#feel(), this.options.everyMs);
    try {
      return await call(AbortSignal.any([signal, controller.signal]));
    } finally {
      this.#calls.delete(controller);
      if (this.#calls.size === 0) this.#rest();
    }
  }

  async #feel(): Promise<void> {
    try {
      await this.options.ask(AbortSignal.timeout(this.options.everyMs));
      this.#misses = 0;
      this.options.onAlive();
    } catch {
      // Whatever was the matter, there was no answer.
      if (++this.#misses < missesAllowed) return;
      for (const call of this.#calls) call.abort(new HostFrozen());
    }
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#misses = 0;
  }
}
