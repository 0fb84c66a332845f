import { clearTimeout, setTimeout } from 'node:timers';

/** The time as a driver sees it. Tests move it by hand. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls once, when `now()` has reached `at`, never before. The function it returns calls it off. */
  wake(at: number, callback: () => void): () => void;
}

/** Longest sleep without a look at the clock: what is due by a clock that was set forward is at most this late. */
const longestSleepMs = 30_000;

export const systemClock: Clock = {
  now: () => Date.now(),
  wake(at, callback) {
    let timer: NodeJS.Timeout;
    const sleep = () => {
      const remainingMs = at - Date.now();
      // A timer may fire a millisecond early, and the clock may have been set back meanwhile.
      if (remainingMs <= 0) callback();
      else timer = setTimeout(sleep, Math.min(remainingMs, longestSleepMs));
    };
    timer = setTimeout(sleep, Math.min(Math.max(0, at - Date.now()), longestSleepMs));
    return () => clearTimeout(timer);
  },
};
