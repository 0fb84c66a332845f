import { describe, expect, it } from '@jest/globals';
import { codeOf } from '@rockpool/contracts';
import fc from 'fast-check';
import { setImmediate } from 'node:timers/promises';
import type { Documents } from '../documents.js';
import { gate } from './recorder.js';

interface Counter {
  n: number;
}

/** The part of the contract about transactions. `open` gives an empty tree with the contract's indexes. */
export function documentsTransactionContract(open: () => Promise<Documents>): void {
  describe('a transaction', () => {
    it('writes everything or nothing, and gives what its function gave', async () => {
      const documents = await open();
      await documents.set('tenants/gone', {});
      const result = await documents.transaction(async (transaction) => {
        transaction.create('tenants/alice', { n: 1 });
        transaction.set('tenants/bob', { n: 2 });
        transaction.delete('tenants/gone');
        return 'done';
      });
      expect(result).toBe('done');
      expect((await documents.query({ from: { collection: 'tenants' } })).items.map(({ id }) => id)).toEqual(['alice', 'bob']);

      const failing = documents.transaction(async (transaction) => {
        transaction.set('tenants/carol', {});
        transaction.create('tenants/alice', { n: 3 });
      });
      await expect(failing.catch(codeOf)).resolves.toBe('already_exists');
      const throwing = documents.transaction(async (transaction) => {
        transaction.set('tenants/carol', {});
        await setImmediate();
        throw new Error('changed my mind');
      });
      await expect(throwing).rejects.toThrow('changed my mind');
      expect(await documents.get('tenants/carol')).toBeUndefined();
      expect((await documents.get('tenants/alice'))?.data).toEqual({ n: 1 });
    });

    it('reads before it writes', async () => {
      const documents = await open();
      const backwards = documents.transaction(async (transaction) => {
        transaction.set('tenants/alice', {});
        return transaction.get('tenants/alice');
      });
      await expect(backwards.catch(codeOf)).resolves.toBe('invalid');
      expect(await documents.get('tenants/alice')).toBeUndefined();
    });

    it('makes twenty concurrent increments twenty', async () => {
      const documents = await open();
      await documents.set('counters/1', { n: 0 });
      await Promise.all(Array.from({ length: 20 }, () => increment(documents, 'counters/1')));
      expect((await documents.get<Counter>('counters/1'))?.data.n).toBe(20);
    });

    it('runs again when what it read has changed, or has come into being', async () => {
      const documents = await open();
      for (const path of ['counters/present', 'counters/absent']) {
        if (path === 'counters/present') await documents.set(path, { n: 0 });
        let runs = 0;
        const [read, changed] = [gate(), gate()];
        const counting = documents.transaction(async (transaction) => {
          const counter = await transaction.get<Counter>(path);
          runs++;
          read.open();
          await changed.opened;
          transaction.set(path, { n: (counter?.data.n ?? 0) + 1 });
        });
        await read.opened;
        await documents.set(path, { n: 10 });
        changed.open();
        await counting;
        expect([runs, (await documents.get<Counter>(path))?.data.n]).toEqual([2, 11]);
      }
    });

    it('lets nobody slip into what it has queried', async () => {
      const documents = await open();
      const collection = 'tenants/alice/notes';
      // The rule: at most one red note. Each of these would break it if it did not see the others.
      const addRed = (id: string) =>
        documents.transaction(async (transaction) => {
          const { items } = await transaction.query({ from: { collection }, where: { colour: 'red' } });
          await setImmediate();
          if (items.length === 0) transaction.create(`${collection}/${id}`, { colour: 'red' });
          return items.length === 0;
        });
      const added = await Promise.all(Array.from({ length: 8 }, (_, index) => addRed(`${index}`)));
      expect(added.filter(Boolean)).toHaveLength(1);
      expect((await documents.query({ from: { collection }, where: { colour: 'red' } })).items).toHaveLength(1);
    });

    it('takes a guard for what a query could find besides, and notices changes of what it found', async () => {
      const documents = await open();
      await documents.set('counters/1', { n: 1 });
      await documents.set('tenants/alice', { n: 1 });
      /** Somebody else adds a tenant and counts it, or changes one and does not. */
      const meanwhile = [
        () =>
          documents.transaction(async (other) => {
            other.create('tenants/bob', { n: 1 });
            other.set('counters/1', { n: 2 });
          }),
        () => documents.set('tenants/alice', { n: 2 }),
        () => Promise.resolve(),
      ];
      const seen: string[] = [];
      await documents.transaction(async (transaction) => {
        await transaction.get('counters/1');
        const { items } = await transaction.query<Counter>({ from: { collection: 'tenants' } }, { guard: 'counters/1' });
        seen.push(items.map(({ id, data }) => `${id} ${data.n}`).join(', '));
        await meanwhile[seen.length - 1]!();
        transaction.set('counters/2', { n: items.length });
      });
      expect(seen).toEqual(['alice 1', 'alice 1, bob 1', 'alice 2, bob 1']);
      expect((await documents.get<Counter>('counters/2'))?.data.n).toBe(2);

      const unread = documents.transaction((transaction) =>
        transaction.query({ from: { collection: 'tenants' } }, { guard: 'counters/1' }),
      );
      await expect(unread.catch(codeOf)).resolves.toBe('invalid');
    });

    it('does not let two of them each take what the other relies on', async () => {
      const documents = await open();
      await Promise.all([documents.set('duty/alice', { on: true }), documents.set('duty/bob', { on: true })]);
      const leave = (who: string) =>
        documents.transaction(async (transaction) => {
          const both = [await transaction.get<{ on: boolean }>('duty/alice'), await transaction.get<{ on: boolean }>('duty/bob')];
          await setImmediate();
          if (both.every((one) => one?.data.on)) transaction.set(`duty/${who}`, { on: false });
        });
      await Promise.all([leave('alice'), leave('bob')]);
      const { items } = await documents.query<{ on: boolean }>({ from: { collection: 'duty' } });
      expect(items.filter(({ data }) => data.on)).toHaveLength(1);
    });

    it('gives up with conflict when it is never left alone', async () => {
      const documents = await open();
      let runs = 0;
      const hopeless = documents.transaction(async (transaction) => {
        await transaction.get('counters/1');
        await documents.set('counters/1', { n: ++runs });
        transaction.set('counters/1', { n: -1 });
      });
      await expect(hopeless.catch(codeOf)).resolves.toBe('conflict');
      expect(runs).toBe(10);
      expect((await documents.get<Counter>('counters/1'))?.data.n).toBe(10);
    });

    it('conserves what is transferred to and fro, and shows the same total to every reader', async () => {
      const documents = await open();
      const accounts = ['0', '1', '2', '3'];
      const balance = async (read: (path: string) => Promise<{ data: Counter } | undefined>, run: number) => {
        let total = 0;
        for (const account of accounts) {
          total += (await read(`banks/${run}/accounts/${account}`))?.data.n ?? 0;
          await setImmediate();
        }
        return total;
      };
      let runs = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.record({
              from: fc.nat({ max: 3 }),
              to: fc.nat({ max: 3 }),
              amount: fc.integer({ min: 1, max: 60 }),
              turns: fc.nat({ max: 3 }),
            }),
            {
              minLength: 1,
              maxLength: 15,
            },
          ),
          async (transfers) => {
            const run = ++runs;
            await Promise.all(accounts.map((account) => documents.set(`banks/${run}/accounts/${account}`, { n: 100 })));
            const move = ({ from, to, amount, turns }: (typeof transfers)[number]) =>
              documents.transaction(async (transaction) => {
                const [source, target] = [`banks/${run}/accounts/${from}`, `banks/${run}/accounts/${to}`];
                const [has, gets] = [await transaction.get<Counter>(source), await transaction.get<Counter>(target)];
                for (let turn = 0; turn < turns; turn++) await setImmediate();
                if (source === target || has!.data.n < amount) return;
                transaction.set(source, { n: has!.data.n - amount });
                transaction.set(target, { n: gets!.data.n + amount });
              });
            const totals = transfers
              .slice(0, 3)
              .map(() => documents.transaction((transaction) => balance((path) => transaction.get(path), run)));
            await Promise.all(transfers.map(move));
            expect(new Set([...(await Promise.all(totals)), await balance((path) => documents.get(path), run)])).toEqual(new Set([400]));
            const { items } = await documents.query<Counter>({ from: { collection: `banks/${run}/accounts` } });
            expect(items.every(({ data }) => data.n >= 0)).toBe(true);
          },
        ),
        { numRuns: 20 },
      );
    });
  });
}

function increment(documents: Documents, path: string): Promise<void> {
  return documents.transaction(async (transaction) => {
    const counter = await transaction.get<Counter>(path);
    await setImmediate();
    transaction.set(path, { n: counter!.data.n + 1 });
  });
}
