import { steadyNow } from '@rockpool/contracts';

/** JSON as it is stored. `undefined` members are dropped. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined };

/**
 * A stored document: an object, at most 1 MiB as JSON. `path` alternates collection and id: `tenants/alice/turns/telegram:1:2`. No part of
 * it is empty, `.`, `..`, `__x__`, longer than 1,500 bytes, or has a control character; what breaks this is `invalid`. `version` is opaque,
 * changes with every write and never recurs.
 */
export interface Document<Data = unknown> {
  readonly path: string;
  readonly id: string;
  readonly data: Data;
  readonly version: string;
}

/** When a document may be deleted by the engine. Readers never see an expired one, even before it is deleted. */
export interface WriteOptions {
  expireAt?: Date;
}

/**
 * One page of one collection (`{ collection: 'tenants/alice/turns' }`) or of all collections with a name, below any parent (`{ group:
 * 'turns' }`). Equality on any number of fields, one range, one order. Field names are top-level or dotted. The ordered (and ranged) field
 * comes last in the index that must be declared; ties are broken by path, in the same direction. Only documents that have the ordered field
 * are found; null comes before numbers, numbers before strings. `1`, `'1'` and `true` are different values, and a range of numbers finds no
 * strings. A query that makes no sense is `invalid`.
 */
export interface Query {
  readonly from: { readonly collection: string } | { readonly group: string };
  readonly where?: Readonly<Record<string, string | number | boolean | null>>;
  readonly range?: {
    readonly field: string;
    readonly gt?: string | number;
    readonly gte?: string | number;
    readonly lt?: string | number;
    readonly lte?: string | number;
  };
  /** When there is a range, it must be the range's field. Default: by document id, ascending. */
  readonly orderBy?: { readonly field: string; readonly direction?: 'asc' | 'desc' };
  /** Default 100, at most 1000. */
  readonly limit?: number;
  readonly cursor?: string;
}

export interface Page<Data = unknown> {
  readonly items: Document<Data>[];
  readonly nextCursor?: string;
}

/**
 * An index that must exist for a query to be allowed. Queries of a collection by id order, by equality on one field, or by range and order
 * of one field need none, as in Firestore; equality on several fields, equality with an order or range on another field, and every
 * collection-group query need one that has exactly these fields.
 */
export interface IndexDeclaration {
  /** The collection's own name: `turns`. */
  readonly collection: string;
  readonly scope: 'collection' | 'group';
  /** Equality fields in any order, then the ordered field last. */
  readonly fields: readonly string[];
}

/** Reads and writes of one transaction. All reads come before the first write. A read pins the version: it is checked at commit. */
export interface Transaction {
  get<Data>(path: string): Promise<Document<Data> | undefined>;
  /**
   * `guard`: the path of a document that this transaction has read before, and that whoever adds to what the query finds changes too, such as the parent that counts
   * them. An engine may then take that document's version for "nothing was added", where looking again would be dear. Rejects with `invalid` when it was not read.
   */
  query<Data>(query: Query, options?: { guard?: string }): Promise<Page<Data>>;
  /** Fails the transaction with `already_exists` when there is one. */
  create(path: string, data: object, options?: WriteOptions): void;
  /** Creates or replaces. */
  set(path: string, data: object, options?: WriteOptions): void;
  delete(path: string): void;
}

/** What a watcher is told: the matching documents as they are now, first at once and then after every change. */
export type Snapshot<Data = unknown> = { readonly items: Document<Data>[] };

/**
 * Documents in a tree, with optimistic transactions.
 * - A write that resolved is durable.
 * - `transaction` runs its function again when what it read has changed (at most 10 times, then `conflict`), so the function has no other
 *   effects.
 * - Every query but the trivial ones needs a declared index, in every engine: one that is not declared is refused with `undeclared_index`.
 */
export abstract class Documents {
  abstract get<Data>(path: string): Promise<Document<Data> | undefined>;
  /** Rejects with `already_exists`. */
  abstract create(path: string, data: object, options?: WriteOptions): Promise<string>;
  /** Creates or replaces, unconditionally. Resolves with the new version. */
  abstract set(path: string, data: object, options?: WriteOptions): Promise<string>;
  /** Replaces if the version is still this one, else rejects with `conflict`. */
  abstract update(path: string, data: object, ifVersion: string, options?: WriteOptions): Promise<string>;
  /** Deleting what is absent is no error unless a version was asked for. Documents below it stay. */
  abstract delete(path: string, ifVersion?: string): Promise<void>;
  abstract query<Data>(query: Query): Promise<Page<Data>>;
  abstract transaction<Result>(run: (transaction: Transaction) => Promise<Result>): Promise<Result>;
  /**
   * Calls `listener` with the first page of the query now and after each change to it; changes in quick succession may come as one.
   * Resolves once the first call was made; the function stops it.
   */
  abstract watch<Data>(query: Query, listener: (snapshot: Snapshot<Data>) => void): Promise<() => void>;

  /**
   * Milliseconds since the epoch by the engine's clock, for what processes agree on by time, such as leases: it does not step with the clock of a machine, and two
   * processes on one engine differ by no more than a round trip. What is here is right for an engine that only one process can open.
   */
  now(): number {
    return steadyNow();
  }
}
