import type { Document, IndexDeclaration, Page, Query } from '@rockpool/cloud';
import { AlreadyExists, Conflict, InvalidInput, TerminalError } from '@rockpool/contracts';
import type { Database } from '../database.js';
import { DocumentIndexes } from './document-indexes.js';
import type { DocumentPath } from './document-path.js';
import { cursorOf, planQuery, type Position, type QueryPlan } from './query-plan.js';

/** The table of all documents. */
export const documentsSchema = `
  CREATE TABLE IF NOT EXISTS documents (
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    expire_at INTEGER,
    data TEXT NOT NULL
  );
  CREATE UNIQUE INDEX IF NOT EXISTS documents_by_path ON documents (collection, id);
  CREATE INDEX IF NOT EXISTS documents_by_expiry ON documents (expire_at) WHERE expire_at IS NOT NULL;
`;

/** Firestore's limit, kept here so that nothing grows up that could not move there. */
const maxDocumentBytes = 2 ** 20;

/** A row as it was read. `text` is the JSON of the data. */
export interface StoredDocument {
  readonly path: string;
  readonly id: string;
  readonly version: number;
  readonly text: string;
}

/** Content on its way into a row: JSON text and when it expires (milliseconds since 1970, null for never). */
export interface Content {
  readonly text: string;
  readonly expireAt: number | null;
}

/** Checks and encodes what a caller wants to store. Throws `InvalidInput` or `too_large`. */
export function contentOf(data: object, options: { expireAt?: Date } | undefined): Content {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) throw new InvalidInput('a document is an object');
  const expireAt = options?.expireAt?.getTime() ?? null;
  if (Number.isNaN(expireAt)) throw new InvalidInput('expireAt is no valid date');
  let text: string;
  try {
    text = JSON.stringify(data);
  } catch (cause) {
    throw new InvalidInput('a document is JSON', { cause });
  }
  if (text.length * 3 > maxDocumentBytes && Buffer.byteLength(text) > maxDocumentBytes)
    throw new TerminalError('a document has at most 1 MiB', { code: 'too_large' });
  return { text, expireAt };
}

export function documentOf<Data>({ path, id, version, text }: StoredDocument): Document<Data> {
  return { path, id, version: String(version), data: JSON.parse(text) as Data };
}

/** The table of documents. What changes it is for use inside `Database.write`; what reads runs inside a write or a read. */
export class DocumentStore {
  readonly #indexes: DocumentIndexes;

  constructor(
    readonly database: Database,
    indexes: readonly IndexDeclaration[],
  ) {
    database.define(documentsSchema);
    this.#indexes = new DocumentIndexes(database, indexes);
  }

  /** The document, unless it is expired. */
  get({ path, collection, id }: DocumentPath): StoredDocument | undefined {
    const row = this.database.prepare('SELECT version, expire_at, data FROM documents WHERE collection = ? AND id = ?').get(collection, id);
    if (row === undefined || isExpired(row['expire_at'])) return undefined;
    return { path, id, version: Number(row['version']), text: row['data'] as string };
  }

  /** The version of the document; `undefined` when there is none or it is expired. */
  version({ collection, id }: DocumentPath): number | undefined {
    const row = this.database.prepare('SELECT version, expire_at FROM documents WHERE collection = ? AND id = ?').get(collection, id);
    return row === undefined || isExpired(row['expire_at']) ? undefined : Number(row['version']);
  }

  /** Throws `already_exists`. An expired document counts as absent, here and below. */
  create({ path, collection, id, name }: DocumentPath, { text, expireAt }: Content): number {
    const version = this.database.uniqueNumber();
    const { changes } = this.database
      .prepare(
        `INSERT INTO documents (collection, id, name, version, expire_at, data) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (collection, id) DO UPDATE SET version = excluded.version, expire_at = excluded.expire_at, data = excluded.data
         WHERE documents.expire_at <= ?`,
      )
      .run(collection, id, name, version, expireAt, text, Date.now());
    if (changes === 0) throw new AlreadyExists(`there is a document ${path} already`);
    return version;
  }

  set({ collection, id, name }: DocumentPath, { text, expireAt }: Content): number {
    const version = this.database.uniqueNumber();
    this.database
      .prepare(
        `INSERT INTO documents (collection, id, name, version, expire_at, data) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (collection, id) DO UPDATE SET version = excluded.version, expire_at = excluded.expire_at, data = excluded.data`,
      )
      .run(collection, id, name, version, expireAt, text);
    return version;
  }

  /** Throws `conflict` unless the document has this version. */
  update(place: DocumentPath, { text, expireAt }: Content, ifVersion: string): number {
    this.#mustHaveVersion(place, ifVersion);
    const version = this.database.uniqueNumber();
    this.database
      .prepare('UPDATE documents SET version = ?, expire_at = ?, data = ? WHERE collection = ? AND id = ?')
      .run(version, expireAt, text, place.collection, place.id);
    return version;
  }

  /** Throws `conflict` when a version is asked for and the document does not have it. */
  delete(place: DocumentPath, ifVersion?: string): void {
    if (ifVersion !== undefined) this.#mustHaveVersion(place, ifVersion);
    this.database.prepare('DELETE FROM documents WHERE collection = ? AND id = ?').run(place.collection, place.id);
  }

  /** Deletes up to `limit` expired documents; returns the collections they were in, one entry each. */
  deleteExpired(limit: number): { collection: string; name: string }[] {
    const rows = this.database
      .prepare(
        `DELETE FROM documents WHERE rowid IN (
           SELECT rowid FROM documents INDEXED BY documents_by_expiry WHERE expire_at <= ? ORDER BY expire_at LIMIT ?
         ) RETURNING collection, name`,
      )
      .all(Date.now(), limit);
    return rows.map((row) => ({ collection: row['collection'] as string, name: row['name'] as string }));
  }

  /** Throws `invalid` or `undeclared_index`. May make an index, so not within a write. */
  plan(query: Query): QueryPlan {
    return planQuery(query, this.#indexes);
  }

  /** The page that the plan describes, as it is at this moment. */
  run(plan: QueryPlan): { rows: StoredDocument[]; nextCursor: string | undefined } {
    const now = Date.now();
    const rows: StoredDocument[] = [];
    const positions: Position[] = [];
    for (const stage of plan.stages) {
      const wanted = plan.limit + 1 - rows.length;
      if (wanted === 0) break;
      for (const row of this.database.prepare(stage.sql).all(...stage.values, now, wanted)) {
        const [collection, id] = [row['collection'] as string, row['id'] as string];
        rows.push({ path: `${collection}/${id}`, id, version: Number(row['version']), text: row['data'] as string });
        positions.push([row['sort'] as Position[0], collection, id]);
      }
    }
    if (rows.length <= plan.limit) return { rows, nextCursor: undefined };
    return { rows: rows.slice(0, plan.limit), nextCursor: cursorOf(positions[plan.limit - 1]!) };
  }

  #mustHaveVersion(place: DocumentPath, version: string): void {
    if (String(this.version(place)) !== version) throw new Conflict(`${place.path} has been changed or deleted meanwhile`);
  }
}

export function pageOf<Data>({ rows, nextCursor }: { rows: readonly StoredDocument[]; nextCursor: string | undefined }): Page<Data> {
  const items = rows.map((row) => documentOf<Data>(row));
  return nextCursor === undefined ? { items } : { items, nextCursor };
}

function isExpired(expireAt: unknown): boolean {
  return expireAt !== null && Number(expireAt) <= Date.now();
}
