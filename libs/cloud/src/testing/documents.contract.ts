import { afterEach, describe, expect, it } from '@jest/globals';
import { codeOf } from '@rockpool/contracts';
import type { Documents, IndexDeclaration } from '../documents.js';
import { documentsQueryContract } from './documents-query.contract.js';
import { documentsTransactionContract } from './documents-transaction.contract.js';
import { eventually } from './eventually.js';

/** Documents under test. `close` also frees what the test needed around them. */
export interface OpenedDocuments {
  readonly documents: Documents;
  /** Closes them and opens the same state again. Absent when the engine keeps its state elsewhere. */
  reopen?(): Promise<Documents>;
  close(): Promise<void>;
}

/** Opens an empty tree with these indexes. */
export type OpenDocuments = (indexes: readonly IndexDeclaration[]) => Promise<OpenedDocuments>;

/** The indexes that the contract declares; a driver whose indexes are made elsewhere needs them there. */
export const contractIndexes: readonly IndexDeclaration[] = [
  { collection: 'notes', scope: 'collection', fields: ['colour', 'size'] },
  { collection: 'notes', scope: 'collection', fields: ['flag', 'colour', 'size'] },
  { collection: 'notes', scope: 'collection', fields: ['colour', 'meta.rank'] },
  { collection: 'notes', scope: 'group', fields: ['colour', 'size'] },
  { collection: 'notes', scope: 'group', fields: ['colour'] },
  { collection: 'notes', scope: 'group', fields: [] },
];

/** Every sentence of `Documents`, tried on a driver. Runs inside a test file of that driver. */
export function documentsContract(name: string, open: OpenDocuments): void {
  describe(`${name} keeps the documents contract`, () => {
    let opened: OpenedDocuments | undefined;

    async function openDocuments(): Promise<Documents> {
      opened = await open(contractIndexes);
      return opened.documents;
    }

    afterEach(async () => {
      await opened?.close();
      opened = undefined;
    });

    describe('one document', () => {
      it('is read as it was written', async () => {
        const documents = await openDocuments();
        const data = {
          text: 'ü🦀\u0000"',
          number: -1.5e-7,
          large: 2 ** 53 - 1,
          yes: true,
          nothing: null,
          list: [1, [], {}],
          deep: { er: { '': 1 } },
        };
        const version = await documents.create('tenants/alice/notes/telegram:1:2', { ...data, gone: undefined });
        expect(await documents.get('tenants/alice/notes/telegram:1:2')).toEqual({
          path: 'tenants/alice/notes/telegram:1:2',
          id: 'telegram:1:2',
          data,
          version,
        });
      });

      it('is undefined when there is none', async () => {
        const documents = await openDocuments();
        expect(await documents.get('tenants/nobody')).toBeUndefined();
      });

      it('is created once', async () => {
        const documents = await openDocuments();
        await documents.create('tenants/alice', { first: true });
        await expect(documents.create('tenants/alice', { first: false }).catch(codeOf)).resolves.toBe('already_exists');
        expect((await documents.get('tenants/alice'))?.data).toEqual({ first: true });
      });

      it('is created by one of many who try at once', async () => {
        const documents = await openDocuments();
        const results = await Promise.all(
          Array.from({ length: 20 }, (_, who) => documents.create('tenants/alice', { who }).then(() => 'created', codeOf)),
        );
        expect(results.sort()).toEqual([...Array<string>(19).fill('already_exists'), 'created']);
      });

      it('is set whether it exists or not, as a whole, and gets another version each time', async () => {
        const documents = await openDocuments();
        const versions = [await documents.set('tenants/alice', { a: 1, b: 1 }), await documents.set('tenants/alice', { a: 2 })];
        versions.push(await documents.set('tenants/alice', { a: 2 }));
        expect(new Set(versions).size).toBe(3);
        expect(await documents.get('tenants/alice')).toMatchObject({ data: { a: 2 }, version: versions[2] });
        expect((await documents.get<{ b?: number }>('tenants/alice'))?.data.b).toBeUndefined();
      });

      it('is updated only by who knows its version', async () => {
        const documents = await openDocuments();
        const first = await documents.create('tenants/alice', { n: 1 });
        const second = await documents.update('tenants/alice', { n: 2 }, first);
        await expect(documents.update('tenants/alice', { n: 3 }, first).catch(codeOf)).resolves.toBe('conflict');
        await expect(documents.update('tenants/bob', { n: 1 }, second).catch(codeOf)).resolves.toBe('conflict');
        await expect(documents.update('tenants/alice', { n: 3 }, 'no version').catch(codeOf)).resolves.toBe('conflict');
        expect(await documents.get('tenants/alice')).toMatchObject({ data: { n: 2 }, version: second });
        expect(await documents.get('tenants/bob')).toBeUndefined();
      });

      it('is updated by one of many who know its version', async () => {
        const documents = await openDocuments();
        const version = await documents.create('tenants/alice', {});
        const results = await Promise.all(
          Array.from({ length: 10 }, (_, who) => documents.update('tenants/alice', { who }, version).then(() => 'updated', codeOf)),
        );
        expect(results.filter((result) => result === 'updated')).toHaveLength(1);
        expect(results.filter((result) => result === 'conflict')).toHaveLength(9);
      });

      it('is deleted, with or without its version, and what is below it stays', async () => {
        const documents = await openDocuments();
        const version = await documents.create('tenants/alice', {});
        await documents.create('tenants/alice/notes/1', {});
        await expect(documents.delete('tenants/alice', 'no version').catch(codeOf)).resolves.toBe('conflict');
        await documents.delete('tenants/alice', version);
        await expect(documents.delete('tenants/alice', version).catch(codeOf)).resolves.toBe('conflict');
        await documents.delete('tenants/alice');
        expect(await documents.get('tenants/alice')).toBeUndefined();
        expect(await documents.get('tenants/alice/notes/1')).toBeDefined();
      });

      it('does not have a version again that it had before it was deleted', async () => {
        const documents = await openDocuments();
        const version = await documents.create('tenants/alice', {});
        await documents.delete('tenants/alice');
        await documents.create('tenants/alice', {});
        await expect(documents.update('tenants/alice', { stale: true }, version).catch(codeOf)).resolves.toBe('conflict');
      });

      it.each([
        ['a collection', 'tenants'],
        ['nothing', ''],
        ['an empty part', 'tenants//notes/1'],
        ['a slash at the end', 'tenants/'],
        ['a dot', 'tenants/.'],
        ['two dots', 'tenants/..'],
        ['a reserved name', 'tenants/__id__'],
        ['an id of more than 1,500 bytes', `tenants/${'ü'.repeat(751)}`],
      ])('has no path that is %s', async (_, path) => {
        const documents = await openDocuments();
        await expect(documents.get(path).catch(codeOf)).resolves.toBe('invalid');
        await expect(documents.set(path, {}).catch(codeOf)).resolves.toBe('invalid');
        await expect(documents.delete(path).catch(codeOf)).resolves.toBe('invalid');
      });

      it('is an object of at most 1 MiB', async () => {
        const documents = await openDocuments();
        await expect(documents.set('tenants/alice', [1]).catch(codeOf)).resolves.toBe('invalid');
        await expect(documents.set('tenants/alice', { text: 'x'.repeat(2 ** 20) }).catch(codeOf)).resolves.toBe('too_large');
        expect(await documents.get('tenants/alice')).toBeUndefined();
      });

      it('is durable once the write resolved', async () => {
        const documents = await openDocuments();
        if (opened?.reopen === undefined) return;
        await documents.set('tenants/alice', { n: 1 });
        const version = await documents.set('tenants/alice', { n: 2 });
        const again = await opened.reopen();
        expect(await again.get('tenants/alice')).toMatchObject({ data: { n: 2 }, version });
        const newer = await again.update('tenants/alice', { n: 3 }, version);
        expect(newer).not.toBe(version);
      });
    });

    describe('expiry', () => {
      it('hides a document from everybody', async () => {
        const documents = await openDocuments();
        const version = await documents.create('tenants/alice/notes/1', { colour: 'red', size: 1 }, { expireAt: new Date(Date.now() - 1) });
        await documents.create('tenants/alice/notes/2', { colour: 'red', size: 2 }, { expireAt: new Date(Date.now() + 3_600_000) });
        expect(await documents.get('tenants/alice/notes/1')).toBeUndefined();
        expect(await documents.transaction((transaction) => transaction.get('tenants/alice/notes/1'))).toBeUndefined();
        const from = { collection: 'tenants/alice/notes' };
        for (const query of [{ from }, { from, where: { colour: 'red' } }, { from, where: { colour: 'red' }, orderBy: { field: 'size' } }])
          expect((await documents.query(query)).items.map(({ id }) => id)).toEqual(['2']);
        await expect(documents.update('tenants/alice/notes/1', {}, version).catch(codeOf)).resolves.toBe('conflict');
        await documents.create('tenants/alice/notes/1', { again: true });
        expect((await documents.get('tenants/alice/notes/1'))?.data).toEqual({ again: true });
      });

      it('comes at its time, and is taken back by a write without it', async () => {
        const documents = await openDocuments();
        await documents.set('tenants/alice', {}, { expireAt: new Date(Date.now() + 100) });
        await documents.set('tenants/bob', {}, { expireAt: new Date(Date.now() + 100) });
        await documents.set('tenants/bob', { kept: true });
        await eventually('the document is gone', async () => (await documents.get('tenants/alice')) === undefined);
        expect(await documents.get('tenants/bob')).toBeDefined();
      });
    });

    describe('watch', () => {
      it('tells the present page at once and every later one', async () => {
        const documents = await openDocuments();
        await documents.set('tenants/alice/notes/1', { colour: 'red' });
        const seen: string[][] = [];
        const from = { collection: 'tenants/alice/notes' };
        const stop = await documents.watch<{ n?: number }>({ from, where: { colour: 'red' } }, ({ items }) =>
          seen.push(items.map(({ id, data }) => `${id}${data.n ?? ''}`)),
        );
        expect(seen).toEqual([['1']]);
        const nowSees = (page: string[]) => eventually(`${String(page)} is told`, () => String(seen.at(-1)) === String(page));
        await documents.create('tenants/alice/notes/2', { colour: 'red' });
        await nowSees(['1', '2']);
        await documents.set('tenants/alice/notes/1', { colour: 'red', n: 5 });
        await nowSees(['15', '2']);
        await documents.transaction(async (transaction) => {
          transaction.set('tenants/alice/notes/2', { colour: 'blue' });
        });
        await nowSees(['15']);
        await documents.delete('tenants/alice/notes/1');
        await nowSees([]);
        stop();
      });

      it('does not repeat a page that is as before, and is silent once stopped', async () => {
        const documents = await openDocuments();
        const seen: number[] = [];
        const stop = await documents.watch({ from: { collection: 'tenants' }, limit: 2 }, ({ items }) => seen.push(items.length));
        await documents.set('tenants/alice/notes/1', {});
        await documents.set('elsewhere/1', {});
        await documents.set('tenants/1', {});
        await eventually('the change is told', () => seen.length === 2);
        stop();
        await documents.set('tenants/2', {});
        const others: number[] = [];
        const stopOther = await documents.watch({ from: { collection: 'tenants' } }, ({ items }) => others.push(items.length));
        await documents.set('tenants/3', {});
        await eventually('another watcher hears', () => others.length === 2);
        stopOther();
        expect(seen).toEqual([0, 1]);
      });

      it('sees all collections of a group', async () => {
        const documents = await openDocuments();
        const seen: string[][] = [];
        const stop = await documents.watch({ from: { group: 'notes' } }, ({ items }) => seen.push(items.map(({ path }) => path)));
        await Promise.all([documents.set('tenants/alice/notes/1', {}), documents.set('tenants/bob/notes/1', {})]);
        await eventually('both are told', () => seen.at(-1)?.length === 2);
        expect(seen.at(-1)).toEqual(['tenants/alice/notes/1', 'tenants/bob/notes/1']);
        stop();
      });
    });

    documentsQueryContract(openDocuments);
    documentsTransactionContract(openDocuments);
  });
}
