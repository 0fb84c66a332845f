import { describe, expect, it } from '@jest/globals';
import { codeOf } from '@rockpool/contracts';
import fc from 'fast-check';
import type { Documents, Query } from '../documents.js';

interface Note {
  colour?: string | number | boolean | null;
  flag?: boolean;
  size?: number | null;
}

const note: fc.Arbitrary<Note> = fc.record(
  {
    colour: fc.constantFrom('red', 'red', 'red', '1', 1, true, null),
    flag: fc.boolean(),
    size: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.double({ min: -3, max: 3, noNaN: true }), fc.constantFrom(null, 1)),
  },
  { requiredKeys: [] },
);

const question = fc.record({
  colour: fc.constantFrom('red', 'red', 'red', '1', 1, true, null),
  flag: fc.option(fc.boolean(), { nil: undefined }),
  direction: fc.constantFrom('asc' as const, 'desc' as const),
  range: fc.option(fc.record({ gte: fc.integer({ min: -3, max: 1 }), lt: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }) }), {
    nil: undefined,
  }),
  limit: fc.integer({ min: 1, max: 7 }),
});

/** The part of the contract about queries. `open` gives an empty tree with the contract's indexes. */
export function documentsQueryContract(open: () => Promise<Documents>): void {
  describe('a query', () => {
    const from = { collection: 'tenants/alice/notes' };

    async function openWith(notes: Record<string, object>): Promise<Documents> {
      const documents = await open();
      await Promise.all(Object.entries(notes).map(([path, data]) => documents.set(path, data)));
      return documents;
    }

    async function idsOf(documents: Documents, query: Query): Promise<string[]> {
      return (await documents.query(query)).items.map(({ id }) => id);
    }

    it('gives one collection by id, page by page', async () => {
      const paths = ['b', 'a', 'c', 'A', 'ü', '10', '9'].map((id) => [`tenants/alice/notes/${id}`, {}] as const);
      const documents = await openWith({
        ...Object.fromEntries(paths),
        'tenants/bob/notes/x': {},
        'tenants/alice/notes/a/notes/y': {},
        'tenants/alice': {},
      });
      expect(await idsOf(documents, { from })).toEqual(['10', '9', 'A', 'a', 'b', 'c', 'ü']);
      const first = await documents.query({ from, limit: 5 });
      expect(first.items.map(({ id }) => id)).toEqual(['10', '9', 'A', 'a', 'b']);
      const second = await documents.query({ from, limit: 5, cursor: first.nextCursor! });
      expect(second.items.map(({ id }) => id)).toEqual(['c', 'ü']);
      expect(second.nextCursor).toBeUndefined();
      expect((await documents.query({ from, limit: 7 })).nextCursor).toBeUndefined();
      expect(await idsOf(documents, { from: { collection: 'tenants/nobody/notes' } })).toEqual([]);
    });

    it('tells values of different types apart', async () => {
      const values = { text: '1', number: 1, yes: true, no: false, zero: 0, nothing: null, list: [1], deep: { a: 1 } };
      const documents = await openWith({
        ...Object.fromEntries(Object.entries(values).map(([id, colour]) => [`tenants/alice/notes/${id}`, { colour }])),
        'tenants/alice/notes/absent': {},
      });
      for (const [id, colour] of Object.entries({ text: '1', number: 1, yes: true, no: false, zero: 0, nothing: null }))
        expect([colour, await idsOf(documents, { from, where: { colour } })]).toEqual([colour, [id]]);
      expect(await idsOf(documents, { from, where: { colour: '{"a":1}' } })).toEqual([]);
    });

    it('orders by a field that every result has, ties by path', async () => {
      const documents = await openWith({
        'tenants/alice/notes/a': { colour: 'red', size: 2 },
        'tenants/alice/notes/b': { colour: 'red', size: 1 },
        'tenants/alice/notes/c': { colour: 'red', size: 2 },
        'tenants/alice/notes/d': { colour: 'red', size: null },
        'tenants/alice/notes/e': { colour: 'red' },
        'tenants/alice/notes/f': { colour: 'blue', size: 1.5 },
      });
      const red = { from, where: { colour: 'red' } };
      expect(await idsOf(documents, { ...red, orderBy: { field: 'size' } })).toEqual(['d', 'b', 'a', 'c']);
      expect(await idsOf(documents, { ...red, orderBy: { field: 'size', direction: 'desc' } })).toEqual(['c', 'a', 'b', 'd']);
      expect(await idsOf(documents, { from, orderBy: { field: 'size' } })).toEqual(['d', 'b', 'f', 'a', 'c']);
      expect(await idsOf(documents, { ...red, orderBy: { field: 'meta.rank' } })).toEqual([]);
      for (const direction of ['asc', 'desc'] as const) {
        const whole = await documents.query({ from, orderBy: { field: 'size', direction } });
        const pages = await allPages(documents, { from, orderBy: { field: 'size', direction }, limit: 1 });
        expect(pages).toEqual(whole.items.map(({ path }) => path));
      }
    });

    it('takes a range of numbers or of strings, with either end open or closed', async () => {
      const sizes = Object.fromEntries([1, 2, 3, 4].map((size) => [`tenants/alice/notes/${size}`, { size, meta: { name: `n${size}` } }]));
      const documents = await openWith({ ...sizes, 'tenants/alice/notes/x': { size: '3' }, 'tenants/alice/notes/y': { size: true } });
      expect(await idsOf(documents, { from, range: { field: 'size', gte: 2, lt: 4 } })).toEqual(['2', '3']);
      expect(await idsOf(documents, { from, range: { field: 'size', gt: 2 } })).toEqual(['3', '4']);
      expect(await idsOf(documents, { from, range: { field: 'size', lte: 2 }, orderBy: { field: 'size', direction: 'desc' } })).toEqual([
        '2',
        '1',
      ]);
      expect(await idsOf(documents, { from, range: { field: 'size', gte: '0' } })).toEqual(['x']);
      expect(await idsOf(documents, { from, range: { field: 'meta.name', gt: 'n1', lte: 'n3' } })).toEqual(['2', '3']);
    });

    it('sees all collections of a group, and none of another name', async () => {
      const documents = await openWith({
        'tenants/alice/notes/1': { colour: 'red', size: 3 },
        'tenants/bob/notes/1': { colour: 'red', size: 1 },
        'tenants/bob/notes/2': { colour: 'blue', size: 2 },
        'notes/1': { colour: 'red', size: 2 },
        'tenants/alice/other/1': { colour: 'red', size: 0 },
      });
      const red = { from: { group: 'notes' }, where: { colour: 'red' }, orderBy: { field: 'size' } };
      const all = (await documents.query(red)).items.map(({ path }) => path);
      expect(all).toEqual(['tenants/bob/notes/1', 'notes/1', 'tenants/alice/notes/1']);
      const first = await documents.query({ ...red, limit: 2 });
      const second = await documents.query({ ...red, limit: 2, cursor: first.nextCursor! });
      expect([...first.items, ...second.items].map(({ path }) => path)).toEqual(all);
      expect((await documents.query({ from: { group: 'notes' } })).items).toHaveLength(4);
    });

    const refused: [string, Query][] = [
      ['two equalities', { from, where: { colour: 'red', flag: true } }],
      ['an equality and an order', { from, where: { flag: true }, orderBy: { field: 'size' } }],
      ['an equality and a range', { from, where: { flag: true }, range: { field: 'size', gt: 1 } }],
      ['an order of a group', { from: { group: 'notes' }, orderBy: { field: 'size' } }],
      ['an equality of a group', { from: { group: 'notes' }, where: { flag: true } }],
      ['any query of a group', { from: { group: 'undeclared' } }],
    ];
    it.each(refused)('with %s is refused unless its index is declared', async (_, query) => {
      const documents = await open();
      await expect(documents.query(query).catch(codeOf)).resolves.toBe('undeclared_index');
      await expect(documents.transaction((transaction) => transaction.query(query)).catch(codeOf)).resolves.toBe('undeclared_index');
      await expect(documents.watch(query, () => undefined).catch(codeOf)).resolves.toBe('undeclared_index');
    });

    const senseless: [string, Query][] = [
      ['the path of a document', { from: { collection: 'tenants/alice' } }],
      ['a limit of 0', { from, limit: 0 }],
      ['a limit above 1000', { from, limit: 1_001 }],
      ['a made-up cursor', { from, cursor: 'made up' }],
      ['a range of mixed types', { from, range: { field: 'size', gte: 1, lt: 'z' } }],
      ['a range without bounds', { from, range: { field: 'size' } }],
      ['an order by another field than its range', { from, range: { field: 'size', gte: 1 }, orderBy: { field: 'colour' } }],
      ['a field that is no name', { from, where: { "x') --": 1 } }],
    ];
    it.each(senseless)('with %s is invalid', async (_, query) => {
      const documents = await open();
      await expect(documents.query(query).catch(codeOf)).resolves.toBe('invalid');
    });

    it('gives, page by page, what a plain filter and sort give', async () => {
      const documents = await open();
      let runs = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(note, { maxLength: 25 }),
          fc.array(question, { minLength: 1, maxLength: 5 }),
          async (notes, questions) => {
            const collection = `tenants/run-${++runs}/notes`;
            const stored = notes.map((data, index) => ({ path: `${collection}/${String(index).padStart(3, '0')}`, data }));
            await Promise.all(stored.map(({ path, data }) => documents.set(path, data)));
            for (const { colour, flag, direction, range, limit } of questions) {
              const expected = stored
                .filter(({ data }) => data.colour === colour && (flag === undefined || data.flag === flag) && data.size !== undefined)
                .filter(({ data: { size } }) => range === undefined || isIn(range, size))
                .sort((one, other) => bySizeThenPath(one, other) * (direction === 'asc' ? 1 : -1));
              const query: Query = {
                from: { collection },
                where: { colour, ...(flag !== undefined && { flag }) },
                orderBy: { field: 'size', direction },
                limit,
                ...(range !== undefined && { range: { field: 'size', ...range } }),
              };
              expect(await allPages(documents, query)).toEqual(expected.map(({ path }) => path));
            }
          },
        ),
        { numRuns: 60 },
      );
    });
  });
}

async function allPages(documents: Documents, query: Query): Promise<string[]> {
  const paths: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await documents.query({ ...query, ...(cursor !== undefined && { cursor }) });
    paths.push(...page.items.map(({ path }) => path));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return paths;
}

function isIn(range: { gte: number; lt?: number | undefined }, size: number | null | undefined): boolean {
  return typeof size === 'number' && size >= range.gte && (range.lt === undefined || size < range.lt);
}

function bySizeThenPath(one: { path: string; data: Note }, other: { path: string; data: Note }): number {
  const [a, b] = [one.data.size ?? -Infinity, other.data.size ?? -Infinity];
  return a === b ? (one.path < other.path ? -1 : 1) : a < b ? -1 : 1;
}
