import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Documents } from '@rockpool/cloud';
import { contractIndexes, documentsContract, eventually } from '@rockpool/cloud/testing';
import { codeOf } from '@rockpool/contracts';
import { BreakableWire } from './testing/breakable-wire.fixture.js';
import { describeOnFirestore } from './testing/firestore-emulator.fixture.js';

interface Counter {
  n: number;
}

describeOnFirestore('on the Firestore emulator', (open) => {
  documentsContract('FirestoreDocuments', async (indexes) => {
    const { documents: first, ...place } = open(indexes);
    let documents = first;
    return {
      documents,
      async reopen() {
        await documents.close();
        return (documents = open(indexes, place).documents);
      },
      close: () => documents.close(),
    };
  });

  describe('FirestoreDocuments', () => {
    let opened: ReturnType<typeof open>;
    let documents: Documents;
    const closing: (() => Promise<void>)[] = [];

    const another = (endpoint = opened.endpoint) => {
      const other = open(contractIndexes, { ...opened, endpoint }).documents;
      closing.push(() => other.close());
      return other;
    };

    beforeEach(() => {
      opened = open(contractIndexes);
      documents = opened.documents;
      closing.push(() => opened.documents.close());
    });

    afterEach(async () => {
      for (const close of closing.splice(0).reverse()) await close();
    });

    describe('holds', () => {
      it.each([
        ['lists of lists', { list: [[1, [2]], [], [{}]] }],
        ['names that are reserved, empty, or have dots', { '': 1, __name__: 2, 'a.b': { '`c`': 3 }, deep: { __x__: { '': [] } } }],
        ['what has the prototype for its name', JSON.parse('{"__proto__":{"polluted":true},"constructor":1}') as object],
        ['half a surrogate pair', { text: '\ud800', '\udc00': 1 }],
        ['a text that is too long for an index', { text: 'ü'.repeat(100_000), deep: { text: 'x'.repeat(1_501) } }],
        ['more levels than Firestore has', JSON.parse('{"a":'.repeat(100) + '1' + '}'.repeat(100)) as object],
        ['more fields than Firestore indexes', Object.fromEntries(Array.from({ length: 30_000 }, (_, n) => [`field-${n}`, n]))],
        ['numbers at the edge', { n: [1.7976931348623157e308, 5e-324], large: 1e21, precise: 2 ** 53 - 1, tenth: 0.1 }],
        ['fields named like its own', { data: 1, meta: { write: 2, rest: 3 }, expireAt: 'tomorrow' }],
        ['nothing', {}],
      ])('%s', async (_, data) => {
        await documents.create('tenants/alice', data);
        const read = await documents.get('tenants/alice');
        expect(read?.data).toEqual(data);
        expect(Object.getPrototypeOf(read?.data)).toBe(Object.prototype);
        await documents.update('tenants/alice', { n: 1 }, read!.version);
        expect((await documents.get('tenants/alice'))?.data).toEqual({ n: 1 });
      });

      it('documents of almost 1 MiB, and says of one that is over Firestore’s own limit that it is too large', async () => {
        const text = (bytes: number) => ({ text: 'x'.repeat(bytes - JSON.stringify({ text: '' }).length) });
        await documents.set('tenants/alice', text(2 ** 20 - 2_048));
        await expect(documents.set('tenants/alice', text(2 ** 20)).catch(codeOf)).resolves.toBe('too_large');
        expect(JSON.stringify((await documents.get('tenants/alice'))?.data)).toHaveLength(2 ** 20 - 2_048);
      });

      it('ids of any characters', async () => {
        for (const id of ['a:b|c%2F', 'with space', '`quoted`', 'ü🦀', '.hidden', '_', '1', '{}', 'a\\b', 'x'.repeat(1_500)]) {
          await documents.set(`tenants/${id}`, { id });
          expect(await documents.get(`tenants/${id}`)).toMatchObject({ id, data: { id } });
        }
      });
    });

    describe('a transaction', () => {
      it('leaves what it only read as it was', async () => {
        const before = await documents.set('tenants/alice', { n: 1 });
        await documents.transaction(async (transaction) => {
          await Promise.all(['alice', 'nobody'].map((id) => transaction.get(`tenants/${id}`)));
          transaction.set('tenants/bob', {});
        });
        expect(await documents.get('tenants/alice')).toMatchObject({ version: before, data: { n: 1 } });
        expect(await documents.get('tenants/nobody')).toBeUndefined();
        expect(await documents.get('tenants/bob')).toBeDefined();
      });

      it('notices what came into being where it had found nothing', async () => {
        let runs = 0;
        await documents.transaction(async (transaction) => {
          const found = await transaction.get('tenants/alice');
          if (++runs === 1) await documents.create('tenants/alice', {});
          transaction.set('tenants/bob', { found: found !== undefined });
        });
        expect([runs, (await documents.get('tenants/bob'))?.data]).toEqual([2, { found: true }]);
      });

      it('sees one moment, whatever is written meanwhile', async () => {
        await documents.set('pairs/1', { n: 0 });
        await documents.set('pairs/2', { n: 0 });
        const seen = await documents.transaction(async (transaction) => {
          const one = await transaction.get<Counter>('pairs/1');
          await documents.transaction(async (other) => ['pairs/1', 'pairs/2'].forEach((path) => other.set(path, { n: 1 })));
          const two = await transaction.get<Counter>('pairs/2');
          const { items } = await transaction.query<Counter>({ from: { collection: 'pairs' } });
          return [one, two, ...items].map((document) => document?.data.n);
        });
        expect(seen).toEqual([0, 0, 0, 0]);
      });

      it('does the last of several writes of a document', async () => {
        await documents.set('tenants/old', { n: 0 });
        await documents.transaction(async (transaction) => {
          transaction.create('tenants/created', { n: 1 });
          transaction.set('tenants/created', { n: 2 });
          transaction.create('tenants/brief', {});
          transaction.delete('tenants/brief');
          transaction.delete('tenants/old');
          transaction.create('tenants/old', { n: 3 });
        });
        const { items } = await documents.query<Counter>({ from: { collection: 'tenants' } });
        expect(items.map(({ id, data }) => [id, data.n])).toEqual([
          ['created', 2],
          ['old', 3],
        ]);
        const twice = documents.transaction(async (transaction) => {
          transaction.create('tenants/new', {});
          transaction.create('tenants/new', {});
        });
        await expect(twice.catch(codeOf)).resolves.toBe('already_exists');
        expect(await documents.get('tenants/new')).toBeUndefined();
      });

      it.each(['unread', 'read'])('creates a document in the place of an expired one that it has %s', async (how) => {
        await documents.set('tenants/alice', { old: true }, { expireAt: new Date(Date.now() - 1) });
        await documents.transaction(async (transaction) => {
          if (how === 'read') expect(await transaction.get('tenants/alice')).toBeUndefined();
          transaction.create('tenants/alice', { old: false });
        });
        expect((await documents.get('tenants/alice'))?.data).toEqual({ old: false });
      });

      it('gets through when two processes count in one document', async () => {
        await documents.set('counters/1', { n: 0 });
        const processes = [documents, another()];
        const increment = (process: Documents) =>
          process.transaction(async (transaction) => {
            const counter = await transaction.get<Counter>('counters/1');
            transaction.set('counters/1', { n: counter!.data.n + 1 });
          });
        await Promise.all(processes.flatMap((process) => Array.from({ length: 5 }, () => increment(process))));
        expect((await documents.get<Counter>('counters/1'))?.data.n).toBe(10);
      });
    });

    it('fills a page from behind what is expired', async () => {
      const expireAt = new Date(Date.now() - 1);
      await Promise.all(
        Array.from({ length: 40 }, (_, n) =>
          documents.set(`tenants/alice/notes/${n + 10}`, { size: n }, n % 10 === 9 || n === 0 ? {} : { expireAt }),
        ),
      );
      const from = { collection: 'tenants/alice/notes' };
      const ids: string[] = [];
      for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
        const page = await documents.query({ from, orderBy: { field: 'size' }, limit: 2, ...(cursor !== undefined && { cursor }) });
        ids.push(...page.items.map(({ id }) => id));
        cursor = page.nextCursor;
      }
      expect(ids).toEqual(['10', '19', '29', '39', '49']);
    });

    it('are unavailable once they are closed, whatever is asked for while they close', async () => {
      await documents.set('tenants/alice', {});
      const own = another(opened.endpoint);
      await own.get('tenants/alice');
      const reads = () =>
        [
          own.get('tenants/alice'),
          own.query({ from: { collection: 'tenants' } }),
          own.transaction((transaction) => transaction.get('tenants/alice')),
          own.watch({ from: { collection: 'tenants' } }, () => undefined),
        ].map((promise) => promise.then(() => 'done', codeOf));
      const closed = own.close();
      const during = reads();
      await closed;
      expect(await Promise.all([...during, ...reads()])).toEqual(Array(8).fill('unavailable'));
    });

    describe('when the connection breaks', () => {
      let wire: BreakableWire;
      let remote: Documents;

      beforeEach(async () => {
        wire = await BreakableWire.to(opened.endpoint);
        closing.push(() => wire.close());
        remote = another(wire.endpoint);
        await remote.get('tenants/warm');
      });

      it('knows its own create again, whose answer was lost', async () => {
        const lost = wire.loseNextAnswer();
        const version = await remote.create('tenants/alice', { n: 1 });
        await lost;
        expect(await documents.get('tenants/alice')).toMatchObject({ version, data: { n: 1 } });
      });

      it('knows its own update again, whose answer was lost', async () => {
        const first = await remote.set('tenants/alice', { n: 1 });
        const lost = wire.loseNextAnswer();
        const version = await remote.update('tenants/alice', { n: 2 }, first);
        await lost;
        expect(await documents.get('tenants/alice')).toMatchObject({ version, data: { n: 2 } });
      });

      it('does not count twice when the answer to a commit was lost', async () => {
        await remote.set('counters/1', { n: 0 });
        let lost: Promise<void> | undefined;
        await remote.transaction(async (transaction) => {
          const counter = await transaction.get<Counter>('counters/1');
          transaction.set('counters/1', { n: counter!.data.n + 1 });
          lost ??= wire.loseNextAnswer();
        });
        await lost;
        expect((await documents.get<Counter>('counters/1'))?.data.n).toBe(1);
      });

      it('takes a watch up again with what was missed', async () => {
        const seen: string[][] = [];
        const stop = await remote.watch({ from: { collection: 'tenants' } }, ({ items }) => seen.push(items.map(({ id }) => id)));
        wire.cut();
        await documents.set('tenants/alice', {});
        await documents.set('tenants/bob', {});
        wire.mend();
        await eventually('what was missed is told', () => seen.at(-1)?.length === 2);
        await documents.delete('tenants/alice');
        await eventually('what comes later is told', () => seen.at(-1)?.length === 1);
        stop();
      });

      it('is unavailable, and does not do later what it gave up', async () => {
        wire.cut();
        const outcomes = [
          remote.get('tenants/alice'),
          remote.set('tenants/alice', {}),
          remote.query({ from: { collection: 'tenants' } }),
          remote.transaction((transaction) => transaction.get('tenants/alice')),
          remote.watch({ from: { collection: 'tenants' } }, () => undefined),
        ].map((promise) => promise.then(() => 'done', codeOf));
        expect(await Promise.all(outcomes)).toEqual(Array(5).fill('unavailable'));
        wire.mend();
        await eventually('the connection is back', () => remote.set('tenants/bob', {}).then(() => true, () => false)); // prettier-ignore
        expect(await remote.get('tenants/alice')).toBeUndefined();
      });
    });
  });
});
