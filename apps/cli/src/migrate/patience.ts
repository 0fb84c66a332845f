import { setTimeout } from 'node:timers/promises';
import { codeOf } from '@rockpool/contracts';

const attempts = 7;
const firstPauseMs = 250;

/** Repeats what failed because a service did not answer, or wanted it slower: seven times over sixteen seconds, beside what drivers repeat. Ends early when `signal` aborts. */
export async function patiently<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const code = codeOf(error);
      if (attempt === attempts || (code !== 'unavailable' && code !== 'rate_limited')) throw error;
    }
    await setTimeout(firstPauseMs * 2 ** (attempt - 1), undefined, { signal });
  }
}

/** Works on all items, so many at a time, and resolves with the results in their order. After the first failure nothing more is begun, and it rejects once what was begun has ended. */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  width: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const failures: unknown[] = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length && failures.length === 0) {
      const index = next++;
      try {
        results[index] = await work(items[index]!);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  if (failures.length > 0) throw failures[0];
  return results;
}
