import type {
  DocumentReference,
  Firestore,
  Query as FirestoreQuery,
  Precondition,
  Timestamp,
  Transaction as ServerTransaction,
} from '@google-cloud/firestore';
import type { Document, IndexDeclaration, Page, Query, Transaction, WriteOptions } from '@rockpool/cloud';
import { AlreadyExists, Conflict, InvalidInput } from '@rockpool/contracts';
import { randomUUID } from 'node:crypto';
import { documentPath } from './document-path.js';
import { grpc, grpcCodeOf, isContention, writeError } from './firestore-errors.js';
import type { Lines } from './lines.js';
import { fingerprintOf, pageOf, readPage } from './page.js';
import { planQuery, type QueryPlan } from './query-plan.js';
import type { Reads } from './reads.js';
import type { ServerClock } from './server-clock.js';
import { type Content, contentOf, documentOf, isExpired, replacementOf, type StoredDocument, storedOf } from './stored-document.js';

/** What a commit is written to: a batch, or a transaction of Firestore's. */
interface Writer {
  create(reference: DocumentReference, fields: object): unknown;
  set(reference: DocumentReference, fields: object): unknown;
  update(reference: DocumentReference, fields: object, condition: Precondition): unknown;
  delete(reference: DocumentReference, condition?: Precondition): unknown;
}

/** What becomes of one document: its content (`undefined`: it is deleted). `fresh`: there must not have been one. */
interface Write {
  readonly content: Content | undefined;
  readonly fresh: boolean;
}

/** What the attempts of one transaction have in common. */
export interface Attempts {
  readonly firestore: Firestore;
  readonly declarations: readonly IndexDeclaration[];
  readonly lines: Lines;
  readonly clock: ServerClock;
  readonly reads: Reads;
  /** Expired documents that were in the way of a `create` in an earlier attempt. They may be replaced. */
  readonly expired: Map<string, StoredDocument>;
}

/**
 * One attempt of a transaction. It reads the database as of one moment, which locks nothing, and remembers what it saw. Its writes then go
 * out under the condition that everything is still so: what was read and is written has its update time as precondition; what was only read
 * is written back unchanged under the same condition, which changes neither it nor its update time. So a commit is one request. Queries
 * without a guard need a second look, in a locking transaction, because no condition of a write says that nothing was added.
 */
export class FirestoreTransaction implements Transaction {
  /** Marks the documents that this attempt writes. */
  readonly #id = randomUUID();
  readonly #reads = new Map<string, StoredDocument | undefined>();
  readonly #queries: { key: string; plan: QueryPlan; seen: string }[] = [];
  readonly #writes = new Map<string, Write>();
  #together: { paths: Set<string>; read: Promise<void> } | undefined;
  #moment: Promise<Timestamp> | undefined;
  #taken: string | undefined;
  #leaveLine: (() => void) | undefined;

  /** `isInLine`: it has its turn at what an earlier attempt collided on. */
  constructor(
    private readonly attempts: Attempts,
    private readonly isInLine: boolean,
  ) {}

  /** What it has read, to stand in line for. */
  get keys(): string[] {
    return [...this.#reads.keys(), ...this.#queries.map(({ key }) => key)];
  }

  async get<Data>(path: string): Promise<Document<Data> | undefined> {
    this.#mustNotHaveWritten();
    await this.#standInLine(documentPath(path));
    if (!this.#reads.has(path)) await this.#read(path);
    const stored = this.#reads.get(path);
    return stored === undefined || isExpired(stored) ? undefined : documentOf<Data>(stored);
  }

  async query<Data>(query: Query, { guard }: { guard?: string } = {}): Promise<Page<Data>> {
    this.#mustNotHaveWritten();
    if (guard !== undefined && !this.#reads.has(documentPath(guard))) throw new InvalidInput(`the guard ${guard} has not been read`);
    const plan = planQuery(this.attempts.firestore, this.attempts.declarations, query);
    const key = `query of ${JSON.stringify(query.from)}`;
    if (guard === undefined) await this.#standInLine(key);
    const read = (part: FirestoreQuery) =>
      this.#atOneMoment(
        () => part.get(),
        (then) => then.get(part),
        ({ readTime }) => readTime,
      );
    const page = await this.attempts.reads.outcomeOf(() => readPage(plan, read));
    if (guard === undefined) this.#queries.push({ key, plan, seen: fingerprintOf(page) });
    else for (const snapshot of page.documents) this.#reads.set(snapshot.ref.path, storedOf(snapshot));
    return pageOf<Data>(plan, page);
  }

  create(path: string, data: object, options?: WriteOptions): void {
    const before = this.#writes.get(documentPath(path));
    const read = this.#reads.get(path);
    if (before === undefined ? read !== undefined && !isExpired(read) : before.content !== undefined) this.#taken ??= path;
    this.#write(path, contentOf(data, options, this.#id), true);
  }

  set(path: string, data: object, options?: WriteOptions): void {
    this.#write(documentPath(path), contentOf(data, options, this.#id), false);
  }

  delete(path: string): void {
    this.#write(documentPath(path), undefined, false);
  }

  /**
   * Does the writes if everything is as it was read. Resolves with false if not: then nothing was written. Rejects with `already_exists` for
   * a `create` of what is there.
   */
  async commit(): Promise<boolean> {
    if (this.#taken !== undefined) throw new AlreadyExists(`there is a document ${this.#taken} already`);
    if (this.#writes.size === 0) return true;
    try {
      if (this.#queries.length > 0) return await this.#commitAfterSecondLook();
      const batch = this.attempts.firestore.batch();
      this.#apply(batch);
      await batch.commit();
      return true;
    } catch (error) {
      if (grpcCodeOf(error) === grpc.alreadyExists || isContention(error)) return await this.#wasCommitted();
      throw writeError(error, [...this.#writes.keys()].join(', '));
    }
  }

  /** Passes on the turn it has, if it has one. */
  end(): void {
    this.#leaveLine?.();
    this.#leaveLine = undefined;
  }

  async #commitAfterSecondLook(): Promise<boolean> {
    const { firestore, reads } = this.attempts;
    const changed = new Conflict('what a query of the transaction found has changed');
    try {
      const commit = () =>
        firestore.runTransaction(
          async (locking) => {
            const looks = this.#queries.map(
              async ({ plan, seen }) => fingerprintOf(await readPage(plan, (part) => locking.get(part))) === seen,
            );
            if ((await Promise.all(looks)).includes(false)) throw changed;
            this.#apply(locking);
          },
          { maxAttempts: 1 },
        );
      await reads.limited(commit);
      return true;
    } catch (error) {
      if (error === changed) return false;
      throw error;
    }
  }

  /**
   * A condition was not met: perhaps because the client, having lost the answer, sent a commit again that had been made. Also finds out what
   * is in the way of a `create`.
   */
  async #wasCommitted(): Promise<boolean> {
    const { firestore, expired, reads } = this.attempts;
    const written = [...this.#writes].filter(([, { content }]) => content !== undefined);
    if (written.length === 0) return false;
    const present = await reads.outcomeOf(() => firestore.getAll(...written.map(([path]) => firestore.doc(path))));
    for (const stored of present.map(storedOf)) {
      if (stored === undefined) continue;
      if (stored.fields.meta.write === this.#id) return true;
      if (!this.#writes.get(stored.path)!.fresh || this.#reads.has(stored.path)) continue;
      if (!isExpired(stored)) throw new AlreadyExists(`there is a document ${stored.path} already`);
      expired.set(stored.path, stored);
    }
    return false;
  }

  #apply(writer: Writer): void {
    const { firestore, expired } = this.attempts;
    for (const [path, { content, fresh }] of this.#writes) {
      const reference = firestore.doc(path);
      const stored = this.#reads.get(path) ?? (fresh ? expired.get(path) : undefined);
      const isAbsent = stored === undefined && (fresh || this.#reads.has(path));
      if (content === undefined) writer.delete(reference, stored ? isStill(stored) : isAbsent ? { exists: false } : undefined);
      else if (stored) writer.update(reference, replacementOf(content), isStill(stored));
      else if (isAbsent) writer.create(reference, content.fields);
      else writer.set(reference, content.fields);
    }
    for (const [path, stored] of this.#reads) {
      if (this.#writes.has(path)) continue;
      const reference = firestore.doc(path);
      if (stored) writer.update(reference, { 'meta.write': stored.fields.meta.write }, isStill(stored));
      else writer.delete(reference, { exists: false });
    }
  }

  /** Reads that are asked for in one go are one request. */
  #read(path: string): Promise<void> {
    this.#together ??= { paths: new Set(), read: Promise.resolve().then(() => this.#readTogether()) };
    this.#together.paths.add(path);
    return this.#together.read;
  }

  async #readTogether(): Promise<void> {
    const { firestore, reads } = this.attempts;
    const references = [...this.#together!.paths].map((path) => firestore.doc(path));
    this.#together = undefined;
    const read = () =>
      this.#atOneMoment(
        () => firestore.getAll(...references),
        (then) => then.getAll(...references),
        ([any]) => any!.readTime,
      );
    for (const snapshot of await reads.outcomeOf(read)) this.#reads.set(snapshot.ref.path, storedOf(snapshot));
  }

  /**
   * The first read is of the present, and every later one of the same moment. (Firestore's client also has transactions that only read; when
   * the first read of one fails, it leaves a rejected promise behind that ends the process.)
   */
  async #atOneMoment<Answer>(
    now: () => Promise<Answer>,
    then: (moment: ServerTransaction) => Promise<Answer>,
    momentOf: (answer: Answer) => Timestamp,
  ): Promise<Answer> {
    const { firestore, clock } = this.attempts;
    if (this.#moment !== undefined) return firestore.runTransaction(then, { readOnly: true, readTime: await this.#moment });
    const first = clock.timed(now, momentOf);
    this.#moment = first.then(momentOf);
    // The failure is told by the read itself, and to those that wait for the moment.
    this.#moment.catch(() => undefined);
    return first;
  }

  /** Firestore takes one write of a document in a commit, so the last one counts. */
  #write(path: string, content: Content | undefined, creates: boolean): void {
    this.#writes.set(path, { content, fresh: this.#writes.get(path)?.fresh ?? creates });
  }

  /** Who begins at a place others contend for waits for a turn, lest it spoil theirs. */
  async #standInLine(key: string): Promise<void> {
    const { lines } = this.attempts;
    const isFirstRead = this.keys.length === 0;
    if (isFirstRead && !this.isInLine && this.#leaveLine === undefined && lines.isBusy(key)) this.#leaveLine = await lines.enter([key]);
  }

  #mustNotHaveWritten(): void {
    if (this.#writes.size > 0) throw new InvalidInput('a transaction reads everything before its first write');
  }
}

function isStill({ updateTime }: StoredDocument): Precondition {
  return { lastUpdateTime: updateTime };
}
