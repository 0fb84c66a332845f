import { setTimeout } from 'node:timers/promises';

// Only a test that fails takes it all; machines are shared.
const patienceMs = 60_000;

/** Repeats the question until it is answered with something else than `false` or `undefined`. For what an engine tells only when asked. */
export async function eventually<T>(what: string, ask: () => Promise<T | false | undefined> | T | false | undefined): Promise<T> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer !== false && answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`${what} did not come true within ${patienceMs} ms`);
    await setTimeout(2);
  }
}
