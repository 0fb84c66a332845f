import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { JobId, TenantId } from '@rockpool/contracts';
import { JobRetention } from './job-retention.js';
import { jobPaths, type JobRecord, type StepRecord } from './job-records.js';
import { openTestEngine, type TestEngine } from './testing/engine.js';
import { Life, MortalDocuments } from './testing/mortal.js';

const alice = 'alice' as TenantId;
const days = 86_400_000;

let engine: TestEngine;
beforeEach(async () => (engine = await openTestEngine(async () => ({ status: 200 }))));
afterEach(() => engine.close());

const live = () => new AbortController().signal;
const run = (keptDays = 30, documents = engine.documents, signal = live()) =>
  new JobRetention(documents).run(alice, engine.clock.now() - keptDays * days, signal);
const job = async (n: number) => (await engine.documents.get<JobRecord>(jobPaths.job(alice, idOf(n))))?.data;
const idOf = (n: number) => `job-${n}` as JobId;

/** A job that ended so many days ago, after three steps. */
async function ended(n: number, ageDays: number, more: Partial<JobRecord> = {}): Promise<void> {
  const at = engine.clock.now() - ageDays * days;
  const record: JobRecord = {
    tenantId: alice,
    jobId: idOf(n),
    label: String(n),
    kind: 'sequence',
    title: 'work',
    input: null,
    priority: 'normal',
    state: 'succeeded',
    open: false,
    slice: 1,
    dueAt: at,
    fence: 1,
    steps: 3,
    deadlineAt: at,
    allowedMs: days,
    budget: {},
    spent: { tokens: 0, costUsd: 0, steps: 3 },
    stumbles: 0,
    retries: 0,
    unsettled: false,
    createdAt: at,
    finishedAt: at,
    updatedAt: at,
    ...more,
  };
  const { jobId } = record;
  await engine.documents.set(jobPaths.job(alice, jobId), record);
  if (!record.parent) await engine.documents.set(jobPaths.number(alice, n), { n, jobId });
  for (let step = 1; step <= 3; step++) {
    const done: Partial<StepRecord> = { n: step, state: 'succeeded' };
    await engine.documents.set(jobPaths.step(alice, jobId, step), done);
  }
}

const left = async (collection: string) => (await engine.documents.query({ from: { collection } })).items.length;

it('deletes jobs that ended before the plan keeps them, with steps and number, and nothing that is younger', async () => {
  await ended(1, 40);
  await ended(2, 20);
  await ended(3, 40);
  await ended(4, 1);
  expect(await run()).toBe(2);
  expect(await left(jobPaths.steps(alice, idOf(1)))).toBe(0);
  expect(await left(jobPaths.steps(alice, idOf(2)))).toBe(3);
  expect(
    (await engine.documents.query<{ n: number }>({ from: { collection: jobPaths.numbers(alice) } })).items.map(({ data }) => data.n),
  ).toEqual([2, 4]);
  expect(await run()).toBe(0);
});

it('never deletes what is open, or has not said its result yet, however old it is', async () => {
  await ended(1, 400, { open: true, state: 'waiting' });
  await ended(2, 400, { unsettled: true });
  await ended(3, 400, { finishedAt: engine.clock.now() - days });
  expect(await run()).toBe(0);
});

it('keeps a builder while its manager is open', async () => {
  await ended(1, 40, { open: true, state: 'waiting' });
  await ended(2, 40, { label: '1.1', parent: { jobId: idOf(1), step: 1, key: 'a', attempt: 1 } });
  expect(await run()).toBe(0);
  await ended(1, 40);
  expect(await run()).toBe(2);
});

it('keeps the highest number, so that no other job is ever called the same', async () => {
  await ended(7, 40);
  expect(await run()).toBe(1);
  expect(await left(jobPaths.numbers(alice))).toBe(1);
});

it('deletes a job whole or not at all, whenever the process dies, and the next run the rest', async () => {
  for (let n = 1; n <= 20; n++) await ended(n, 40);
  const life = new Life('scheduler');
  const documents = new MortalDocuments(engine.documents, life);
  const transaction = documents.transaction.bind(documents);
  let begun = 0;
  documents.transaction = (work) => {
    if (++begun === 5) life.end();
    return transaction(work);
  };
  void run(30, documents);
  await life.died;
  const after = await run();
  expect(after).toBeGreaterThan(0);
  expect(after).toBeLessThanOrEqual(20);
  for (let n = 1; n <= 20; n++) {
    expect(await job(n)).toBeUndefined();
    expect(await left(jobPaths.steps(alice, idOf(n)))).toBe(0);
  }
});

it('stops when it is told to', async () => {
  await ended(1, 40);
  expect(await run(30, engine.documents, AbortSignal.abort())).toBe(0);
  expect(await job(1)).toBeDefined();
});
