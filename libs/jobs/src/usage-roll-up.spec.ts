import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { EventId, JobId, TenantId } from '@rockpool/contracts';
import { paths, type TurnRecord } from '@rockpool/conversations';
import { jobPaths, type JobRecord } from './job-records.js';
import { openTestEngine, type TestEngine } from './testing/engine.js';
import { Life, MortalDocuments } from './testing/mortal.js';
import { usagePaths, type UsageProgress, type UsageRecord } from './usage-records.js';
import { UsageRollUp } from './usage-roll-up.js';

const alice = 'alice' as TenantId;
const bob = 'bob' as TenantId;
const hour = 3_600_000;

let engine: TestEngine;
beforeEach(async () => (engine = await openTestEngine(async () => ({ status: 200 }))));
afterEach(() => engine.close());

const rollUp = (documents = engine.documents) =>
  new UsageRollUp(documents, { now: engine.clock.now, keptDaysOf: async () => 400 }).run(new AbortController().signal);
const usage = async (tenantId: TenantId, day: string) => (await engine.documents.get<UsageRecord>(usagePaths.day(tenantId, day)))?.data;

async function turn(tenantId: TenantId, id: string, at: string, more: Partial<TurnRecord> = {}): Promise<void> {
  const eventId = id as EventId;
  const spent = { model: 'test/small', inputTokens: 10, outputTokens: 5, costUsd: 0.25 };
  const record: Partial<TurnRecord> = { tenantId, eventId, state: 'done', open: false, receivedAt: Date.parse(at), usage: spent, ...more };
  await engine.documents.set(paths.turn(tenantId, eventId), record);
}

async function job(id: string, finishedAt: string, more: Partial<JobRecord> = {}): Promise<void> {
  const jobId = id as JobId;
  const spent = { tokens: 1_000, costUsd: 1, steps: 4 };
  const record: Partial<JobRecord> = { tenantId: alice, jobId, open: false, finishedAt: Date.parse(finishedAt), spent, ...more };
  await engine.documents.set(jobPaths.job(alice, jobId), record);
}

it('sums up turns by model and jobs, for each tenant and day by UTC', async () => {
  await turn(alice, 'a1', '2030-03-01T00:00:00Z');
  await turn(alice, 'a2', '2030-03-01T11:59:59Z');
  await turn(alice, 'a3', '2030-03-01T09:00:00Z', { usage: { model: 'test/large', inputTokens: 100, outputTokens: 50 } });
  await turn(alice, 'a4', '2030-03-01T09:00:01Z', { usage: undefined, answeredBy: 'a3' as EventId });
  await turn(alice, 'help', '2030-03-01T09:00:02Z', { usage: undefined });
  await turn(alice, 'a5', '2030-02-28T23:59:59Z');
  await turn(bob, 'b1', '2030-03-01T09:00:00Z');
  await job('j1', '2030-03-01T08:00:00Z');
  await job('j1.1', '2030-03-01T07:00:00Z', { parent: { jobId: 'j1' as JobId, step: 1, key: 'a', attempt: 1 } });
  await job('j2', '2030-02-28T08:00:00Z');
  expect(await rollUp()).toEqual(['2030-02-28', '2030-03-01']);
  expect(await usage(alice, '2030-03-01')).toEqual({
    tenantId: alice,
    day: '2030-03-01',
    turns: 4,
    jobs: 1,
    inputTokens: 120,
    outputTokens: 60,
    jobTokens: 1_000,
    costUsd: 1.5,
    models: {
      'test/large': { turns: 1, inputTokens: 100, outputTokens: 50, costUsd: 0 },
      'test/small': { turns: 2, inputTokens: 20, outputTokens: 10, costUsd: 0.5 },
    },
    computedAt: engine.clock.now(),
  });
  expect(await usage(alice, '2030-02-28')).toMatchObject({ turns: 1, jobs: 1 });
  expect(await usage(bob, '2030-03-01')).toMatchObject({ turns: 1, jobs: 0, costUsd: 0.25 });
});

it('writes the same when it is repeated, and what came meanwhile', async () => {
  await turn(alice, 'a1', '2030-03-01T09:00:00Z');
  await rollUp();
  const before = await usage(alice, '2030-03-01');
  await rollUp();
  expect(await usage(alice, '2030-03-01')).toEqual(before);
  await turn(alice, 'a2', '2030-03-01T11:00:00Z');
  await rollUp();
  expect(await usage(alice, '2030-03-01')).toMatchObject({ turns: 2, inputTokens: 20 });
});

it('goes on with a day until none of its turns is open, and then never looks at it again', async () => {
  await turn(alice, 'late', '2030-02-28T23:00:00Z', { open: true, state: 'answered', usage: undefined });
  expect(await rollUp()).toContain('2030-02-28');
  expect(await engine.documents.get(usagePaths.progress)).toBeUndefined();
  await turn(alice, 'late', '2030-02-28T23:00:00Z');
  expect(await rollUp()).toContain('2030-02-28');
  expect((await engine.documents.get<UsageProgress>(usagePaths.progress))?.data).toEqual({ through: '2030-02-28' });
  // Whatever retention deletes of it now, the sum stays.
  await engine.documents.delete(paths.turn(alice, 'late' as EventId));
  expect(await rollUp()).toEqual(['2030-03-01']);
  expect(await usage(alice, '2030-02-28')).toMatchObject({ turns: 1 });
});

it('makes up for days in which it did not run, but for none whose turns may be deleted', async () => {
  await rollUp();
  await turn(alice, 'a1', '2030-03-03T09:00:00Z');
  engine.clock.advance(4 * 24 * hour);
  expect(await rollUp()).toEqual(['2030-03-01', '2030-03-02', '2030-03-03', '2030-03-04', '2030-03-05']);
  expect(await usage(alice, '2030-03-03')).toMatchObject({ turns: 1 });
  engine.clock.advance(30 * 24 * hour);
  expect(await rollUp()).toHaveLength(7);
});

it('counts nothing twice when the process dies at any of its writes', async () => {
  for (let n = 0; n < 5; n++) await turn(`t${n}` as TenantId, 'a', '2030-03-01T09:00:00Z');
  for (let write = 1; write <= 5; write++) {
    const life = new Life('scheduler');
    const documents = new MortalDocuments(engine.documents, life);
    const set = documents.set.bind(documents);
    let writes = 0;
    documents.set = (...args) => {
      if (++writes === write) life.end();
      return set(...args);
    };
    void rollUp(documents);
    await life.died;
    await rollUp();
    for (let n = 0; n < 5; n++) expect(await usage(`t${n}` as TenantId, '2030-03-01')).toMatchObject({ turns: 1, costUsd: 0.25 });
  }
});

it('writes no day that it was told to stop in', async () => {
  await turn(alice, 'a1', '2030-03-01T09:00:00Z');
  const rolled = new UsageRollUp(engine.documents, { now: engine.clock.now, keptDaysOf: async () => 400 });
  expect(await rolled.run(AbortSignal.abort())).toEqual([]);
  expect(await usage(alice, '2030-03-01')).toBeUndefined();
});
