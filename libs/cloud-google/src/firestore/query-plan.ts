import { FieldPath, type Firestore, type Query as FirestoreQuery, type QueryDocumentSnapshot } from '@google-cloud/firestore';
import type { IndexDeclaration, Query } from '@rockpool/cloud';
import { InvalidInput } from '@rockpool/contracts';
import { collectionName, documentPath, groupName } from './document-path.js';
import { isIndexedText } from './indexed-part.js';
import { fieldName, requireIndex } from './indexes.js';

const defaultLimit = 100;
const maxLimit = 1_000;

/** A page of a query, ready to be asked for. */
export interface QueryPlan {
  readonly limit: number;
  /** Starts where the page starts; has no limit. */
  readonly query: FirestoreQuery;
  /** What comes right after this document, in the same order. */
  after(document: QueryDocumentSnapshot): FirestoreQuery;
  /** The cursor of the page that begins after this document. */
  cursorAfter(document: QueryDocumentSnapshot): string;
}

/** Translates a query. Throws `invalid`, or `undeclared_index` when production would need an index that nobody declared. */
export function planQuery(firestore: Firestore, declarations: readonly IndexDeclaration[], query: Query): QueryPlan {
  const { from, where = {}, range, orderBy, limit = defaultLimit, cursor } = query;
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit) throw new InvalidInput(`a query's limit is 1 to ${maxLimit}`);
  const ordered = orderBy?.field ?? range?.field;
  if (range !== undefined && ordered !== range.field) throw new InvalidInput('a query is ordered by the field of its range');
  const equal = Object.entries(where).filter(([, value]) => value !== undefined);
  if (equal.some(([field]) => field === ordered)) throw new InvalidInput(`the query fixes ${ordered} and orders by it`);
  const isGroup = 'group' in from;
  requireIndex(declarations, {
    collection: isGroup ? groupName(from.group) : collectionName(from.collection),
    scope: isGroup ? 'group' : 'collection',
    equal: equal.map(([field]) => fieldName(field)),
    ordered: ordered === undefined ? undefined : fieldName(ordered),
  });

  let planned: FirestoreQuery = isGroup ? firestore.collectionGroup(from.group) : firestore.collection(from.collection);
  for (const [field, value] of equal) planned = planned.where(placeOf(field), '==', searchable(value));
  for (const [operator, bound] of boundsOf(range)) planned = planned.where(placeOf(range!.field), operator, bound);
  const direction = orderBy?.direction ?? 'asc';
  if (ordered !== undefined) planned = planned.orderBy(placeOf(ordered), direction);
  planned = planned.orderBy(FieldPath.documentId(), direction);

  const sortOf = (document: QueryDocumentSnapshot): unknown[] => (ordered === undefined ? [] : [document.get(placeOf(ordered))]);
  return {
    limit,
    query: cursor === undefined ? planned : planned.startAfter(...positionOf(cursor)),
    after: (document) => planned.startAfter(...sortOf(document), document.ref),
    cursorAfter: (document) => Buffer.from(JSON.stringify([...sortOf(document), document.ref.path])).toString('base64url'),
  };

  function positionOf(text: string): unknown[] {
    const invalid = (cause?: unknown) => new InvalidInput('that is no cursor of this query', { cause });
    let values: unknown;
    try {
      values = JSON.parse(Buffer.from(text, 'base64url').toString());
    } catch (cause) {
      throw invalid(cause);
    }
    const [path, sort, ...others] = Array.isArray(values) ? (values.toReversed() as unknown[]) : [];
    if (typeof path !== 'string' || others.length > 0 || Array.isArray(sort) || (sort === undefined) !== (ordered === undefined))
      throw invalid();
    const place = firestore.doc(documentPath(path));
    if (isGroup ? place.parent.id !== from.group : place.parent.path !== from.collection) throw invalid();
    return sort === undefined ? [place] : [sort, place];
  }
}

function placeOf(field: string): FieldPath {
  return new FieldPath('data', ...field.split('.'));
}

function searchable(value: unknown): unknown {
  if (typeof value === 'string' && !isIndexedText(value)) throw new InvalidInput('a text to find documents by has at most 1,500 bytes');
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return value;
  throw new InvalidInput(`a document cannot be found by the value ${String(value)}`);
}

function boundsOf(range: Query['range']): ['>' | '>=' | '<' | '<=', unknown][] {
  if (range === undefined) return [];
  const bounds = ([['>', range.gt], ['>=', range.gte], ['<', range.lt], ['<=', range.lte]] as const) // prettier-ignore
    .filter(([, bound]) => bound !== undefined);
  const types = new Set(bounds.map(([, bound]) => typeof bound));
  if (types.size !== 1 || !(types.has('number') || types.has('string')))
    throw new InvalidInput(`the range of ${range.field} needs bounds, all numbers or all strings`);
  return bounds.map(([operator, bound]) => [operator, searchable(bound)]);
}
