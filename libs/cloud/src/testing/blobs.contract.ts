import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { codeOf } from '@rockpool/contracts';
import fc from 'fast-check';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import type { BlobInfo, Blobs } from '../blobs.js';

/** An engine's blobs under test, empty, with something that answers signed URLs over HTTP. */
export interface BlobsHarness {
  readonly blobs: Blobs;
  /** Moves the clock that signed URLs expire by. */
  advance(milliseconds: number): void | Promise<void>;
  close(): Promise<void>;
}

const key = 'alice/files/report.txt';
const bytes = (content: string) => new TextEncoder().encode(content);

/** What every driver of {@link Blobs} does. */
export function blobsContract(driver: string, open: () => Promise<BlobsHarness>): void {
  describe(`${driver} keeps the contract of Blobs`, () => {
    let harness: BlobsHarness;
    let blobs: Blobs;
    beforeEach(async () => {
      harness = await open();
      blobs = harness.blobs;
    });
    afterEach(() => harness.close());

    const codeFrom = (promise: Promise<unknown>) => promise.then(() => 'no error', codeOf);
    const contentOf = async (name: string) => text((await blobs.get(name)).content);
    const keysOf = (page: { items: BlobInfo[] }) => page.items.map((item) => item.key);

    describe('put and get', () => {
      it('give back the bytes and what was said of them', async () => {
        const put = await blobs.put(key, bytes('hello'), { contentType: 'text/plain; charset=utf-8' });
        expect(put).toMatchObject({ key, sizeBytes: 5, contentType: 'text/plain; charset=utf-8' });
        expect(put.updatedAt).toBeInstanceOf(Date);
        const { info, content } = await blobs.get(key);
        expect(info).toEqual(put);
        expect(await blobs.head(key)).toEqual(put);
        expect(await text(content)).toBe('hello');
      });

      it('take a stream, of any chunks', async () => {
        const chunks = fc.array(fc.uint8Array({ maxLength: 2_000 }), { maxLength: 20 });
        await fc.assert(
          fc.asyncProperty(chunks, async (parts) => {
            const info = await blobs.put(key, Readable.from(parts.map((part) => Buffer.from(part))));
            const whole = Buffer.concat(parts);
            expect(info.sizeBytes).toBe(whole.length);
            expect((await buffer((await blobs.get(key)).content)).equals(whole)).toBe(true);
          }),
          { numRuns: 25 },
        );
      });

      it('hold what is larger than any buffer on the way', async () => {
        const block = Buffer.alloc(1 << 20, 'x');
        const info = await blobs.put(key, Readable.from(Array.from({ length: 20 }, () => block)));
        expect(info.sizeBytes).toBe(20 << 20);
        let read = 0;
        for await (const chunk of (await blobs.get(key)).content) read += (chunk as Buffer).length;
        expect(read).toBe(20 << 20);
      });

      it('hold nothing at all, too', async () => {
        expect((await blobs.put(key, new Uint8Array())).sizeBytes).toBe(0);
        expect(await contentOf(key)).toBe('');
        expect((await blobs.head(key))?.contentType).toBe('application/octet-stream');
      });

      it('find nothing where nothing is', async () => {
        expect(await codeFrom(blobs.get(key))).toBe('not_found');
        expect(await blobs.head(key)).toBeUndefined();
      });

      it('change the generation with every write, also of the same bytes and after a delete', async () => {
        const generations = new Set(['0']);
        for (let round = 0; round < 3; round += 1) {
          generations.add((await blobs.put(key, bytes('same'))).generation);
          generations.add((await blobs.put(key, bytes('same'))).generation);
          await blobs.delete(key);
        }
        expect(generations.size).toBe(7);
      });

      it('leave what is there when the stream breaks off', async () => {
        const before = await blobs.put(key, bytes('whole'));
        const broken = Readable.from(
          (async function* () {
            yield Buffer.from('half');
            throw new Error('the sender went away');
          })(),
        );
        await expect(blobs.put(key, broken)).rejects.toThrow('the sender went away');
        expect(await blobs.head(key)).toEqual(before);
        expect(await contentOf(key)).toBe('whole');
        expect(keysOf(await blobs.list(''))).toEqual([key]);
      });

      it('give one whole generation to a reader while writers replace and delete it', async () => {
        const contents = Array.from({ length: 20 }, (_, index) => String(index).repeat(10_000 + index));
        await blobs.put(key, bytes(contents[0]!));
        const read = async () => {
          const found = await blobs.get(key).catch(codeOf);
          if (typeof found === 'string') return expect(found).toBe('not_found');
          const content = await text(found.content);
          expect(contents).toContain(content);
          expect(found.info.sizeBytes).toBe(content.length);
        };
        await Promise.all(
          contents.flatMap((content, index) => [read(), index % 5 === 4 ? blobs.delete(key) : blobs.put(key, bytes(content)), read()]),
        );
        await blobs.put(key, bytes('last'));
        expect(await contentOf(key)).toBe('last');
      });

      it('go on reading what was replaced and deleted meanwhile', async () => {
        await blobs.put(key, bytes('old'));
        const { content } = await blobs.get(key);
        await blobs.put(key, bytes('new'));
        await blobs.delete(key);
        expect(await text(content)).toBe('old');
      });

      it.each(['', 'x'.repeat(256), 'text/plain\r\nx-injected: 1', 'text/plain\u0000', 'téxt/plain'])(
        'refuse the content type %j',
        async (contentType) => {
          expect(await codeFrom(blobs.put(key, bytes('x'), { contentType }))).toBe('invalid');
          expect(await blobs.head(key)).toBeUndefined();
        },
      );
    });

    describe('conditions', () => {
      it('create only where nothing is', async () => {
        await blobs.put(key, bytes('first'), { ifGeneration: '0' });
        expect(await codeFrom(blobs.put(key, bytes('second'), { ifGeneration: '0' }))).toBe('conflict');
        expect(await contentOf(key)).toBe('first');
      });

      it('replace only what was read', async () => {
        const first = await blobs.put(key, bytes('first'));
        const second = await blobs.put(key, bytes('second'), { ifGeneration: first.generation });
        expect(await codeFrom(blobs.put(key, bytes('third'), { ifGeneration: first.generation }))).toBe('conflict');
        expect(await blobs.head(key)).toEqual(second);
      });

      it('delete only what was read', async () => {
        const first = await blobs.put(key, bytes('first'));
        const second = await blobs.put(key, bytes('second'));
        expect(await codeFrom(blobs.delete(key, { ifGeneration: first.generation }))).toBe('conflict');
        await blobs.delete(key, { ifGeneration: second.generation });
        expect(await blobs.head(key)).toBeUndefined();
        expect(await codeFrom(blobs.delete(key, { ifGeneration: second.generation }))).toBe('conflict');
      });

      it('let one of many writers through', async () => {
        const { generation } = await blobs.put(key, bytes('start'));
        const outcomes = await Promise.all(
          Array.from({ length: 10 }, (_, index) => codeFrom(blobs.put(key, bytes(`writer ${index}`), { ifGeneration: generation }))),
        );
        expect(outcomes.filter((outcome) => outcome === 'no error')).toHaveLength(1);
        expect(outcomes.filter((outcome) => outcome === 'conflict')).toHaveLength(9);
        expect(await contentOf(key)).toBe(`writer ${outcomes.indexOf('no error')}`);
      });

      it('do not complain of deleting what is absent', async () => {
        await blobs.delete(key);
        await blobs.delete(key, { ifGeneration: '0' });
      });
    });

    describe('keys', () => {
      it.each([
        '',
        '/',
        '/a',
        'a/',
        'a//b',
        '.',
        '..',
        '../a',
        'a/../b',
        'a/..',
        'a/./b',
        'a\u0000b',
        'a\nb',
        'a\u007f',
        'a\ud800',
        `${'é'.repeat(500)}x`,
      ])('may not be %j', async (bad) => {
        const attempts = [
          blobs.put(bad, bytes('x')),
          blobs.get(bad),
          blobs.head(bad),
          blobs.delete(bad),
          blobs.signedUrl(bad, { expiresInMs: 1000 }),
        ];
        for (const attempt of attempts) expect(await codeFrom(attempt)).toBe('invalid');
      });

      it('are told apart by every byte: case, Unicode form, dots, escapes', async () => {
        const names = [
          'a/B',
          'a/b',
          'A/b',
          'a/é',
          'a/e\u0301',
          'a/b.',
          'a/b ',
          'a/%62',
          'a/b\\c',
          'a/b:c',
          'a/CON',
          'a/...',
          'a/.b',
          'a/b?c#d',
          'a/👍',
          'é'.repeat(500),
        ];
        for (const name of names) await blobs.put(name, bytes(name));
        for (const name of names) expect(await contentOf(name)).toBe(name);
        expect((await blobs.list('')).items).toHaveLength(names.length);
      });

      it('may be the beginning of other keys', async () => {
        await blobs.put('a/b', bytes('file'));
        await blobs.put('a/b/c', bytes('below'));
        expect(await contentOf('a/b')).toBe('file');
        expect(await contentOf('a/b/c')).toBe('below');
      });
    });

    describe('list', () => {
      it('finds keys by prefix, ascending, with what head says of each', async () => {
        for (const name of ['bob/x', 'alice/b', 'alice/a/2', 'alice/a/1', 'alicia/x', 'alice2/x']) await blobs.put(name, bytes(name));
        expect(keysOf(await blobs.list('alice/'))).toEqual(['alice/a/1', 'alice/a/2', 'alice/b']);
        expect(keysOf(await blobs.list('ali'))).toEqual(['alice/a/1', 'alice/a/2', 'alice/b', 'alice2/x', 'alicia/x']);
        expect(keysOf(await blobs.list('nobody/'))).toEqual([]);
        for (const item of (await blobs.list('')).items) expect(item).toEqual(await blobs.head(item.key));
      });

      it('does not take the prefix for a pattern', async () => {
        for (const name of ['a%/x', 'ab/x', 'a_/x', 'a*/x']) await blobs.put(name, bytes(name));
        for (const prefix of ['a%', 'a_', 'a*']) expect(keysOf(await blobs.list(prefix))).toEqual([`${prefix}/x`]);
      });

      it('pages through all keys once, while others are written and deleted', async () => {
        const names = Array.from({ length: 25 }, (_, index) => `alice/${String(index).padStart(2, '0')}`);
        for (const name of [...names, 'bob/x']) await blobs.put(name, bytes(name));
        const seen: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await blobs.list('alice/', { limit: 10, cursor });
          expect(page.items.length).toBeLessThanOrEqual(10);
          seen.push(...keysOf(page));
          cursor = page.nextCursor;
          await blobs.delete(seen[0]!);
          await blobs.put('alice/000', bytes('behind the cursor'));
        } while (cursor !== undefined);
        expect(seen).toEqual(names);
      });

      it('ends without a cursor when the last page is full', async () => {
        for (const name of ['a/1', 'a/2', 'b/1']) await blobs.put(name, bytes(name));
        expect(await blobs.list('a/', { limit: 2 })).not.toHaveProperty('nextCursor');
      });

      it('refuses a limit or cursor that makes no sense', async () => {
        for (const limit of [0, -1, 1.5, 1_001, NaN]) expect(await codeFrom(blobs.list('', { limit }))).toBe('invalid');
        expect(await codeFrom(blobs.list('', { cursor: '%%%' }))).toBe('invalid');
      });
    });

    describe('a signed URL', () => {
      const status = async (url: string | URL) => (await fetch(url)).status;

      it.each([key, 'a/b?c#d', 'a/é 👍', 'a/%2e%2e/x', 'a/blobs/x', 'a/+&=;,'])('lets anyone read %s', async (name) => {
        await blobs.put(name, bytes(`content of ${name}`));
        const response = await fetch(await blobs.signedUrl(name, { expiresInMs: 60_000 }));
        expect([response.status, await response.text()]).toEqual([200, `content of ${name}`]);
      });

      it('stops working when it has expired', async () => {
        await blobs.put(key, bytes('x'));
        const url = await blobs.signedUrl(key, { expiresInMs: 60_000 });
        await harness.advance(59_000);
        expect(await status(url)).toBe(200);
        await harness.advance(1_000);
        expect(await status(url)).toBeGreaterThanOrEqual(400);
      });

      it('does not work for another key, another time or another signature', async () => {
        await blobs.put(key, bytes('x'));
        await blobs.put('alice/files/secret.txt', bytes('secret'));
        const url = await blobs.signedUrl(key, { expiresInMs: 60_000 });
        expect(await status(url.replace('report.txt', 'secret.txt'))).toBeGreaterThanOrEqual(400);
        const { searchParams } = new URL(url);
        for (const name of searchParams.keys()) {
          const value = searchParams.get(name)!;
          const changed = new URL(url);
          changed.searchParams.set(name, value.slice(0, -2) + (value.endsWith('00') ? '11' : '00'));
          expect(await status(changed)).toBeGreaterThanOrEqual(400);
          changed.searchParams.delete(name);
          expect(await status(changed)).toBeGreaterThanOrEqual(400);
        }
      });

      it.each([0, -1, NaN, Infinity, 7 * 86_400_000 + 1])('may not live %p ms', async (expiresInMs) => {
        expect(await codeFrom(blobs.signedUrl(key, { expiresInMs }))).toBe('invalid');
      });
    });

    it('agrees with a simple model, whatever is done in whatever order', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (operations) => {
          for (const { key: old } of (await blobs.list('')).items) await blobs.delete(old);
          const model = new Map<string, { content: string; info: BlobInfo }>();
          const stale = (await blobs.put('stale', bytes('x'))).generation;
          await blobs.delete('stale');
          for (const { kind, name, condition, content } of operations) {
            const current = model.get(name)?.info.generation ?? '0';
            const ifGeneration = { none: undefined, absent: '0', current, stale }[condition];
            const options = ifGeneration === undefined ? {} : { ifGeneration };
            const attempt = kind === 'put' ? blobs.put(name, bytes(content), options) : blobs.delete(name, options);
            if (ifGeneration !== undefined && ifGeneration !== current) {
              expect(await codeFrom(attempt)).toBe('conflict');
              continue;
            }
            const info = await attempt;
            if (info === undefined) model.delete(name);
            else model.set(name, { content, info });
          }
          for (const prefix of ['', 'a', 'a/', 'a/b', 'b/', '\u{ffff}', '👍']) {
            const expected = [...model.values()].map(({ info }) => info).filter((info) => info.key.startsWith(prefix));
            expected.sort((one, other) => Buffer.compare(bytes(one.key), bytes(other.key)));
            expect((await blobs.list(prefix)).items).toEqual(expected);
          }
          for (const [name, { content }] of model) expect(await contentOf(name)).toBe(content);
        }),
        { numRuns: 20 },
      );
    });
  });
}

const operation = fc.record({
  kind: fc.constantFrom('put' as const, 'put' as const, 'delete' as const),
  name: fc.constantFrom('a/b', 'a/b/c', 'a/bc', 'ab', 'b/a', '\u{ffff}/x', '👍/x'),
  condition: fc.constantFrom('none' as const, 'absent' as const, 'current' as const, 'stale' as const),
  content: fc.string({ maxLength: 5 }),
});
