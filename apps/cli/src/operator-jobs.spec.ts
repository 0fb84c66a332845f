import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { adminToken, consoleModule, type JobControl, type JobDetails } from '@rockpool/console';
import type { TenantId } from '@rockpool/contracts';
import { startApps } from '@rockpool/platform';
import { parseConfig, type RunningService } from '@rockpool/service';
import { tenantsFile } from '@rockpool/tenancy';
import { openPlatform, type Platform } from './compose.js';
import { ConsoleApi } from './console-api.js';
import { HttpJobControl } from './http-job-control.js';
import { chat, ScriptedJobs } from './testing/scripted-jobs.js';

const alice = 'alice' as TenantId;
const bob = 'bob' as TenantId;

let folder: string;
let platform: Platform;
let service: RunningService | undefined;
let scripted: ScriptedJobs;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-operator-jobs-'));
  const parsed = parseConfig({
    PORT: '0',
    ROCKPOOL_DATA_DIR: join(folder, 'data'),
    ROCKPOOL_KEY_FILE: join(folder, 'key'),
    ROCKPOOL_LOG_LEVEL: 'silent',
  });
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  platform = await openPlatform(parsed.config, 'test');
  await platform.controlPlane.apply({ file: tenantsFile.parse({ tenants: { alice: {}, bob: {} } }), secrets: {} });
  scripted = new ScriptedJobs(platform);
});
afterEach(async () => {
  await service?.close();
  service = undefined;
  await platform.close();
  await rm(folder, { recursive: true });
});

/** The console alone: what happens to jobs, the tests make happen. */
async function startConsole(): Promise<{ url: string; token: string }> {
  service = await startApps('console', platform, [consoleModule(platform, platform.controlPlane)], { silent: true });
  return { url: service.url, token: await adminToken(platform.config.ROCKPOOL_DATA_DIR) };
}

const audited = async (tenantId: TenantId) =>
  (await platform.controlPlane.tenant(tenantId)).audit
    .filter(({ action }) => action.startsWith('job-'))
    .map(({ actor, action, subjects }) => `${actor} ${action} ${subjects.join(' ')}`);

describe.each(['in this process', 'of a running instance'])('the jobs for operators %s', (where) => {
  let jobs: JobControl;
  beforeEach(async () => {
    if (where === 'in this process') jobs = platform.controlPlane.jobs;
    else {
      const { url, token } = await startConsole();
      jobs = new HttpJobControl(new ConsoleApi(url, token), 1);
    }
  });

  it('are listed newest first, of all tenants and page by page, or as narrowly as one asks', async () => {
    for (const id of ['j1', 'j2', 'j3']) await scripted.start(alice, id, 'asks', id === 'j2' ? { conversationId: chat } : {});
    await scripted.start(bob, 'k1', 'asks');
    await platform.jobs.cancel(alice, 'j3' as never, 'enough', { quiet: true });
    const ids = async (filter: Parameters<JobControl['list']>[0]) => (await jobs.list(filter)).items.map(({ jobId }) => jobId);
    const first = await jobs.list({ limit: 3 });
    const second = await jobs.list({ limit: 3, cursor: first.nextCursor! });
    expect([...first.items, ...second.items].map(({ tenantId, label }) => `${tenantId}/${label}`)).toEqual([
      'bob/1',
      'alice/3',
      'alice/2',
      'alice/1',
    ]);
    expect(second.nextCursor).toBeUndefined();
    expect(await ids({ tenantId: alice })).toEqual(['j3', 'j2', 'j1']);
    expect(await ids({ tenantId: alice, open: true })).toEqual(['j2', 'j1']);
    expect(await ids({ open: false })).toEqual(['j3']);
    expect(await ids({ state: 'cancelled' })).toEqual(['j3']);
    expect(await ids({ conversationId: chat, open: true })).toEqual(['j2']);
    await expect(jobs.list({ tenantId: 'nobody' as TenantId })).rejects.toMatchObject({ code: 'not_found' });
    await expect(jobs.list({ open: true, state: 'failed' })).rejects.toMatchObject({ code: 'invalid' });
    await expect(jobs.list({ cursor: 'nonsense' })).rejects.toMatchObject({ code: 'invalid' });
  });

  it('are shown with steps and builders under every name that they have', async () => {
    const id = 'http:alice:a%2Fb.c;d?e#f';
    await scripted.start(alice, id, 'manages');
    await scripted.run(alice, id);
    await scripted.run(alice, `${id}.1.research.1`);
    const shown = await jobs.show(alice, '1');
    expect(shown).toEqual(await platform.controlPlane.jobs.show(alice, id));
    expect(shown).toMatchObject({
      job: { jobId: id, state: 'waiting', waiting: { for: 'builders' } },
      steps: [{ n: 1, kind: 'delegate', state: 'waiting' }],
      builders: [
        { job: { label: '1/research', waiting: { question: 'Which class?' } }, builders: [] },
        { job: { label: '1/write', state: 'queued', blocked: true }, builders: [] },
      ],
    });
    for (const name of [id, '#1', 'job 1']) expect(await jobs.show(alice, name)).toEqual(shown);
    for (const name of ['1/research', `${id}.1.research.1`])
      expect(await jobs.show(alice, name)).toMatchObject({
        job: { label: '1/research', spent: { tokens: 1_200 } },
        steps: [{ name: 'look', state: 'succeeded', output: 'three trains' }, { name: 'message' }],
      });
    for (const name of ['2', '1/nobody', 'unknown', '1/'])
      await expect(jobs.show(alice, name)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('have only the beginning of long values, and nothing of large ones that are no text', async () => {
    await scripted.start(alice, 'j1', 'asks', { input: { pages: 'x'.repeat(10_000) } });
    await scripted.start(alice, 'j2', 'asks', { input: 'x'.repeat(10_000) });
    expect((await jobs.show(alice, '1')).job.input).toBeNull();
    expect((await jobs.show(alice, '2')).job.input).toMatch(/^x{500,1000} \[The rest is left out\.\]$/);
  });

  it('cannot be reached under a tenant that does not have them', async () => {
    await scripted.start(alice, 'j1', 'asks');
    const before = await scripted.run(alice, 'j1');
    for (const name of ['j1', '1']) {
      await expect(jobs.show(bob, name)).rejects.toMatchObject({ code: 'not_found' });
      await expect(jobs.cancel(bob, name, 'mine')).rejects.toMatchObject({ code: 'not_found' });
      await expect(jobs.retry(bob, name, {})).rejects.toMatchObject({ code: 'not_found' });
      await expect(jobs.answer(bob, name, 'first')).rejects.toMatchObject({ code: 'not_found' });
      await expect(jobs.follow(bob, name, new AbortController().signal)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
        code: 'not_found',
      });
    }
    expect(await platform.jobs.get(alice, before.jobId)).toEqual(before);
    expect(await audited(bob)).toEqual([]);
  });

  it('are cancelled with their builders and a reason, once, and on record', async () => {
    await scripted.start(alice, 'j1', 'manages');
    await scripted.run(alice, 'j1');
    const ended = await jobs.cancel(alice, '1', 'the offer is over');
    expect(ended).toMatchObject({ state: 'cancelled', reason: 'the offer is over' });
    expect((await jobs.show(alice, '1')).builders.map(({ job }) => job.state)).toEqual(['cancelled', 'cancelled']);
    expect(await jobs.cancel(alice, '1', 'again')).toMatchObject({ reason: 'the offer is over' });
    expect(await audited(alice)).toEqual(['test job-cancel j1']);
  });

  it('are tried again with more to use up than before, and on record', async () => {
    await scripted.start(alice, 'j1', 'gives-up', { budget: { tokens: 10, steps: 5 } });
    expect(await scripted.run(alice, 'j1')).toMatchObject({ state: 'failed', reason: 'no way on' });
    expect(await jobs.retry(alice, '1', { tokens: 500, steps: 7 })).toMatchObject({
      state: 'queued',
      retries: 1,
      budget: { tokens: 500, steps: 8 },
    });
    await expect(jobs.retry(alice, '1', {})).rejects.toMatchObject({ code: 'conflict', message: 'job 1 is queued' });
    await expect(jobs.retry(alice, '1', { tokens: -1 })).rejects.toMatchObject({ code: 'invalid' });
    expect(await audited(alice)).toEqual(['test job-retry j1']);
  });

  it('go on with what they are told, and say when they wait for nothing', async () => {
    await scripted.start(alice, 'j1', 'asks');
    await expect(jobs.answer(alice, '1', 'first')).rejects.toMatchObject({ code: 'conflict' });
    await scripted.run(alice, 'j1');
    expect(await jobs.answer(alice, '1', 'second class')).toMatchObject({ state: 'queued' });
    expect(await scripted.run(alice, 'j1')).toMatchObject({ state: 'succeeded', result: 'second class' });
    await expect(jobs.answer(alice, '1', 'first')).rejects.toMatchObject({ code: 'conflict' });
    expect(await audited(alice)).toEqual(['test job-answer j1']);
  });

  it('are told whether a step was done that nobody knows of, in one of three words', async () => {
    await scripted.openChat(alice);
    await scripted.start(alice, 'j1', 'doubts', { conversationId: chat });
    expect(await scripted.run(alice, 'j1')).toMatchObject({ waiting: { for: 'decision' } });
    await expect(jobs.answer(alice, '1', 'perhaps')).rejects.toMatchObject({
      code: 'invalid',
      message: 'nobody knows whether a step of job 1 was done: answer done, repeat, failed',
    });
    await jobs.answer(alice, '1', ' Done ');
    expect(await scripted.run(alice, 'j1')).toMatchObject({ state: 'succeeded', result: 'succeeded' });
    expect(await audited(alice)).toEqual(['test job-answer j1']);
  });

  it('are followed through their changes and those of their builders to the end', async () => {
    await scripted.start(alice, 'j1', 'manages');
    const seen: string[] = [];
    const happens: Record<string, () => Promise<unknown>> = {
      'queued: ': () => scripted.run(alice, 'j1'),
      'waiting: queued queued': () => scripted.run(alice, 'j1.1.research.1'),
      'waiting: waiting queued': () => jobs.cancel(alice, 'j1', 'seen enough'),
    };
    for await (const { job, builders } of jobs.follow(alice, '1', new AbortController().signal)) {
      const now = `${job.state}: ${builders.map((builder) => builder.job.state).join(' ')}`;
      seen.push(now);
      await happens[now]?.();
      delete happens[now];
    }
    expect(happens).toEqual({});
    expect(seen.at(-1)).toBe('cancelled: cancelled cancelled');
  });

  it('go on when one stops following them', async () => {
    await scripted.start(alice, 'j1', 'asks');
    const stop = new AbortController();
    const seen: JobDetails[] = [];
    for await (const details of jobs.follow(alice, '1', stop.signal)) {
      seen.push(details);
      stop.abort();
    }
    expect(seen.map(({ job }) => job.state)).toEqual(['queued']);
    expect(await scripted.run(alice, 'j1')).toMatchObject({ state: 'waiting' });
  });
});

describe('the API of jobs', () => {
  it('refuses what it does not know with a problem that says what', async () => {
    const { url, token } = await startConsole();
    await scripted.start(alice, 'j1', 'asks');
    const call = async (method: string, path: string, body?: object) => {
      const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) };
      const answer = await fetch(`${url}/api/v1/${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
      return { status: answer.status, type: answer.headers.get('content-type'), body: (await answer.json()) as unknown };
    };
    for (const [method, path, body] of [
      ['GET', 'jobs?state=lost'],
      ['GET', 'jobs?open=perhaps'],
      ['GET', 'jobs?limit=0'],
      ['GET', 'jobs?tenant=alice'],
      ['GET', 'tenants/Alice/jobs'],
      ['GET', 'tenants/alice/jobs/%00'],
      ['POST', 'tenants/alice/jobs/1/cancel', {}],
      ['POST', 'tenants/alice/jobs/1/retry', { tokens: 0 }],
      ['POST', 'tenants/alice/jobs/1/retry', { money: 1 }],
      ['POST', 'tenants/alice/jobs/1/answer', { words: '' }],
    ] as const)
      expect(await call(method, path, body)).toMatchObject({
        status: 400,
        type: expect.stringContaining('application/problem+json'),
        body: { code: 'invalid', status: 400 },
      });
    expect(await call('GET', 'tenants/alice/jobs/1%2Fresearch')).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(await call('GET', 'tenants/alice/jobs/%23' + '1')).toMatchObject({ status: 200, body: { job: { jobId: 'j1' } } });
  });
});
