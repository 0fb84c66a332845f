import {
  type Document,
  Documents,
  type IndexDeclaration,
  type Page,
  type Query,
  type Snapshot,
  type Transaction,
  type WriteOptions,
} from '@rockpool/cloud';
import { Conflict } from '@rockpool/contracts';
import { setTimeout } from 'node:timers/promises';
import type { Database } from './database.js';
import { Contention } from './documents/contention.js';
import { documentPath } from './documents/document-path.js';
import { contentOf, documentOf, DocumentStore, pageOf } from './documents/document-store.js';
import { SqliteTransaction } from './documents/sqlite-transaction.js';
import { type Touched, Watchers } from './documents/watchers.js';

const maxAttempts = 10;

/** Expired documents deleted by one write. */
const sweepChunk = 500;

/**
 * Documents as JSON rows of one table. Reads are answered at once from committed rows; writes share commits with everything else in the
 * database.
 */
export class SqliteDocuments extends Documents {
  readonly #store: DocumentStore;
  readonly #watchers: Watchers;
  readonly #contention = new Contention();

  /**
   * Uses the table `documents`. Makes the declared indexes, which takes a while when there are many documents of that collection already.
   */
  constructor(
    private readonly database: Database,
    indexes: readonly IndexDeclaration[],
  ) {
    super();
    this.#store = new DocumentStore(database, indexes);
    this.#watchers = new Watchers(this.#store);
  }

  override async get<Data>(path: string): Promise<Document<Data> | undefined> {
    const place = documentPath(path);
    const stored = this.database.read(() => this.#store.get(place));
    return stored && documentOf<Data>(stored);
  }

  override async create(path: string, data: object, options?: WriteOptions): Promise<string> {
    const place = documentPath(path);
    const content = contentOf(data, options);
    return String(await this.#write(place, () => this.#store.create(place, content)));
  }

  override async set(path: string, data: object, options?: WriteOptions): Promise<string> {
    const place = documentPath(path);
    const content = contentOf(data, options);
    return String(await this.#write(place, () => this.#store.set(place, content)));
  }

  override async update(path: string, data: object, ifVersion: string, options?: WriteOptions): Promise<string> {
    const place = documentPath(path);
    const content = contentOf(data, options);
    return String(await this.#write(place, () => this.#store.update(place, content, ifVersion)));
  }

  override async delete(path: string, ifVersion?: string): Promise<void> {
    const place = documentPath(path);
    await this.#write(place, () => this.#store.delete(place, ifVersion));
  }

  override async query<Data>(query: Query): Promise<Page<Data>> {
    const plan = this.#store.plan(query);
    return pageOf<Data>(this.database.read(() => this.#store.run(plan)));
  }

  override async transaction<Result>(run: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    let leaveLine: (() => void) | undefined;
    for (let attempt = 1; ; attempt++) {
      const transaction = new SqliteTransaction(this.#store, this.#contention, leaveLine);
      let staleAt: string;
      try {
        const outcome = await this.#attempt(transaction, run);
        if ('result' in outcome) return outcome.result;
        staleAt = outcome.staleAt;
      } finally {
        transaction.end();
      }
      if (attempt === maxAttempts) throw new Conflict(`${staleAt} changed during each of ${maxAttempts} attempts of a transaction`);
      leaveLine = await this.#contention.enter(staleAt);
      // From the second time on somebody outside the line is in the way: come at another moment than last time.
      if (attempt > 1) await setTimeout(Math.random() * 2 ** attempt);
    }
  }

  override async watch<Data>(query: Query, listener: (snapshot: Snapshot<Data>) => void): Promise<() => void> {
    return this.#watchers.add(query, listener);
  }

  /** Deletes expired documents, a few hundred a commit. Resolves with how many there were. */
  async sweepExpired(): Promise<number> {
    for (let swept = 0; ;) {
      const deleted = await this.database.write(() => this.#store.deleteExpired(sweepChunk));
      for (const touched of deleted) this.#watchers.touched(touched);
      swept += deleted.length;
      if (deleted.length < sweepChunk) return swept;
    }
  }

  /** Stops the watchers. The database stays open. */
  close(): void {
    this.#watchers.close();
  }

  /** Runs the function and commits; says what was stale if that was in the way. */
  async #attempt<Result>(
    transaction: SqliteTransaction,
    run: (transaction: Transaction) => Promise<Result>,
  ): Promise<{ result: Result } | { staleAt: string }> {
    let result: Result;
    try {
      result = await run(transaction);
    } catch (error) {
      // It may have failed only because it saw one thing before and another after somebody's commit.
      const staleAt = this.database.read(() => transaction.findStale());
      if (staleAt === undefined) throw error;
      return { staleAt };
    }
    if (transaction.written.length === 0) {
      const staleAt = this.database.read(() => transaction.findStale());
      return staleAt === undefined ? { result } : { staleAt };
    }
    const staleAt = await this.database.write(() => {
      const stale = transaction.findStale();
      if (stale === undefined) transaction.apply();
      return stale;
    });
    if (staleAt !== undefined) return { staleAt };
    for (const place of transaction.written) this.#watchers.touched(place);
    return { result };
  }

  async #write<T>(place: Touched, work: () => T): Promise<T> {
    const result = await this.database.write(work);
    this.#watchers.touched(place);
    return result;
  }
}
