import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Documents } from '@rockpool/cloud';
import { Database, SqliteDocuments } from '@rockpool/cloud-embedded';
import { eventually } from '@rockpool/cloud/testing';
import { HostHeartbeat, type HostHeartbeatOptions } from './host-heartbeat.js';
import { hostPaths, type HostRecord } from './host-record.js';

let folder: string;
let database: Database;
let documents: Documents;
let heartbeat: HostHeartbeat;
let asked: number;
let warnings: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-heartbeat-'));
  database = Database.open(join(folder, 'state.db'), { synchronous: 'OFF' });
  documents = new SqliteDocuments(database, []);
  asked = 0;
  warnings = [];
});
afterEach(async () => {
  await heartbeat.stop();
  (documents as SqliteDocuments).close();
  await database.close();
  await rm(folder, { recursive: true });
});

function open(options: Partial<HostHeartbeatOptions> = {}): void {
  heartbeat = new HostHeartbeat(documents, {
    id: 'h1',
    version: '1.0.0',
    everyMs: 3_600_000,
    isSteady: false,
    isSupervised: true,
    memory: () => ({ rssBytes: 100, memoryLimitBytes: 1_000 }),
    onDrainAsked: () => asked++,
    onWarning: (message) => warnings.push(message),
    ...options,
  });
}

const said = async () => (await documents.get<HostRecord>(hostPaths.host('h1')))?.data;

describe('a host that may be put to sleep', () => {
  it('says nothing before it has work', async () => {
    open();
    await heartbeat.start();
    expect(await said()).toBeUndefined();
  });

  it('says what it is at, and that it rests before the last piece of work is answered', async () => {
    open();
    const release = Promise.withResolvers<void>();
    const first = heartbeat.during('conversations', () => release.promise);
    await eventually('the sign of life', said);
    expect(await said()).toMatchObject({ work: { conversations: 1, slices: 0 }, rssBytes: 100, version: '1.0.0' });
    release.resolve();
    await first;
    expect(await said()).toMatchObject({ work: { conversations: 0, slices: 0 } });
  });

  it('writes no more for later work that is short', async () => {
    open();
    await heartbeat.during('conversations', async () => undefined);
    const before = (await documents.get(hostPaths.host('h1')))!.version;
    for (let n = 0; n < 20; n++) await heartbeat.during('slices', async () => undefined);
    expect((await documents.get(hostPaths.host('h1')))!.version).toBe(before);
  });

  it('goes on saying so while work lasts', async () => {
    open({ everyMs: 2 });
    const release = Promise.withResolvers<void>();
    const work = heartbeat.during('slices', () => release.promise);
    await eventually(
      'several signs of life',
      async () => ((await said())?.seenAt ?? 0) > ((await said())?.startedAt ?? 0) + 10 || undefined,
    );
    release.resolve();
    await work;
    expect(await said()).toMatchObject({ work: { slices: 0 } });
  });
});

describe('a host that never had work', () => {
  it('ends without asking anything of the documents, which may be out of reach', async () => {
    open();
    documents.delete = () => Promise.reject(new Error('no cloud'));
    await heartbeat.start();
    await heartbeat.stop();
  });
});

describe('a sign of life', () => {
  it('is given without work where the process is everybody’s, and taken back at an orderly end', async () => {
    open({ isSteady: true });
    await heartbeat.start();
    expect(await said()).toMatchObject({ work: { conversations: 0, slices: 0 }, isSteady: true });
    await heartbeat.stop();
    expect(await said()).toBeUndefined();
    await heartbeat.beat();
    expect(await said()).toBeUndefined();
  });

  it('tells the host that the watchdog asked it to end, once, and keeps what the watchdog noted', async () => {
    open();
    await heartbeat.during('conversations', async () => undefined);
    await documents.set(hostPaths.host('h1'), { ...(await said())!, drainAskedAt: 5, fullChecks: 3 });
    await heartbeat.beat();
    await heartbeat.beat();
    expect(asked).toBe(1);
    expect(await said()).toMatchObject({ drainAskedAt: 5, fullChecks: 3 });
  });

  it('ends no process that nobody would start anew', async () => {
    open({ isSupervised: false });
    await heartbeat.during('conversations', async () => undefined);
    await documents.set(hostPaths.host('h1'), { ...(await said())!, drainAskedAt: 5 });
    await heartbeat.beat();
    expect(asked).toBe(0);
  });

  it('that cannot be written fails no work', async () => {
    documents.transaction = () => Promise.reject(new Error('the disk is full'));
    open();
    expect(await heartbeat.during('conversations', async () => 'answered')).toBe('answered');
    expect(warnings).toContain('the sign of life could not be written');
  });

  it('of a host that was taken for dead says that it lives', async () => {
    open();
    await heartbeat.during('conversations', async () => undefined);
    await documents.set(hostPaths.host('h1'), { ...(await said())!, diedAt: 5 });
    await heartbeat.beat();
    expect(await said()).not.toHaveProperty('diedAt');
  });
});
