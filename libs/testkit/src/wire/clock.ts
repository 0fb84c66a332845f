/** Time as a simulator sees it: dates, rate limits, retry schedules and faults all go through one of these. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms` of this clock's time, or at once when the signal aborts; the caller looks at the signal. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Real time. */
export const systemClock: Clock = { now: () => Date.now(), sleep: (ms, signal) => realSleep(ms, signal) };

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/** Time that stands still until {@link ManualClock.advance} moves it, for tests of schedules and limits. */
export class ManualClock implements Clock {
  private readonly sleepers = new Set<Sleeper>();
  private readonly announced: number[] = [];
  private readonly listeners: ((ms: number) => void)[] = [];

  constructor(private time = Date.UTC(2026, 0, 1)) {}

  now(): number {
    return this.time;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        this.sleepers.delete(sleeper);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper: Sleeper = { until: this.time + ms, wake };
      this.sleepers.add(sleeper);
      signal?.addEventListener('abort', wake, { once: true });
      const listener = this.listeners.shift();
      if (listener) listener(ms);
      else this.announced.push(ms);
    });
  }

  /** The length of the next sleep somebody began, in the order they began; waits for one when there is none yet. */
  nextSleep(): Promise<number> {
    const ms = this.announced.shift();
    return ms === undefined ? new Promise((resolve) => this.listeners.push(resolve)) : Promise.resolve(ms);
  }

  /** Moves time on and wakes whoever has slept long enough, earliest first. */
  advance(ms: number): void {
    this.time += ms;
    const due = [...this.sleepers].filter((sleeper) => sleeper.until <= this.time).sort((a, b) => a.until - b.until);
    for (const sleeper of due) sleeper.wake();
  }
}

function realSleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(0, ms));
    signal?.addEventListener('abort', done, { once: true });
  });
}
