import type { IndexDeclaration } from '@rockpool/cloud';
import { InvalidInput, RockpoolError } from '@rockpool/contracts';

/** What a query asks of an index: equality on some fields, then perhaps an order. */
interface IndexNeed {
  /** The collection's own name. */
  readonly collection: string;
  readonly scope: IndexDeclaration['scope'];
  readonly equal: readonly string[];
  readonly ordered: string | undefined;
}

interface IndexField {
  readonly fieldPath: string;
  readonly order: 'ASCENDING' | 'DESCENDING';
}

interface FieldIndex {
  readonly order?: 'ASCENDING' | 'DESCENDING';
  readonly arrayConfig?: 'CONTAINS';
  readonly queryScope: 'COLLECTION' | 'COLLECTION_GROUP';
}

/** The content of a `firestore.indexes.json`, as Google's tools read it. */
export interface FirestoreIndexes {
  readonly indexes: { collectionGroup: string; queryScope: 'COLLECTION' | 'COLLECTION_GROUP'; fields: IndexField[] }[];
  readonly fieldOverrides: { collectionGroup: string; fieldPath: string; ttl?: true; indexes: FieldIndex[] }[];
}

/** A field that a query may name: `seq`, `meta.rank`. Names of this form mean the same in every engine. Throws `invalid`. */
export function fieldName(name: string): string {
  if (!/^[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*$/.test(name) || name.split('.').some((part) => /^__.*__$/.test(part)))
    throw new InvalidInput(`${JSON.stringify(name)} is no name of a field to query by`);
  return name;
}

/**
 * Throws `undeclared_index` unless a declaration, or an index that Firestore makes by itself, serves the need. The emulator would answer
 * without, and only production would notice that an index is missing.
 */
export function requireIndex(declarations: readonly IndexDeclaration[], need: IndexNeed): void {
  const fields = need.ordered === undefined ? need.equal : [...need.equal, need.ordered];
  if (need.scope === 'collection' && fields.length <= 1) return;
  if (declarations.some((declaration) => serves(declaration, need))) return;
  const wanted: IndexDeclaration = { collection: need.collection, scope: need.scope, fields };
  throw new RockpoolError('undeclared_index', `no index is declared that the query could use: ${JSON.stringify(wanted)}`);
}

function serves({ collection, scope, fields }: IndexDeclaration, { equal, ordered, ...need }: IndexNeed): boolean {
  if (collection !== need.collection || scope !== need.scope) return false;
  const free = ordered === undefined ? fields : fields.slice(0, -1);
  return (
    (ordered === undefined || fields.at(-1) === ordered) && free.length === equal.length && equal.every((field) => free.includes(field))
  );
}

/**
 * What Firestore must be told for these declarations, always in the same order. An index goes one way only, so each is made both ways. What
 * is stored for the driver itself is kept out of all indexes. `expiring` are the names of the collections whose documents are written with
 * `expireAt`: expired ones are hidden in any collection, but deleted only in these.
 */
export function firestoreIndexes(declarations: readonly IndexDeclaration[], expiring: readonly string[] = []): FirestoreIndexes {
  const indexes = declarations
    .filter(({ fields }) => fields.length > 1)
    .flatMap(({ collection, scope, fields }) =>
      (['ASCENDING', 'DESCENDING'] as const).map((order) => ({
        collectionGroup: collection,
        queryScope: queryScopeOf(scope),
        fields: fields.map((field, index) => ({
          fieldPath: storedPath(field),
          order: index === fields.length - 1 ? order : ('ASCENDING' as const),
        })),
      })),
    );
  // Within one collection Firestore indexes every single field by itself, and over all collections of a name none.
  const ofGroups = declarations
    .filter(({ scope, fields }) => scope === 'group' && fields.length === 1)
    .map(({ collection, fields }) => ({
      collectionGroup: collection,
      fieldPath: storedPath(fields[0]!),
      indexes: (['COLLECTION', 'COLLECTION_GROUP'] as const).flatMap((queryScope) =>
        (['ASCENDING', 'DESCENDING'] as const).map((order) => ({ order, queryScope })),
      ),
    }));
  const collections = [...declarations.map(({ collection }) => collection), ...expiring];
  const exempt = collections.map((collectionGroup) => ({ collectionGroup, fieldPath: 'meta', indexes: [] }));
  // An index of times that only grow would put every write at its end.
  const timeToLive = expiring.map((collectionGroup) => ({ collectionGroup, fieldPath: 'expireAt', ttl: true as const, indexes: [] }));
  return { indexes: inOrder(indexes), fieldOverrides: inOrder([...ofGroups, ...exempt, ...timeToLive]) };
}

/** Where a field of the data is stored. Part names with a hyphen are quoted in Firestore's field paths. */
function storedPath(field: string): string {
  const parts = fieldName(field).split('.');
  return ['data', ...parts].map((part) => (/^\w+$/.test(part) ? part : `\`${part}\``)).join('.');
}

function queryScopeOf(scope: IndexDeclaration['scope']): 'COLLECTION' | 'COLLECTION_GROUP' {
  return scope === 'group' ? 'COLLECTION_GROUP' : 'COLLECTION';
}

/** Without repetitions, by collection, then by content. */
function inOrder<T extends { collectionGroup: string }>(entries: readonly T[]): T[] {
  const byText = new Map(entries.map((entry) => [JSON.stringify(entry), entry]));
  return [...byText].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, entry]) => entry);
}
