import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { codeOf, RockpoolError } from '@rockpool/contracts';
import { isBusy, isDamage, isStorageFault, remedyFor } from './storage-faults.js';

/** How long one commit may take work from the queue, so that a flood of writes leaves the event loop room for reads and sockets. */
const batchBudgetMs = 10;

/** How long a commit waits for company while every turn of the event loop brings more writes. A write that comes alone does not wait. */
const gatherMs = 2;

/** How long writes wait for a lock that somebody else holds. They wait in the queue, so that everything but writing goes on meanwhile. */
const lockPatienceMs = 2_000;
const lockRetryMs = 20;

interface Waiting {
  run(db: DatabaseSync): unknown;
  resolve(value: never): void;
  reject(error: unknown): void;
}

/**
 * One SQLite file with group commit: what is written during one turn of the event loop shares one fsync, and under load during a few of them.
 *
 * A batch runs in a single synchronous stretch (BEGIN IMMEDIATE … COMMIT), so nothing else ever sees it half done, and whoever reads
 * between two batches reads committed data only.
 */
export class Database {
  /** Those whose commits wait for no disk. */
  static readonly #unsynced = new Set<Database>();
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #savepoint: StatementSync;
  readonly #release: StatementSync;
  #queue: Waiting[] = [];
  #flushScheduled = false;
  #lazyTimer: NodeJS.Timeout | undefined;
  #writing = false;
  #closed = false;
  #fault: RockpoolError | undefined;
  #latestFault: RockpoolError | undefined;
  #faultAt = -Infinity;
  #damage: RockpoolError | undefined;
  /** Since when another connection has been in the way of writing. */
  #lockedSince: number | undefined;
  readonly #generation: number;
  #numbered = 0;

  private constructor(db: DatabaseSync) {
    this.#db = db;
    this.#generation = countOpening(db);
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#commit = db.prepare('COMMIT');
    this.#savepoint = db.prepare('SAVEPOINT work');
    this.#release = db.prepare('RELEASE work');
  }

  /**
   * Opens the file or creates it. With `synchronous` FULL (the default) a write that resolved survives a power cut; with NORMAL it survives
   * the death of the process only. `cacheKiB` bounds the pages kept in memory. Rejects what is no database with `unavailable`.
   */
  static open(file: string, options: { synchronous?: 'FULL' | 'NORMAL' | 'OFF'; cacheKiB?: number } = {}): Database {
    let db: DatabaseSync | undefined;
    try {
      db = new DatabaseSync(file, { timeout: lockPatienceMs });
      // Memory-mapped reads are left off: they count as resident memory, and a failing disk would be a SIGBUS rather than an error.
      db.exec(`
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = ${options.synchronous ?? 'FULL'};
        PRAGMA temp_store = MEMORY;
        PRAGMA cache_size = -${options.cacheKiB ?? 16_000};
        PRAGMA journal_size_limit = 67108864;
      `);
      const database = new Database(db);
      if (options.synchronous === 'OFF') Database.#unsynced.add(database);
      db.exec('PRAGMA busy_timeout = 0');
      return database;
    } catch (cause) {
      db?.close();
      throw new RockpoolError('unavailable', `cannot open the database ${file}: ${messageOf(cause)}; ${remedyFor(cause)}`, { cause });
    }
  }

  /** Runs a schema script (`CREATE TABLE IF NOT EXISTS …`) at once. For constructors: it commits alone, outside the queue. */
  define(script: string): void {
    this.#db.exec(`BEGIN IMMEDIATE`);
    try {
      this.#db.exec(script);
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  /**
   * Runs `work` in the next commit and resolves with its result when that commit is on disk. A work that throws undoes only itself and
   * rejects with what it threw; when the commit fails, every work in it rejects with `unavailable` and none has happened. `work` is
   * synchronous and may run statements only.
   *
   * With `withinMs` the work is in no hurry: it joins the next commit, or makes one after this many milliseconds.
   */
  write<T>(work: (db: DatabaseSync) => T, options?: { withinMs: number }): Promise<T> {
    if (this.#closed) return Promise.reject(new RockpoolError('unavailable', 'the database is closed'));
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#queue.push({ run: work, resolve, reject });
    if (options === undefined) this.#scheduleFlush();
    else this.#lazyTimer ??= setTimeout(() => this.#flush(), options.withinMs);
    return promise;
  }

  /** Runs `work` now. It sees what is committed and nothing else; from within a `write`, use the handle that one was given. */
  read<T>(work: (db: DatabaseSync) => T): T {
    if (!this.#db.isOpen) throw new RockpoolError('unavailable', 'the database is closed');
    if (this.#writing) throw new Error('read inside a write would see uncommitted data');
    try {
      return work(this.#db);
    } catch (error) {
      throw this.#translated(error);
    }
  }

  /** A prepared statement, kept for the life of the database. Not for two overlapping iterations. */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      if (!this.#db.isOpen) throw new RockpoolError('unavailable', 'the database is closed');
      try {
        statement = this.#db.prepare(sql);
      } catch (error) {
        throw this.#translated(error);
      }
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** A number that this file never gives again, whatever was rolled back, deleted or restarted in between. Growing; a safe integer. */
  uniqueNumber(): number {
    return this.#generation * 2 ** 32 + this.#numbered++;
  }

  /** Writes something for the sake of writing. Resolves when it is on disk, rejects with `unavailable` when the disk does not take it. */
  async probe(): Promise<void> {
    await this.write(() => this.prepare('UPDATE openings SET count = count').run());
  }

  /** The storage fault that the latest commit met, or damage that was ever seen in the file; `undefined` when all is well. Its message says what to do. */
  get fault(): RockpoolError | undefined {
    return this.#damage ?? this.#fault;
  }

  /** The latest storage fault, if a commit met one in this time: where little room is left, small commits go well and others do not. */
  faultWithin(ms: number): RockpoolError | undefined {
    return this.fault ?? (performance.now() - this.#faultAt < ms ? this.#latestFault : undefined);
  }

  /** Commits what waits, then closes the file. Writing afterwards rejects with `unavailable`. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // Now there is nothing else to be done while a lock is waited for.
    this.#db.exec(`PRAGMA busy_timeout = ${lockPatienceMs}`);
    while (this.#queue.length > 0) this.#flush();
    Database.#unsynced.delete(this);
    this.#statements.clear();
    this.#db.close();
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    const gatherUntil = performance.now() + gatherMs;
    const look = (seen: number) => {
      if (this.#queue.length > seen && performance.now() < gatherUntil) setImmediate(look, this.#queue.length);
      else this.#flush();
    };
    setImmediate(look, 1);
  }

  #flush(): void {
    this.#flushScheduled = false;
    clearTimeout(this.#lazyTimer);
    this.#lazyTimer = undefined;
    if (this.#queue.length === 0) return;
    // What waits for no disk goes first: a process that is killed was most often waiting for one.
    if (!Database.#unsynced.has(this)) for (const other of Database.#unsynced) other.#flush();
    const batch = this.#queue;
    this.#queue = [];
    const settle = this.#writeBatch(batch);
    if (this.#queue.length > 0) this.#scheduleFlush();
    for (const done of settle) done();
  }

  /** Commits as many of the batch as its time allows, puts the rest back into the queue, and returns what tells the writers. */
  #writeBatch(batch: Waiting[]): (() => void)[] {
    const settle: (() => void)[] = [];
    const nested = batch.length > 1;
    let taken = 0;
    this.#writing = true;
    try {
      this.#begin.run();
      this.#lockedSince = undefined;
      this.#fault = undefined;
      const deadline = performance.now() + batchBudgetMs;
      do {
        settle.push(this.#runOne(batch[taken++]!, nested));
      } while (taken < batch.length && performance.now() < deadline);
      if (this.#db.isTransaction) this.#commit.run();
    } catch (cause) {
      this.#rollBack();
      if (taken === 0 && isBusy(cause) && this.#waitsForLock()) {
        this.#queue = batch;
        return [];
      }
      const fault = new RockpoolError('unavailable', `the write could not be made durable: ${messageOf(cause)}; ${remedyFor(cause)}`, {
        cause,
      });
      this.#meet(fault);
      // Nothing of this batch happened, and what was not tried yet would meet the same disk: all of its writers learn it now.
      return batch.map((waiting) => () => waiting.reject(fault));
    } finally {
      this.#writing = false;
    }
    if (taken < batch.length) this.#queue = batch.slice(taken).concat(this.#queue);
    return settle;
  }

  #meet(fault: RockpoolError): void {
    this.#fault = this.#latestFault = fault;
    this.#faultAt = performance.now();
    if (isDamage(fault)) this.#damage ??= fault;
  }

  /** Tries again in a moment, unless the lock has been held for too long: then writers are told at once until it is free. */
  #waitsForLock(): boolean {
    if (this.#closed) return false;
    this.#lockedSince ??= performance.now();
    if (performance.now() - this.#lockedSince >= lockPatienceMs) return false;
    this.#flushScheduled = true;
    setTimeout(() => this.#flush(), lockRetryMs);
    return true;
  }

  /** Throws only when the whole transaction is lost. */
  #runOne(waiting: Waiting, nested: boolean): () => void {
    try {
      if (nested) this.#savepoint.run();
      const value = waiting.run(this.#db);
      if (isThenable(value)) throw new TypeError('a write must be synchronous, but this one returned a promise');
      if (nested) this.#release.run();
      return () => waiting.resolve(value as never);
    } catch (error) {
      // SQLite itself ends the transaction on some faults (disk full, I/O): then the neighbours' work is gone too.
      if (!this.#db.isTransaction) throw error;
      this.#db.exec(nested ? 'ROLLBACK TO work; RELEASE work' : 'ROLLBACK');
      const reason = this.#translated(error);
      if (reason !== error) this.#meet(reason as RockpoolError);
      return () => waiting.reject(reason);
    }
  }

  #rollBack(): void {
    if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
  }

  #translated(error: unknown): unknown {
    if (codeOf(error) === 'unavailable' || !isStorageFault(error)) return error;
    const reason = new RockpoolError('unavailable', `the database does not answer: ${messageOf(error)}; ${remedyFor(error)}`, {
      cause: error,
    });
    if (isDamage(error)) this.#damage ??= reason;
    return reason;
  }
}

/** How often the file was opened, this time included, on disk before it is used. */
function countOpening(db: DatabaseSync): number {
  db.exec('CREATE TABLE IF NOT EXISTS openings (one INTEGER PRIMARY KEY CHECK (one = 1), count INTEGER NOT NULL)');
  const row = db.prepare('INSERT INTO openings VALUES (1, 1) ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count').get();
  return Number(row?.['count']);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function isThenable(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
