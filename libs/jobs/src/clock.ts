import { clearTimeout, setTimeout } from 'node:timers';

/** The time, and being called at a time. Tests move it by hand. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls once, when `now()` has reached `at`, never before. The function it returns calls it off. */
  wake(at: number, callback: () => void): () => void;
}

/** Longest sleep without a look at the clock, which may be set meanwhile; also within what a timer can hold. */
const longestSleepMs = 30_000;

export const systemClock: Clock = {
  now: () => Date.now(),
  wake(at, callback) {
    let timer: NodeJS.Timeout;
    const sleep = (): void => {
      const remainingMs = at - Date.now();
      if (remainingMs <= 0) callback();
      else timer = setTimeout(sleep, Math.min(remainingMs, longestSleepMs));
    };
    timer = setTimeout(sleep, Math.min(Math.max(0, at - Date.now()), longestSleepMs));
    return () => clearTimeout(timer);
  },
};

/** Resolves at that time; rejects with the signal's reason when it aborts first. */
export async function waitUntil(clock: Clock, at: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => reject(signal.reason);
  const callOff = clock.wake(at, resolve);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await promise;
  } finally {
    callOff();
    signal.removeEventListener('abort', onAbort);
  }
}
