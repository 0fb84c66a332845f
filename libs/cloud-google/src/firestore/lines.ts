import { setTimeout } from 'node:timers/promises';

/** Longest a transaction stands in one line. Conditions are checked at commit anyway: going ahead costs speed, not correctness. */
const patienceMs = 5_000;

/**
 * Lines of this process for what its transactions have collided on. Without them twenty writers of one document would all read it, one would
 * commit, nineteen would have read in vain; once two have collided, they take turns. Between processes there is only the waiting of
 * different lengths.
 */
export class Lines {
  readonly #last = new Map<string, Promise<void>>();

  /** True while somebody has a turn there. */
  isBusy(key: string): boolean {
    return this.#last.has(key);
  }

  /** Resolves when it is one's turn at all of them, with the function that ends the turns. They are entered in one order by everybody. */
  async enter(keys: Iterable<string>): Promise<() => void> {
    const ends: (() => void)[] = [];
    for (const key of [...new Set(keys)].sort()) ends.push(await this.#enter(key));
    return () => ends.forEach((end) => end());
  }

  async #enter(key: string): Promise<() => void> {
    const before = this.#last.get(key);
    const { promise: over, resolve } = Promise.withResolvers<void>();
    this.#last.set(key, over);
    if (before !== undefined) {
      const waiting = new AbortController();
      const patience = setTimeout(patienceMs, undefined, { signal: waiting.signal }).catch(() => undefined);
      await Promise.race([before, patience]);
      waiting.abort();
    }
    return () => {
      resolve();
      if (this.#last.get(key) === over) this.#last.delete(key);
    };
  }
}
