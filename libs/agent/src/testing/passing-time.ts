import { jest } from '@jest/globals';

/** Time goes on as it does, and by as much as a test says: `jest.advanceTimersByTime`. Ends with `jest.useRealTimers`. */
export function letTimeBePassed(): void {
  jest.useFakeTimers({
    advanceTimers: true,
    doNotFake: ['nextTick', 'setImmediate', 'clearImmediate', 'queueMicrotask', 'hrtime', 'Date'],
  });
}
