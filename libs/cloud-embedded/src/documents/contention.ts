import { clearTimeout, setTimeout } from 'node:timers';

/** Longest a transaction stands in line. Versions are checked at commit anyway, so giving up the place costs speed, not correctness. */
const patienceMs = 1_000;

/**
 * Lines for what transactions have collided on. Optimism alone would let twenty writers of one document run twenty times each; once two
 * have collided there, they take turns. A transaction stands in one line at a time and enters it holding no other, so lines cannot
 * deadlock.
 */
export class Contention {
  readonly #lines = new Map<string, (() => void)[]>();

  /** True while somebody has the turn there. */
  isContended(place: string): boolean {
    return this.#lines.has(place);
  }

  /** Resolves when it is one's turn, with the function that passes the turn on. */
  async enter(place: string): Promise<() => void> {
    const line = this.#lines.get(place);
    if (line === undefined) {
      this.#lines.set(place, []);
      return () => this.#passOn(place);
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const take = () => resolve(true);
    line.push(take);
    const timer = setTimeout(() => {
      line.splice(line.indexOf(take), 1);
      resolve(false);
    }, patienceMs);
    const hasTurn = await promise;
    clearTimeout(timer);
    return hasTurn ? () => this.#passOn(place) : () => undefined;
  }

  #passOn(place: string): void {
    const next = this.#lines.get(place)?.shift();
    if (next === undefined) this.#lines.delete(place);
    else next();
  }
}
