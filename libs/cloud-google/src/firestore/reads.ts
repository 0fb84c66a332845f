import { RockpoolError } from '@rockpool/contracts';
import { clearTimeout, setTimeout } from 'node:timers';
import { readError } from './firestore-errors.js';

/** What was not read by then is not waited for: the client itself goes on trying for most of a minute. */
const readLimitMs = 10_000;

/** The reads under way of one client. */
export class Reads {
  readonly #underWay = new Set<Promise<unknown>>();

  /** The outcome of a read. Rejects with `unavailable` when it failed or took more than ten seconds, though the client may go on with it. */
  async outcomeOf<Result>(read: Promise<Result>): Promise<Result> {
    try {
      return await this.limited(read);
    } catch (error) {
      throw readError(error);
    }
  }

  /** The same, with Firestore's own errors. */
  async limited<Result>(work: Promise<Result>): Promise<Result> {
    const { promise: overdue, reject } = Promise.withResolvers<never>();
    const late = new RockpoolError('unavailable', `Firestore did not answer within ${readLimitMs} ms`);
    const timer = setTimeout(() => reject(late), readLimitMs);
    const done = () => {
      clearTimeout(timer);
      this.#underWay.delete(work);
    };
    this.#underWay.add(work);
    work.then(done, done);
    return Promise.race([work, overdue]);
  }

  /** Resolves when the client goes on with none of them. */
  async over(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }
}
