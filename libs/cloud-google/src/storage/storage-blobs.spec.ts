import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { blobsContract } from '@rockpool/cloud/testing';
import { codeOf } from '@rockpool/contracts';
import { startStorageFake, type StorageFake } from '@rockpool/testkit';
import { StorageBlobs } from './storage-blobs.js';

const key = 'alice/files/report.txt';
const piece = Buffer.alloc(1 << 20, 'x');

let fake: StorageFake;
let blobs: StorageBlobs;
/** What the clock of everybody is ahead: the client compares the end of a signed URL with the system's. */
let aheadMs: number;
const now = () => Date.now() + aheadMs;

const open = (createTopology = true, more: object = {}) =>
  StorageBlobs.open({
    projectId: 'rockpool-test',
    bucket: 'rockpool-test-files',
    region: 'europe-west1',
    createTopology,
    endpoint: fake.url,
    serviceAccount: 'agent-host@rockpool-test.iam.gserviceaccount.com',
    now,
    ...more,
  });

beforeEach(async () => {
  aheadMs = 0;
  // A second is as fine as a signed URL goes: the clock stands still within it, so that the tests know when it ends.
  const start = Date.now();
  fake = await startStorageFake({ clock: { now, sleep: async () => undefined } });
  aheadMs = Math.ceil(start / 1000) * 1000 - start;
  blobs = await open();
});
afterEach(() => fake.stop());

blobsContract('StorageBlobs', async () => ({
  blobs,
  advance: (milliseconds) => void (aheadMs += milliseconds),
  close: async () => undefined,
}));

describe('StorageBlobs', () => {
  it('says that the bucket is missing when nobody made it', async () => {
    await fake.stop();
    fake = await startStorageFake();
    const without = await open(false);
    const error = await without.put(key, Buffer.from('x')).catch((reason: unknown) => reason);
    expect(codeOf(error)).toBe('unavailable');
    expect((error as Error).message).toBe('there is no bucket rockpool-test-files');
  });

  it('finds the bucket that another process made', async () => {
    await blobs.put(key, Buffer.from('x'));
    const others = await Promise.all([open(), open(), open()]);
    for (const other of others) expect(await other.head(key)).toEqual(await blobs.head(key));
  });

  it('works where STORAGE_EMULATOR_HOST is set, which makes the client leave out a part of the paths', async () => {
    process.env['STORAGE_EMULATOR_HOST'] = fake.url;
    try {
      const emulated = await open();
      await emulated.put(key, Buffer.from('content'));
      expect(await text((await emulated.get(key)).content)).toBe('content');
      expect((await emulated.list('alice/')).items).toEqual([await blobs.head(key)]);
    } finally {
      delete process.env['STORAGE_EMULATOR_HOST'];
    }
  });

  it('keeps a key that looks like a placeholder of the client', async () => {
    await blobs.put('{{projectId}}/x', Buffer.from('x'), { contentType: '{{projectId}}' });
    expect((await blobs.list('')).items).toMatchObject([{ key: '{{projectId}}/x', contentType: '{{projectId}}' }]);
  });

  it('leaves what is there when a large stream breaks off between two pieces, or within one', async () => {
    const before = await blobs.put(key, Buffer.from('whole'));
    for (const pieces of [12, 16, 20]) {
      const broken = Readable.from(
        (async function* () {
          for (let count = 0; count < pieces; count += 1) yield piece;
          throw new Error('the sender went away');
        })(),
      );
      await expect(blobs.put(key, broken)).rejects.toThrow('the sender went away');
      expect(await blobs.head(key)).toEqual(before);
    }
  });

  it.each([8, 9, 16, 24])('holds %d MiB from a stream, on a condition too', async (size) => {
    const large = () => Readable.from(Array.from({ length: size }, () => piece));
    const info = await blobs.put(key, large(), { ifGeneration: '0' });
    expect(info.sizeBytes).toBe(size << 20);
    expect((await buffer((await blobs.get(key)).content)).length).toBe(size << 20);
    expect(await blobs.put(key, large(), { ifGeneration: '0' }).catch(codeOf)).toBe('conflict');
  });

  it('goes on with a large stream when a piece of it was lost', async () => {
    const fault = fake.faults.add({ kind: 'status', status: 503, match: 'resume', times: 1 });
    const info = await blobs.put(key, Readable.from(Array.from({ length: 20 }, () => piece)));
    expect([info.sizeBytes, fault.hits]).toEqual([20 << 20, 1]);
  });

  describe('while the service is away for a moment', () => {
    it.each(['status', 'drop-before', 'reset'] as const)('bears %s', async (kind) => {
      for (const match of ['upload', 'get', 'media', 'list', 'delete']) fake.faults.add({ kind, status: 503, match, times: 1 });
      await blobs.put(key, Buffer.from('content'));
      expect(await text((await blobs.get(key)).content)).toBe('content');
      expect((await blobs.list('')).items).toHaveLength(1);
      await blobs.delete(key);
      expect(await blobs.head(key)).toBeUndefined();
    });

    it('knows its own write when the answer to it was lost', async () => {
      fake.faults.add({ kind: 'accept-then-drop', match: 'upload', times: 1 });
      const info = await blobs.put(key, Buffer.from('first'), { ifGeneration: '0' });
      expect(await blobs.head(key)).toEqual(info);
      fake.faults.add({ kind: 'accept-then-drop', match: 'upload', times: 1 });
      expect((await blobs.put(key, Buffer.from('second'), { ifGeneration: info.generation })).sizeBytes).toBe(6);
    });

    it('knows its own deletion when the answer to it was lost', async () => {
      const { generation } = await blobs.put(key, Buffer.from('x'));
      fake.faults.add({ kind: 'accept-then-drop', match: 'delete', times: 1 });
      await blobs.delete(key, { ifGeneration: generation });
    });
  });

  it('does not wait for ever for a service that says nothing', async () => {
    await fake.stop();
    fake = await startStorageFake({
      clock: { now, sleep: (_ms, signal) => new Promise((resolve) => signal?.addEventListener('abort', () => resolve())) },
    });
    const impatient = await open(true, { patienceMs: 50 });
    fake.faults.add({ kind: 'delay' });
    const attempts = [
      impatient.put(key, Buffer.from('x')),
      impatient.get(key),
      impatient.head(key),
      impatient.delete(key),
      impatient.list(''),
    ];
    for (const attempt of attempts.map((promise) => promise.catch(codeOf))) expect(await attempt).toBe('unavailable');
  });

  it.each([503, 500, 401, 403])('is unavailable while the service answers %d', async (status) => {
    fake.faults.add({ kind: 'status', status });
    const attempts = [blobs.put(key, Buffer.from('x')), blobs.get(key), blobs.head(key), blobs.delete(key), blobs.list('')];
    for (const attempt of attempts.map((promise) => promise.catch(codeOf))) expect(await attempt).toBe('unavailable');
  });
});
