import type { Database } from '../database.js';
import { documentsSchema } from './document-store.js';

/** A page ends early once it has so much text, so that large documents do not add up in memory. */
const pageLimitBytes = 4 * 2 ** 20;

/** A document with everything that is stored of it. */
export interface ScannedDocument {
  readonly path: string;
  /** Path of its collection: `tenants/alice/turns`. */
  readonly collection: string;
  readonly id: string;
  readonly data: object;
  readonly expireAt?: Date;
}

export interface ScanOptions {
  /** Where the page before ended: the path of its last document. */
  readonly after?: string;
  /** Only those in collections with one of these names (`turns`); `not` turns it round. */
  readonly names?: readonly string[];
  readonly not?: boolean;
  /** Only those of this one collection. */
  readonly collection?: string;
  readonly limit: number;
}

/** Reads the table of documents from one end to the other: by the path of the collection and then by id, both in the order of their UTF-8 bytes. */
export class DocumentScan {
  constructor(private readonly database: Database) {
    database.define(documentsSchema);
  }

  /** The next page, without what is expired; empty after the last document. */
  page({ after, names, not = false, collection, limit }: ScanOptions): ScannedDocument[] {
    const [afterCollection, afterId] = placeOf(after);
    const conditions = [
      collection === undefined ? '(collection, id) > (?, ?)' : 'collection = ? AND id > ?',
      '(expire_at IS NULL OR expire_at > ?)',
      ...(names === undefined ? [] : [`name ${not ? 'NOT IN' : 'IN'} (SELECT value FROM json_each(?))`]),
    ];
    const sql = `SELECT collection, id, expire_at, data FROM documents WHERE ${conditions.join(' AND ')} ORDER BY collection, id LIMIT ?`;
    const values = [collection ?? afterCollection, afterId, Date.now(), ...(names === undefined ? [] : [JSON.stringify(names)]), limit];
    return this.database.read(() => {
      const page: ScannedDocument[] = [];
      let bytes = 0;
      for (const row of this.database.prepare(sql).iterate(...values)) {
        page.push(documentOf(row));
        bytes += (row['data'] as string).length;
        if (bytes >= pageLimitBytes) break;
      }
      return page;
    });
  }

  /** The next collections that have documents, in order, after this one; empty after the last. */
  collectionsAfter(after: string, limit: number): string[] {
    const next = this.database.read((db) => db.prepare('SELECT min(collection) AS collection FROM documents WHERE collection > ?'));
    const collections: string[] = [];
    for (let last = after; collections.length < limit;) {
      // One step into the index each, however many documents the collection has.
      const row = this.database.read(() => next.get(last));
      if (typeof row?.['collection'] !== 'string') break;
      collections.push((last = row['collection']));
    }
    return collections;
  }
}

function placeOf(path: string | undefined): [string, string] {
  if (path === undefined) return ['', ''];
  const end = path.lastIndexOf('/');
  return [path.slice(0, end), path.slice(end + 1)];
}

function documentOf(row: Record<string, unknown>): ScannedDocument {
  const { collection, id, data } = row as { collection: string; id: string; data: string };
  const expireAt = row['expire_at'] === null ? {} : { expireAt: new Date(Number(row['expire_at'])) };
  return { path: `${collection}/${id}`, collection, id, data: JSON.parse(data) as object, ...expireAt };
}
