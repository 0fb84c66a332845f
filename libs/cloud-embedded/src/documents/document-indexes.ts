import type { IndexDeclaration } from '@rockpool/cloud';
import { InvalidInput, RockpoolError } from '@rockpool/contracts';
import { createHash } from 'node:crypto';
import type { Database } from '../database.js';

const ownPrefix = 'documents_index_';

/** What a query needs of an index: equality on some fields, then perhaps an order. */
export interface IndexNeed {
  /** The collection's own name. */
  readonly collection: string;
  readonly scope: IndexDeclaration['scope'];
  readonly equal: readonly string[];
  readonly ordered: string | undefined;
}

/**
 * The value of a field as SQLite sorts it. The text must be the same in index and query, or SQLite does not see that they belong together.
 */
export function fieldExpression(field: string): string {
  return `json_extract(data, '${jsonPath(field)}')`;
}

/** The JSON type of a field, NULL when the document has no such field. */
export function fieldType(field: string): string {
  return `json_type(data, '${jsonPath(field)}')`;
}

function jsonPath(field: string): string {
  if (!/^[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*$/.test(field))
    throw new InvalidInput(`${JSON.stringify(field)} is no name of a field to query by`);
  return `$.${field
    .split('.')
    .map((part) => `"${part}"`)
    .join('.')}`;
}

/** A text as an SQL literal: a partial index is used only when the query names its collection literally. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * The SQLite indexes behind queries. A declared index is a real one, over the documents of that collection name only, so that the others
 * pay nothing for it. The indexes of a single field, which need no declaration, are made when such a query is first asked.
 */
export class DocumentIndexes {
  readonly #declared: readonly IndexDeclaration[];
  readonly #made = new Set<string>();

  /** Makes what is declared and drops what no longer is. */
  constructor(
    private readonly database: Database,
    declarations: readonly IndexDeclaration[],
  ) {
    this.#declared = declarations.map((declaration) => {
      if (new Set(declaration.fields).size !== declaration.fields.length)
        throw new InvalidInput(`an index of ${declaration.collection} names a field twice`);
      return declaration;
    });
    const wanted = new Set(this.#declared.map(indexName));
    const existing = database
      .read((db) => db.prepare(`SELECT name FROM sqlite_schema WHERE type = 'index' AND name GLOB ?`).all(`${ownPrefix}*`))
      .map((row) => row['name'] as string);
    for (const name of existing) if (!wanted.has(name)) database.define(`DROP INDEX ${quoted(name)}`);
    for (const declaration of this.#declared) this.#make(declaration);
  }

  /** The index for this need, ready to be named in `INDEXED BY`. Rejects with `undeclared_index`. */
  nameFor(need: IndexNeed): string {
    const declared = this.#declared.find((declaration) => serves(declaration, need));
    if (declared !== undefined) return quoted(indexName(declared));
    const fields = need.ordered === undefined ? need.equal : [...need.equal, need.ordered];
    const wanted: IndexDeclaration = { collection: need.collection, scope: need.scope, fields };
    if (need.scope === 'collection' && fields.length === 1) {
      this.#make(wanted);
      return quoted(indexName(wanted));
    }
    throw new RockpoolError('undeclared_index', `the query needs an index that is not declared: ${JSON.stringify(wanted)}`);
  }

  #make(declaration: IndexDeclaration): void {
    const name = indexName(declaration);
    if (this.#made.has(name)) return;
    const place =
      declaration.scope === 'collection' ? ['collection', ...fieldsOf(declaration), 'id'] : [...fieldsOf(declaration), 'collection', 'id'];
    this.database.define(
      `CREATE INDEX IF NOT EXISTS ${quoted(name)} ON documents (${place.join(', ')}) WHERE name = ${literal(declaration.collection)}`,
    );
    this.#made.add(name);
  }
}

function fieldsOf(declaration: IndexDeclaration): string[] {
  return declaration.fields.map(fieldExpression);
}

function serves(declaration: IndexDeclaration, need: IndexNeed): boolean {
  if (declaration.collection !== need.collection || declaration.scope !== need.scope) return false;
  const { fields } = declaration;
  const equal = need.ordered === undefined ? fields : fields.slice(0, -1);
  if (need.ordered !== undefined && fields.at(-1) !== need.ordered) return false;
  return equal.length === need.equal.length && need.equal.every((field) => equal.includes(field));
}

/** Readable, and different for different declarations. */
function indexName({ collection, scope, fields }: IndexDeclaration): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([collection, scope, fields]))
    .digest('hex')
    .slice(0, 12);
  return `${ownPrefix}${scope}_${[collection, ...fields].join('_').replaceAll(/\W/g, '_')}_${digest}`;
}

function quoted(identifier: string): string {
  return `"${identifier}"`;
}
