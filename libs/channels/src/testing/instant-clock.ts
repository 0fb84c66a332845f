import type { PacerClock } from '../pacing.js';

/** A clock whose sleepers never wait: time moves on by what they would have slept. Right for one sender at a time. */
export function instantClock(clock: { now(): number; advance(ms: number): void }): PacerClock {
  return {
    now: () => clock.now(),
    sleep: (ms) => {
      clock.advance(ms);
      return Promise.resolve();
    },
  };
}
