import { RockpoolError } from '@rockpool/contracts';
import { clearTimeout, setTimeout } from 'node:timers';
import { readError } from './firestore-errors.js';

/** What was not read by then is not waited for: the client itself goes on trying for most of a minute. */
const readLimitMs = 10_000;

/** The reads under way of one client. */
export class Reads {
  readonly #underWay = new Set<Promise<unknown>>();
  #isClosed = false;

  /** The outcome of a read. Rejects with `unavailable` when it failed or took more than ten seconds, though the client may go on with it, and when it came too late. */
  async outcomeOf<Result>(read: () => Promise<Result>): Promise<Result> {
    try {
      return await this.limited(read);
    } catch (error) {
      throw readError(error);
    }
  }

  /** The same, with Firestore's own errors. */
  async limited<Result>(begin: () => Promise<Result>): Promise<Result> {
    if (this.#isClosed) throw new RockpoolError('unavailable', 'the documents are closed');
    const work = begin();
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

  /**
   * Begins no more, and resolves when the client goes on with none of them. A read on a client that was terminated ends the process by an error that nobody can catch, so it
   * must not be terminated before, nor used for reading afterwards.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#underWay);
  }
}
