import type { Document, Page, Query, Transaction, WriteOptions } from '@rockpool/cloud';
import { InvalidInput } from '@rockpool/contracts';
import type { Contention } from './contention.js';
import { documentPath, type DocumentPath } from './document-path.js';
import { contentOf, documentOf, type DocumentStore, pageOf, type StoredDocument } from './document-store.js';
import type { QueryPlan } from './query-plan.js';

/** What a query gave, in few words: equal before and after when nothing in its page was added, removed, moved or rewritten. */
export function fingerprint({ rows, nextCursor }: { rows: readonly StoredDocument[]; nextCursor: string | undefined }): string {
  return JSON.stringify([rows.map(({ path, version }) => [path, version]), nextCursor]);
}

/** One attempt of a transaction: remembers what was read and what is to be written, until the commit checks the one and does the other. */
export class SqliteTransaction implements Transaction {
  readonly #reads = new Map<string, { place: DocumentPath; document: StoredDocument | undefined }>();
  readonly #queries: { key: string; plan: QueryPlan; seen: string }[] = [];
  readonly #writes: (() => void)[] = [];
  /** Where this transaction writes. */
  readonly written: DocumentPath[] = [];
  #leaveLine: (() => void) | undefined;

  constructor(
    private readonly store: DocumentStore,
    private readonly contention: Contention,
    leaveLine: (() => void) | undefined,
  ) {
    this.#leaveLine = leaveLine;
  }

  async get<Data>(path: string): Promise<Document<Data> | undefined> {
    this.#mustNotHaveWritten();
    const place = documentPath(path);
    await this.#standInLine(path);
    let read = this.#reads.get(path);
    if (read === undefined) {
      read = { place, document: this.store.database.read(() => this.store.get(place)) };
      this.#reads.set(path, read);
    }
    return read.document && documentOf<Data>(read.document);
  }

  /** Looking again costs little here, so a guard is held to be read, and not relied on. */
  async query<Data>(query: Query, { guard }: { guard?: string } = {}): Promise<Page<Data>> {
    this.#mustNotHaveWritten();
    if (guard !== undefined && !this.#reads.has(guard)) throw new InvalidInput(`the guard ${guard} has not been read`);
    const plan = this.store.plan(query);
    const key = `query of ${JSON.stringify(query.from)}`;
    await this.#standInLine(key);
    const found = this.store.database.read(() => this.store.run(plan));
    this.#queries.push({ key, plan, seen: fingerprint(found) });
    return pageOf<Data>(found);
  }

  create(path: string, data: object, options?: WriteOptions): void {
    const place = documentPath(path);
    const content = contentOf(data, options);
    this.#write(place, () => this.store.create(place, content));
  }

  set(path: string, data: object, options?: WriteOptions): void {
    const place = documentPath(path);
    const content = contentOf(data, options);
    this.#write(place, () => this.store.set(place, content));
  }

  delete(path: string): void {
    const place = documentPath(path);
    this.#write(place, () => this.store.delete(place));
  }

  /** The first thing read that is no longer as it was. Runs inside a write or a read. */
  findStale(): string | undefined {
    for (const { place, document } of this.#reads.values()) if (this.store.version(place) !== document?.version) return place.path;
    for (const { key, plan, seen } of this.#queries) if (fingerprint(this.store.run(plan)) !== seen) return key;
    return undefined;
  }

  /** Does the writes, in their order. Runs inside a write. */
  apply(): void {
    for (const write of this.#writes) write();
  }

  /** Passes on the turn it has, if it has one. */
  end(): void {
    this.#leaveLine?.();
    this.#leaveLine = undefined;
  }

  /** A transaction that begins at a place others contend for waits its turn, lest it spoil theirs. It holds no other place then. */
  async #standInLine(place: string): Promise<void> {
    const isFirstRead = this.#reads.size === 0 && this.#queries.length === 0;
    if (isFirstRead && this.#leaveLine === undefined && this.contention.isContended(place))
      this.#leaveLine = await this.contention.enter(place);
  }

  #write(place: DocumentPath, write: () => void): void {
    this.written.push(place);
    this.#writes.push(write);
  }

  #mustNotHaveWritten(): void {
    if (this.#writes.length > 0) throw new InvalidInput('a transaction reads everything before its first write');
  }
}
