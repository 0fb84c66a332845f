import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { IndexDeclaration, Query } from '@rockpool/cloud';
import { contractIndexes, documentsContract, eventually } from '@rockpool/cloud/testing';
import { codeOf } from '@rockpool/contracts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from './database.js';
import { DocumentIndexes } from './documents/document-indexes.js';
import { planQuery } from './documents/query-plan.js';
import { SqliteDocuments } from './sqlite-documents.js';

async function openDocuments(indexes: readonly IndexDeclaration[]) {
  const folder = await mkdtemp(join(tmpdir(), 'rockpool-documents-'));
  const file = join(folder, 'documents.sqlite');
  const opened = { database: Database.open(file), documents: undefined as unknown as SqliteDocuments, reopen, close };
  opened.documents = new SqliteDocuments(opened.database, indexes);
  return opened;

  async function reopen(other: readonly IndexDeclaration[] = indexes) {
    opened.documents.close();
    await opened.database.close();
    opened.database = Database.open(file);
    opened.documents = new SqliteDocuments(opened.database, other);
    return opened.documents;
  }

  async function close() {
    opened.documents.close();
    await opened.database.close();
    await rm(folder, { recursive: true });
  }
}

documentsContract('SqliteDocuments', openDocuments);

describe('SqliteDocuments', () => {
  let opened: Awaited<ReturnType<typeof openDocuments>>;

  beforeEach(async () => {
    opened = await openDocuments(contractIndexes);
  });

  afterEach(() => opened.close());

  describe('walks an index, and only the rows of the page', () => {
    const from = { collection: 'tenants/alice/notes' };
    const group = { group: 'notes' };
    const red = { colour: 'red' };
    const bySize = { field: 'size' } as const;
    const bySizeDown = { field: 'size', direction: 'desc' } as const;
    const queries: [string, Query][] = [
      ['by id', { from }],
      ['by equality', { from, where: red }],
      ['by null', { from, where: { colour: null }, orderBy: bySize }],
      ['by equality and order', { from, where: red, orderBy: bySize }],
      ['by equality and descending order', { from, where: red, orderBy: bySizeDown }],
      ['by equalities and range', { from, where: { ...red, flag: true }, range: { field: 'size', gt: 1 }, orderBy: bySizeDown }],
      ['by range', { from, range: { field: 'meta.rank', gte: 'a', lt: 'b' } }],
      ['by order', { from, orderBy: bySize }],
      ['a group by path', { from: group }],
      ['a group by equality', { from: group, where: red }],
      ['a group by equality and order', { from: group, where: red, orderBy: bySizeDown }],
    ];

    it.each(queries)('%s', async (_, query) => {
      for (const number of Array(3).keys()) {
        const data = { colour: number === 0 ? null : 'red', flag: true, size: number + 2, meta: { rank: `a${number}` } };
        await Promise.all([1, 2, 3].map((id) => opened.documents.set(`tenants/alice/notes/${number}${id}`, data)));
      }
      const { nextCursor } = await opened.documents.query({ ...query, limit: 1 });
      const indexes = new DocumentIndexes(opened.database, contractIndexes);
      for (const page of [query, { ...query, cursor: nextCursor! }]) {
        for (const { sql } of planQuery(page, indexes).stages) {
          const plan = opened.database.read((db) => db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all()).map((row) => String(row['detail']));
          expect(plan).toEqual([expect.stringMatching(/^(SEARCH|SCAN) documents USING INDEX documents_/)]);
          // The only walk without a search is the whole of a small index: that of a group in path order, which it is the page of.
          if ('collection' in query.from || query.where !== undefined) expect(plan[0]).toMatch(/^SEARCH/);
        }
      }
    });
  });

  it('drops the indexes that are no longer declared, and refuses what they allowed', async () => {
    const query: Query = { from: { collection: 'tenants/alice/notes' }, where: { colour: 'red' }, orderBy: { field: 'size' } };
    await opened.documents.set('tenants/alice/notes/1', { colour: 'red', size: 1 });
    expect((await opened.documents.query(query)).items).toHaveLength(1);
    const without = await opened.reopen([]);
    await expect(without.query(query).catch(codeOf)).resolves.toBe('undeclared_index');
    const again = await opened.reopen(contractIndexes);
    expect((await again.query(query)).items).toHaveLength(1);
  });

  it('lets two hundred transactions through one document', async () => {
    const { documents } = opened;
    await documents.set('counters/1', { n: 0 });
    await Promise.all(
      Array.from({ length: 200 }, () =>
        documents.transaction(async (transaction) => {
          const counter = await transaction.get<{ n: number }>('counters/1');
          transaction.set('counters/1', { n: counter!.data.n + 1 });
        }),
      ),
    );
    expect((await documents.get<{ n: number }>('counters/1'))?.data.n).toBe(200);
  });

  it('repeats a transaction that failed because what it saw did not fit together', async () => {
    const { documents } = opened;
    await Promise.all([documents.set('pairs/1', { n: 0 }), documents.set('pairs/2', { n: 0 })]);
    let runs = 0;
    await documents.transaction(async (transaction) => {
      const one = await transaction.get<{ n: number }>('pairs/1');
      if (++runs === 1) {
        await documents.transaction(async (other) => {
          other.set('pairs/1', { n: 1 });
          other.set('pairs/2', { n: 1 });
        });
      }
      const two = await transaction.get<{ n: number }>('pairs/2');
      if (one!.data.n !== two!.data.n) throw new Error('torn');
    });
    expect(runs).toBe(2);
  });

  it('lets a transaction within a transaction go on, although both want the same document', async () => {
    const { documents } = opened;
    await documents.set('counters/1', { n: 0 });
    let runs = 0;
    await documents.transaction(async (outer) => {
      await outer.get('counters/1');
      if (++runs < 3)
        await documents.transaction(async (inner) => {
          const counter = await inner.get<{ n: number }>('counters/1');
          inner.set('counters/1', { n: counter!.data.n + 1 });
        });
      outer.set('counters/2', {});
    });
    expect((await documents.get<{ n: number }>('counters/1'))?.data.n).toBe(2);
  });

  it('sweeps what is expired, and only that', async () => {
    const { documents, database } = opened;
    const past = new Date(Date.now() - 1_000);
    await Promise.all(Array.from({ length: 1_100 }, (_, index) => documents.set(`old/${index}`, {}, { expireAt: past })));
    await documents.set('old/kept', {}, { expireAt: new Date(Date.now() + 60_000) });
    await documents.set('old/forever', {});
    expect(await documents.sweepExpired()).toBe(1_100);
    expect(database.read((db) => db.prepare('SELECT id FROM documents ORDER BY id').all()).map((row) => row['id'])).toEqual([
      'forever',
      'kept',
    ]);
    expect(await documents.sweepExpired()).toBe(0);
  });

  it('tells the other watchers when one listener fails, and warns', async () => {
    const { documents } = opened;
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue(undefined);
    let calls = 0;
    await documents.watch({ from: { collection: 'tenants' } }, () => {
      if (++calls > 1) throw new Error('deaf');
    });
    const seen: number[] = [];
    await documents.watch({ from: { collection: 'tenants' } }, ({ items }) => seen.push(items.length));
    await documents.set('tenants/alice', {});
    await eventually('the other one hears', () => seen.at(-1) === 1);
    expect(warn).toHaveBeenCalledWith(expect.objectContaining({ message: 'deaf' }));
    warn.mockRestore();
  });

  it('is not disturbed by quotes in names', async () => {
    const { documents } = opened;
    await documents.set(`it's/"1"`, { colour: 'red' });
    expect((await documents.query({ from: { collection: `it's` }, where: { colour: 'red' } })).items[0]?.id).toBe('"1"');
  });
});
