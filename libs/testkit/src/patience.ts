import { setTimeout } from 'node:timers/promises';

/**
 * How long a test waits for what must come about, in milliseconds. Machines are shared, and only a test that fails takes it all: it is not there to say how fast something is,
 * which benchmarks do.
 */
export const patienceMs = 60_000;

const pollMs = 20;

/** Repeats the question until it is answered with something else than `false` or `undefined`. Rejects, naming what was waited for, when that takes over {@link patienceMs}. */
export async function eventually<T>(
  what: string | (() => string),
  ask: () => Promise<T | false | undefined> | T | false | undefined,
  timeoutMs: number = patienceMs,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== false && answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${typeof what === 'string' ? what : what()}`);
    await setTimeout(pollMs);
  }
}
