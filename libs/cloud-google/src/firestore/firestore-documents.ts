import type { DocumentReference, Precondition, WriteResult } from '@google-cloud/firestore';
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
import { AlreadyExists, Conflict } from '@rockpool/contracts';
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { connect, type Connection, type FirestorePlace } from './connection.js';
import { documentPath } from './document-path.js';
import { grpc, grpcCodeOf, isContention, writeError } from './firestore-errors.js';
import { FirestoreTransaction } from './firestore-transaction.js';
import { Lines } from './lines.js';
import { pageOf, readPage } from './page.js';
import { PageWatch } from './page-watch.js';
import { planQuery } from './query-plan.js';
import { Reads } from './reads.js';
import { ServerClock } from './server-clock.js';
import {
  type Content,
  contentOf,
  documentOf,
  isExpired,
  replacementOf,
  type StoredDocument,
  storedOf,
  updateTimeOf,
  versionOf,
} from './stored-document.js';

const maxAttempts = 10;
const maxPauseMs = 1_000;
/** What waits for an answer during an outage has been refused by then. */
const closeLimitMs = 10_000;

export interface FirestoreDocumentsOptions extends FirestorePlace {
  /** What queries may rely on. The indexes themselves are made by deploying what `firestoreIndexes` gives for them. */
  readonly indexes: readonly IndexDeclaration[];
}

/**
 * Documents in Firestore, in Native mode. No transaction of a caller holds locks: see {@link FirestoreTransaction}.
 * Texts of more than 1,500 bytes and lists are stored, and not found by queries.
 */
export class FirestoreDocuments extends Documents {
  readonly #lines = new Lines();
  readonly #clock = new ServerClock();
  readonly #reads = new Reads();
  readonly #watches = new Set<PageWatch<never>>();

  private constructor(
    private readonly connection: Connection,
    private readonly declarations: readonly IndexDeclaration[],
  ) {
    super();
  }

  /** Connects at the first use. */
  static open({ indexes, ...place }: FirestoreDocumentsOptions): FirestoreDocuments {
    return new FirestoreDocuments(connect(place), indexes);
  }

  override async get<Data>(path: string): Promise<Document<Data> | undefined> {
    const stored = await this.#read(this.#at(path));
    return stored === undefined || isExpired(stored) ? undefined : documentOf<Data>(stored);
  }

  override async create(path: string, data: object, options?: WriteOptions): Promise<string> {
    const reference = this.#at(path);
    const content = contentOf(data, options, randomUUID());
    let present: StoredDocument | undefined;
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      try {
        if (present === undefined) return versionAfter(await reference.create(content.fields), content);
        return versionAfter(await this.#replace(reference, content, { lastUpdateTime: present.updateTime }), content);
      } catch (error) {
        if (grpcCodeOf(error) !== grpc.alreadyExists && !isContention(error)) throw writeError(error, path);
      }
      present = await this.#read(reference);
      if (present === undefined) continue;
      if (isOwn(present, content)) return versionOf(present.updateTime, present.expireAtMs);
      if (!isExpired(present)) throw new AlreadyExists(`there is a document ${path} already`);
    }
    throw new Conflict(`${path} changed during each of ${maxAttempts} attempts to create it`);
  }

  override async set(path: string, data: object, options?: WriteOptions): Promise<string> {
    const content = contentOf(data, options, randomUUID());
    const result = await this.#at(path)
      .set(content.fields)
      .catch((error: unknown) => {
        throw writeError(error, path);
      });
    return versionAfter(result, content);
  }

  override async update(path: string, data: object, ifVersion: string, options?: WriteOptions): Promise<string> {
    const reference = this.#at(path);
    const content = contentOf(data, options, randomUUID());
    const lastUpdateTime = expectedTime(path, ifVersion);
    try {
      return versionAfter(await this.#replace(reference, content, { lastUpdateTime }), content);
    } catch (error) {
      // The client may have lost the answer and sent again what had been done.
      const present = isContention(error) ? await this.#read(reference) : undefined;
      if (present && isOwn(present, content)) return versionOf(present.updateTime, present.expireAtMs);
      throw writeError(error, path);
    }
  }

  override async delete(path: string, ifVersion?: string): Promise<void> {
    const reference = this.#at(path);
    const condition = ifVersion === undefined ? undefined : { lastUpdateTime: expectedTime(path, ifVersion) };
    await reference.delete(condition).catch((error: unknown) => {
      throw writeError(error, path);
    });
  }

  override async query<Data>(query: Query): Promise<Page<Data>> {
    const plan = planQuery(this.connection.firestore, this.declarations, query);
    return pageOf<Data>(plan, await this.#reads.outcomeOf(() => readPage(plan, (part) => part.get())));
  }

  override async transaction<Result>(run: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    const expired = new Map<string, StoredDocument>();
    let leaveLines: (() => void) | undefined;
    for (let attempt = 1; ; attempt++) {
      const { result, isCommitted, keys } = await this.#attempt(run, expired, leaveLines !== undefined).finally(() => leaveLines?.());
      if (isCommitted) return result;
      if (attempt === maxAttempts) throw new Conflict(`${keys.join(', ')} changed during each of ${maxAttempts} attempts of a transaction`);
      leaveLines = await this.#lines.enter(keys);
      // From the second time on it is another process that is in the way: come at another moment than last time.
      if (attempt > 1) await setTimeout(Math.random() * Math.min(10 * 2 ** attempt, maxPauseMs));
    }
  }

  override async watch<Data>(query: Query, listener: (snapshot: Snapshot<Data>) => void): Promise<() => void> {
    const watch = new PageWatch<Data>(planQuery(this.connection.firestore, this.declarations, query), listener);
    this.#watches.add(watch);
    const stop = () => {
      watch.stop();
      this.#watches.delete(watch);
    };
    try {
      await this.#reads.outcomeOf(() => watch.start());
      return stop;
    } catch (error) {
      stop();
      throw error;
    }
  }

  /** Firestore's time, which every read tells; before the first one, this machine's. */
  override now(): number {
    return this.#clock.now();
  }

  /** Stops the watches, ends what is under way and closes the connections. */
  async close(): Promise<void> {
    for (const watch of this.#watches) watch.stop();
    this.#watches.clear();
    this.connection.stop();
    const closed = this.#reads.close().then(() => this.connection.firestore.terminate());
    await Promise.race([closed, setTimeout(closeLimitMs, undefined, { ref: false })]);
  }

  #at(path: string): DocumentReference {
    return this.connection.firestore.doc(documentPath(path));
  }

  async #read(reference: DocumentReference): Promise<StoredDocument | undefined> {
    const read = () => this.#reads.outcomeOf(() => reference.get());
    return storedOf(await this.#clock.timed(read, ({ readTime }) => readTime));
  }

  async #attempt<Result>(run: (transaction: Transaction) => Promise<Result>, expired: Map<string, StoredDocument>, isInLine: boolean) {
    const { firestore } = this.connection;
    const shared = { firestore, declarations: this.declarations, lines: this.#lines, clock: this.#clock, reads: this.#reads };
    const transaction = new FirestoreTransaction({ ...shared, expired }, isInLine);
    try {
      const result = await run(transaction);
      return { result, isCommitted: await transaction.commit(), keys: transaction.keys };
    } finally {
      transaction.end();
    }
  }

  #replace(reference: DocumentReference, content: Content, condition: Precondition): Promise<WriteResult> {
    return reference.update({ ...replacementOf(content) }, condition);
  }
}

function expectedTime(path: string, version: string) {
  const time = updateTimeOf(version);
  if (time === undefined) throw new Conflict(`${path} has been changed or deleted meanwhile`);
  return time;
}

function versionAfter({ writeTime }: WriteResult, { expireAtMs }: Content): string {
  return versionOf(writeTime, expireAtMs);
}

function isOwn(present: StoredDocument, content: Content): boolean {
  return present.fields.meta.write === content.fields.meta.write;
}
