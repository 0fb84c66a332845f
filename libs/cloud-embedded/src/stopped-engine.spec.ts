import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { messageOf, subscriptionFor } from '@rockpool/cloud/testing';
import { openEmbeddedCloud, type EmbeddedCloud } from './embedded-cloud.js';
import { StoppedEngine } from './stopped-engine.js';

const inbound = subscriptionFor('inbound-messages.dispatcher');
const queue = {
  name: 'slices',
  maxDispatchesPerSecond: 10,
  maxConcurrentDispatches: 1,
  maxAttempts: 1,
  maxRetryDurationMs: 1_000,
  minBackoffMs: 1,
  maxBackoffMs: 1,
};
const declared = { collection: 'turns', scope: 'group', fields: ['open', 'at'] } as const;

describe('a stopped engine', () => {
  let folder: string;
  let stopped: StoppedEngine | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rockpool-stopped-'));
  });

  afterEach(async () => {
    await stopped?.close();
    stopped = undefined;
    await rm(folder, { recursive: true });
  });

  const place = () => ({ dataDir: join(folder, 'data'), keyFile: join(folder, 'keys', 'master.key') });

  async function running(work: (cloud: EmbeddedCloud) => Promise<unknown>): Promise<void> {
    const cloud = await openEmbeddedCloud({
      ...place(),
      baseUrl: () => '',
      subscriptions: [inbound],
      indexes: [declared],
      queues: [queue],
    });
    try {
      await work(cloud);
    } finally {
      await cloud.close(0);
    }
  }

  /** Everything, page by page. */
  function all(options: { names?: string[]; not?: boolean; collection?: string } = {}, limit = 2): string[] {
    const paths: string[] = [];
    for (let after: string | undefined; ;) {
      const page = stopped!.documents({ ...options, limit, ...(after !== undefined && { after }) });
      if (page.length === 0) return paths;
      paths.push(...page.map(({ path }) => path));
      after = paths.at(-1);
    }
  }

  it('shows every document that is not expired, in order, of all collections, some names or one collection', async () => {
    const expireAt = new Date(Date.now() + 1e6);
    await running(async ({ documents }) => {
      for (const path of ['b/2', 'b/1', 'a/x/turns/1', 'a/y/turns/1', 'a/x', 'a/\u{10000}', 'a/\uffee'])
        await documents.set(path, { path });
      await documents.set('b/3', { gone: true }, { expireAt: new Date(5) });
      await documents.set('b/4', {}, { expireAt });
    });
    stopped = await StoppedEngine.open(place());
    expect(all()).toEqual(['a/x', 'a/\uffee', 'a/\u{10000}', 'a/x/turns/1', 'a/y/turns/1', 'b/1', 'b/2', 'b/4']);
    expect(all({ names: ['turns'] })).toEqual(['a/x/turns/1', 'a/y/turns/1']);
    expect(all({ names: ['turns', 'a'], not: true })).toEqual(['b/1', 'b/2', 'b/4']);
    expect(all({ collection: 'a' })).toEqual(['a/x', 'a/\uffee', 'a/\u{10000}']);
    expect(stopped.collectionsAfter('', 3)).toEqual(['a', 'a/x/turns', 'a/y/turns']);
    expect(stopped.collectionsAfter('a/y/turns', 3)).toEqual(['b']);
    expect(stopped.documents({ collection: 'b', after: 'b/2', limit: 9 })).toEqual([
      { path: 'b/4', collection: 'b', id: '4', data: {}, expireAt },
    ]);
  });

  it('ends a page early when its documents are large', async () => {
    const text = 'x'.repeat(1_000_000);
    await running(async ({ documents }) => Promise.all(Array.from({ length: 12 }, (_, n) => documents.set(`a/${n}`, { text }))));
    stopped = await StoppedEngine.open(place());
    expect(stopped.documents({ limit: 100 })).toHaveLength(5);
    expect(all({}, 100)).toHaveLength(12);
  });

  it('tells what was left to do, and leaves it, its indexes and what is expired as they were', async () => {
    await running(async ({ bus, tasks, documents, secrets }) => {
      await bus.publish(messageOf('one'));
      await tasks.create({
        queue: 'slices',
        name: 'later',
        url: 'http://127.0.0.1:9/',
        audience: 'a',
        body: Buffer.from('x'),
        scheduleAt: new Date(Date.now() + 1e7),
      });
      await documents.set('a/x/turns/1', { open: true, at: 1 }, { expireAt: new Date(5) });
      await secrets.put({ tenant: 'b', field: 'two' }, '2');
      await secrets.put({ tenant: 'a', field: 'one' }, '1');
    });
    stopped = await StoppedEngine.open(place());
    expect(await stopped.standing()).toEqual({
      messages: [{ subscription: inbound.name, waiting: 1, deadLetters: 0, letters: [] }],
      tasks: [{ queue: 'slices', due: 0, later: 1 }],
    });
    expect(await stopped.secretNames()).toEqual([
      { tenant: 'a', field: 'one' },
      { tenant: 'b', field: 'two' },
    ]);
    await expect(StoppedEngine.open(place())).rejects.toThrow(`is held by process ${process.pid}`);
    await stopped.close();
    await running(async ({ documents, bus, tasks }) => {
      expect(await documents.sweepExpired()).toBe(1);
      expect((await bus.stats(inbound.name)).backlog).toBe(1);
      expect((await tasks.stats('slices')).pending).toBe(1);
    });
  });
});
