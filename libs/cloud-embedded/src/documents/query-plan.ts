import type { Query } from '@rockpool/cloud';
import { InvalidInput } from '@rockpool/contracts';
import { collectionName } from './document-path.js';
import { type DocumentIndexes, fieldExpression, fieldType, literal } from './document-indexes.js';

/** What can stand in a stage's place for a parameter. */
type Value = string | number | null;

/** One statement of a plan. It takes `values`, then the present time, then the number of rows that are still wanted. */
interface Stage {
  readonly sql: string;
  readonly values: readonly Value[];
}

/** A page of a query as statements to be run one after the other until the page is full. */
export interface QueryPlan {
  readonly limit: number;
  readonly stages: readonly Stage[];
}

/** The last row of a page: its sort value (null also when the order is by path), its collection, its id. */
export type Position = readonly [sort: Value, collection: string, id: string];

const defaultLimit = 100;
const maxLimit = 1_000;

/**
 * Translates a query to statements that walk one index, and nothing but the rows of the page. Each names its index, so SQLite cannot choose
 * worse as the table grows. After a cursor the walk has up to three stages: the rest of the rows that tie with the cursor, then those
 * beyond it, then (descending) those whose value is null. Written as one condition, SQLite would scan the ties from their beginning on
 * every page.
 */
export function planQuery(query: Query, indexes: DocumentIndexes): QueryPlan {
  const limit = query.limit ?? defaultLimit;
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit) throw new InvalidInput(`a query's limit is 1 to ${maxLimit}`);
  const ordered = query.orderBy?.field ?? query.range?.field;
  if (query.range !== undefined && ordered !== query.range.field) throw new InvalidInput('a query is ordered by the field of its range');
  const equal = Object.entries(query.where ?? {}).filter(([, value]) => value !== undefined);
  if (equal.some(([field]) => field === ordered)) throw new InvalidInput(`the query fixes ${ordered} and orders by it`);

  const isGroup = 'group' in query.from;
  const collection = 'group' in query.from ? query.from.group : collectionName(query.from.collection);
  const needsIndex = isGroup || equal.length > 0 || ordered !== undefined;
  const need = { collection, scope: isGroup ? 'group' : 'collection', equal: equal.map(([field]) => field), ordered } as const;
  const index = needsIndex ? indexes.nameFor(need) : 'documents_by_path';

  const conditions: string[] = [];
  const values: Value[] = [];
  if (needsIndex) conditions.push(`name = ${literal(collection)}`);
  if ('collection' in query.from) {
    conditions.push('collection = ?');
    values.push(query.from.collection);
  }
  for (const [field, value] of equal) {
    conditions.push(`${fieldExpression(field)} ${value === null ? 'IS NULL' : '= ?'}`, `${fieldType(field)} IN (${typesOf(value)})`);
    if (value !== null) values.push(typeof value === 'boolean' ? Number(value) : value);
  }
  if (query.range !== undefined) addRange(query.range, conditions, values);
  else if (ordered !== undefined) conditions.push(`${fieldType(ordered)} IS NOT NULL`);

  const direction = query.orderBy?.direction ?? 'asc';
  const sort = ordered === undefined ? undefined : fieldExpression(ordered);
  const path = isGroup ? ['collection', 'id'] : ['id'];
  const statement = ({ more, isTie }: Continuation) => {
    // SQLite does not see that an expression which is fixed needs no sorting, so within a tie only the path is named.
    const order = sort === undefined || isTie ? path : [sort, ...path];
    // A bare parameter behind LIMIT is looked at while SQLite plans, which it would then do anew at every execution.
    return `SELECT collection, id, version, data, ${sort ?? 'NULL'} AS sort FROM documents INDEXED BY ${index}
     WHERE ${[...conditions, ...more, '(expire_at IS NULL OR expire_at > ?)'].join(' AND ')}
     ORDER BY ${order.map((term) => `${term} ${direction}`).join(', ')} LIMIT ? + 0`;
  };
  const start: Continuation = { more: [], values: [] };
  const continuations = query.cursor === undefined ? [start] : continuationsAfter(positionOf(query.cursor), sort, isGroup, direction);
  return { limit, stages: continuations.map((one) => ({ sql: statement(one), values: [...values, ...one.values] })) };
}

/** What narrows a query to a part of what is behind a cursor. `isTie`: the sort value is the same in all of it. */
interface Continuation {
  readonly more: readonly string[];
  readonly values: readonly Value[];
  readonly isTie?: true;
}

/** The cursor that continues behind this row. */
export function cursorOf(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

function positionOf(cursor: string): Position {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch (cause) {
    throw new InvalidInput('that is no cursor of a query', { cause });
  }
  const isPosition =
    Array.isArray(value) &&
    value.length === 3 &&
    (value[0] === null || typeof value[0] === 'string' || typeof value[0] === 'number') &&
    typeof value[1] === 'string' &&
    typeof value[2] === 'string';
  if (!isPosition) throw new InvalidInput('that is no cursor of a query');
  return value as unknown as Position;
}

function continuationsAfter(
  [value, collection, id]: Position,
  sort: string | undefined,
  isGroup: boolean,
  direction: 'asc' | 'desc',
): Continuation[] {
  const beyond = direction === 'asc' ? '>' : '<';
  const laterPath = isGroup ? `(collection, id) ${beyond} (?, ?)` : `id ${beyond} ?`;
  const place = isGroup ? [collection, id] : [id];
  if (sort === undefined) return [{ more: [laterPath], values: place }];
  if (value === null) {
    const ties: Continuation = { more: [`${sort} IS NULL`, laterPath], values: place, isTie: true };
    // Every number and every text is above minus infinity, which lets SQLite seek past the nulls.
    return direction === 'asc' ? [ties, { more: [`${sort} >= -9e999`], values: [] }] : [ties];
  }
  const ties: Continuation = { more: [`${sort} = ?`, laterPath], values: [value, ...place], isTie: true };
  const rest: Continuation = { more: [`${sort} ${beyond} ?`], values: [value] };
  return direction === 'asc' ? [ties, rest] : [ties, rest, { more: [`${sort} IS NULL`], values: [], isTie: true }];
}

function addRange(range: NonNullable<Query['range']>, conditions: string[], values: Value[]): void {
  const bounds = (
    [
      ['>', range.gt],
      ['>=', range.gte],
      ['<', range.lt],
      ['<=', range.lte],
    ] as const
  ).filter(([, bound]) => bound !== undefined);
  const sort = fieldExpression(range.field);
  const types = new Set(bounds.map(([, bound]) => typesOf(bound)));
  if (types.size !== 1 || bounds.some(([, bound]) => typeof bound !== 'string' && typeof bound !== 'number'))
    throw new InvalidInput(`the range of ${range.field} needs bounds, all numbers or all strings`);
  for (const [operator, bound] of bounds) {
    conditions.push(`${sort} ${operator} ?`);
    values.push(bound!);
  }
  // SQLite sorts all numbers before all texts; a bound of one type must not let the other type in.
  if (typeof bounds[0]![1] === 'number') conditions.push(`${sort} < ''`);
  else conditions.push(`${sort} >= ''`);
  conditions.push(`${fieldType(range.field)} IN (${[...types][0]})`);
}

function typesOf(value: unknown): string {
  if (value === null) return `'null'`;
  if (typeof value === 'string') return `'text'`;
  if (typeof value === 'boolean') return `'${value}'`;
  if (typeof value === 'number' && Number.isFinite(value)) return `'integer', 'real'`;
  throw new InvalidInput(`a document cannot be found by the value ${String(value)}`);
}
