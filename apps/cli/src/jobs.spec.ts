import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { consoleModule, type JobDetails } from '@rockpool/console';
import { platformOwner, type ScheduleId, type TenantId } from '@rockpool/contracts';
import { startApps } from '@rockpool/platform';
import { parseConfig, type RunningService } from '@rockpool/service';
import { AuditLog, tenantsFile } from '@rockpool/tenancy';
import { openPlatform, type Platform } from './compose.js';
import type { rockpool as Rockpool } from './testing/run-command.js';
import { ScriptedJobs } from './testing/scripted-jobs.js';

/** `rockpool jobs` and `rockpool schedules` as a person gives them, on a running console or on a data folder that nobody has open. */

const alice = 'alice' as TenantId;
const bob = 'bob' as TenantId;

let settings: string;
let folder: string;
let rockpool: typeof Rockpool;
let platform: Platform;
let service: RunningService | undefined;
let scripted: ScriptedJobs;

beforeAll(async () => {
  settings = await mkdtemp(join(tmpdir(), 'rockpool-settings-'));
  process.env['XDG_CONFIG_HOME'] = settings;
  ({ rockpool } = await import('./testing/run-command.js'));
});
afterAll(() => rm(settings, { recursive: true }));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-jobs-'));
  await open();
  await platform.controlPlane.apply({
    file: tenantsFile.parse({ tenants: { alice: { timeZone: 'Europe/Paris' }, bob: {} } }),
    secrets: {},
  });
});
afterEach(async () => {
  await shut();
  await rm(folder, { recursive: true });
});

async function open(): Promise<void> {
  const parsed = parseConfig({
    PORT: '0',
    ROCKPOOL_DATA_DIR: join(folder, 'data'),
    ROCKPOOL_LOG_LEVEL: 'silent',
    XDG_CONFIG_HOME: settings,
  });
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  platform = await openPlatform(parsed.config, 'test');
  scripted = new ScriptedJobs(platform);
}

async function shut(): Promise<void> {
  await service?.close();
  service = undefined;
  await platform.close();
}

const here = () => ['--data-dir', join(folder, 'data')];
/** On the console alone, so that nothing happens to jobs but what a test has happen. */
async function there(): Promise<string[]> {
  service ??= await startApps('console', platform, [consoleModule(platform, platform.controlPlane)], { silent: true });
  return [...here(), '--url', service.url];
}

describe('rockpool jobs', () => {
  it('lists those of all tenants, or of one, newest first', async () => {
    expect((await rockpool('jobs', ...(await there()))).out).toBe('There are no such jobs.\n');
    await scripted.start(alice, 'j1', 'asks', { title: 'Compare trains' });
    await scripted.run(alice, 'j1');
    await scripted.start(bob, 'k1', 'manages', { title: 'Write a book' });
    const lines = (await rockpool('jobs', ...(await there()))).out.split('\n').map((line) => line.split(/ {2,}/));
    expect(lines.map(([job, state]) => `${job} ${state}`).slice(0, 3)).toEqual(['JOB STATE', 'bob/1 queued', 'alice/1 waiting']);
    expect(lines[2]!.slice(-2)).toEqual(['Compare trains', 'waiting for an answer']);
    expect((await rockpool('jobs', 'list', 'bob', ...(await there()))).out).not.toContain('alice');
    const page = await rockpool('jobs', 'list', '--open', '--limit', '1', '--json', ...(await there()));
    const { items, nextCursor } = JSON.parse(page.out) as { items: { jobId: string }[]; nextCursor: string };
    expect(items.map(({ jobId }) => jobId)).toEqual(['k1']);
    expect((await rockpool('jobs', '--limit', '1', '--cursor', nextCursor, ...(await there()))).out).toContain('alice/1');
  });

  it('shows a job with its steps, its question and the answer to give, which it then goes on with', async () => {
    await scripted.start(alice, 'j1', 'asks');
    await scripted.run(alice, 'j1');
    const shown = await rockpool('jobs', 'show', 'alice/1', ...(await there()));
    expect(shown.out).toMatch(/^job {11}alice\/1\n/);
    expect(shown.out).toMatch(/\n {3}1 look {4}succeeded {5}1 .*━.* 1,200 tokens.*\n {3}2 message waiting .*┄/);
    expect(shown.out).toMatch(/\n\nIt asks: Which class\?\nTo answer: rockpool jobs answer alice\/1 <words>\n$/);
    expect(await rockpool('jobs', 'show', 'alice', '1', '--json', ...(await there()))).toMatchObject({
      out: `${JSON.stringify(await platform.controlPlane.jobs.show(alice, 'j1'), undefined, 2)}\n`,
    });
    const answered = await rockpool('jobs', 'answer', 'alice/1', 'second', 'class', ...(await there()));
    expect(answered).toMatchObject({ code: 0, out: 'alice/1 goes on. To follow it: rockpool jobs show alice/1 --watch\n' });
    expect(await scripted.run(alice, 'j1')).toMatchObject({ state: 'succeeded', result: 'second class' });
  });

  it('follows a job to its end, a line for each change, and ends with 1 when that is no success', async () => {
    await scripted.start(alice, 'j1', 'asks');
    const watching = rockpool('jobs', 'show', 'alice/1', '--watch', ...(await there()));
    await platform.controlPlane.jobs.cancel(alice, '1', 'seen enough');
    const { code, out } = await watching;
    expect(code).toBe(1);
    expect(out).toMatch(/^(queued\n)?cancelled\njob {11}alice\/1\n/);
    expect(out).toContain('\nreason        seen enough\n');
    const json = await rockpool('jobs', 'show', 'alice/1', '--watch', '--json', ...(await there()));
    expect((JSON.parse(json.out) as JobDetails).job.state).toBe('cancelled');
  });

  it('cancels and tries again, and says when there is nothing of either', async () => {
    await scripted.start(alice, 'j1', 'gives-up');
    expect(await rockpool('jobs', 'cancel', 'alice/1', ...(await there()))).toMatchObject({ code: 0, out: 'alice/1 is cancelled.\n' });
    const retried = await rockpool(
      'jobs',
      'retry',
      'alice/1',
      '--steps',
      '3',
      '--tokens',
      '10',
      '--cost',
      '0.5',
      '--json',
      ...(await there()),
    );
    expect(JSON.parse(retried.out)).toMatchObject({ state: 'queued', budget: { steps: 3, tokens: 10, costUsd: 0.5 } });
    expect(await rockpool('jobs', 'retry', 'alice/1', ...(await there()))).toMatchObject({ code: 1, err: 'job 1 is queued' });
    await scripted.run(alice, 'j1');
    expect(await rockpool('jobs', 'cancel', 'alice/1', ...(await there()))).toMatchObject({
      code: 1,
      out: 'alice/1 was over before: it failed.\n',
    });
  });

  it('works on a data folder without an instance, and says that nothing goes on there', async () => {
    await scripted.start(alice, 'j1', 'asks');
    await scripted.run(alice, 'j1');
    await shut();
    const watched = await rockpool('jobs', 'show', 'alice/1', '--watch', ...here());
    expect(watched).toMatchObject({ code: 69, err: 'No instance runs on this data folder, so there is nothing to follow: npm start' });
    expect(watched.out).toContain('It asks: Which class?');
    expect((await rockpool('jobs', 'answer', 'alice/1', 'first', ...here())).out).toContain('it goes on once one does (npm start)');
    await open();
    expect(await scripted.run(alice, 'j1')).toMatchObject({ state: 'succeeded', result: 'first' });
  });

  it('ends with 1 for what does not exist, 2 for wrong usage', async () => {
    expect(await rockpool('jobs', 'show', 'alice/9', ...(await there()))).toMatchObject({ code: 1, err: 'there is no job 9' });
    expect(await rockpool('jobs', 'list', 'nobody', ...(await there()))).toMatchObject({ code: 1, err: 'there is no tenant nobody' });
    for (const wrong of [
      ['show', '12'],
      ['show', 'alice/..'],
      ['list', '--state', 'lost'],
      ['list', '--state', 'failed', '--open'],
      ['retry', 'alice/1', '--cost', 'much'],
      ['answer', 'alice/1'],
    ])
      expect(await rockpool('jobs', ...wrong, ...here())).toMatchObject({ code: 2 });
  });

  it.each(['list', 'show', 'cancel', 'retry', 'answer'])('%s explains itself with examples and exit codes', async (command) => {
    const { code, out } = await rockpool('jobs', command, '--help');
    expect(code).toBe(0);
    expect(out).toContain('Examples:\n  $ rockpool jobs');
    expect(out).toContain('--json');
    expect(out).toContain('Exit codes:');
  });
});

describe('rockpool schedules', () => {
  const add = async (...more: string[]) =>
    rockpool(
      'schedules',
      'add',
      'alice',
      'parcel',
      '--conversation',
      'web:alice:1',
      '--heartbeat',
      'Has it come?',
      ...more,
      ...(await there()),
    );
  const upkeep = () =>
    platform.schedules.put(platformOwner, 'tidy' as ScheduleId, {
      title: 'tidy up',
      when: { kind: 'cron', expression: '0 3 * * *', timeZone: 'UTC' },
      effect: { kind: 'upkeep', name: 'tidy' },
      createdBy: 'platform',
    });

  it('takes quiet hours, and shows one with its next times in its zone', async () => {
    const added = await add('--cron', '*/30 * * * *', '--quiet', '22:00-07:00', '--quiet-then', 'later');
    expect(added).toMatchObject({ code: 0, out: expect.stringMatching(/^Schedule 1, parcel: .* \(from 22:00 to 07:00 it waits\)\n$/) });
    const [made] = await platform.controlPlane.schedules(alice);
    expect(made!.quiet).toEqual({ from: '22:00', to: '07:00', then: 'later', timeZone: 'Europe/Paris' });
    const { out } = await rockpool('schedules', 'show', 'alice', '1', ...(await there()));
    expect(out).toContain('\nwhen          */30 * * * * (Europe/Paris), from 22:00 to 07:00 it waits\n');
    expect(out).toContain('\ndoes          heartbeat in web:alice:1: Has it come?\n');
    expect(out).toContain('\nlast          never\n');
    const runs = out.split('\nnext ')[1]!.trim().split(/\n +/);
    expect(runs).toHaveLength(5);
    for (const run of runs) expect(run).toMatch(/^\w{3}, \d{1,2} \w{3,4} \d{4}, (0[7-9]|1\d|2[01]|22:00).* (CET|CEST|GMT\+[12])$/);
    expect((await rockpool('schedules', 'list', 'alice', ...(await there()))).out).toContain(
      '(Europe/Paris), from 22:00 to 07:00 it waits',
    );
  });

  it('refuses quiet hours that are none', async () => {
    expect(await add('--cron', '0 8 * * *', '--quiet', '22-7')).toMatchObject({ code: 2 });
    expect(await add('--cron', '0 8 * * *', '--quiet-then', 'skip')).toMatchObject({ code: 2 });
    expect(await add('--cron', '0 8 * * *', '--quiet', '25:00-07:00')).toMatchObject({
      code: 1,
      err: expect.stringContaining('quiet hours are given as'),
    });
  });

  it('lists those of all tenants and the platform’s own by when they come, page by page', async () => {
    expect((await rockpool('schedules', ...(await there()))).out).toBe('Nothing is planned.\n');
    await upkeep();
    await add('--at', '2090-01-01T08:00');
    const first = await rockpool('schedules', 'list', '--limit', '1', '--json', ...(await there()));
    const { items, nextCursor } = JSON.parse(first.out) as { items: { title: string }[]; nextCursor: string };
    expect(items.map(({ title }) => title)).toEqual(['tidy up']);
    expect((await rockpool('schedules', 'list', '--cursor', nextCursor, ...(await there()))).out).toMatch(
      /\nalice +1 +parcel +active +2090/,
    );
    expect((await rockpool('schedules', ...(await there()))).out).toMatch(/^TENANT.*\nplatform +1 +tidy up +active .* tidy +0\nalice /);
  });

  it('pauses upkeep of the platform and has it run now, on record, but does not delete it', async () => {
    await upkeep();
    expect((await rockpool('schedules', 'list', 'platform', ...(await there()))).out).toContain('tidy up');
    const ran = await rockpool('schedules', 'run', 'platform', '1', ...(await there()));
    expect(ran.out).toBe('It begins now. What came of it: rockpool schedules show platform 1\n');
    expect((await platform.schedules.get(platformOwner, 'tidy' as ScheduleId)).nextAt).toBeLessThanOrEqual(Date.now());
    expect(await rockpool('schedules', 'pause', 'platform', '1', ...(await there()))).toMatchObject({
      out: 'Schedule 1, tidy up: paused\n',
    });
    expect(await rockpool('schedules', 'run', 'platform', '1', ...(await there()))).toMatchObject({
      code: 1,
      err: 'it is paused: resume it first',
    });
    expect(await rockpool('schedules', 'delete', 'platform', '1', ...(await there()))).toMatchObject({ code: 1 });
    expect(await platform.controlPlane.schedules(platformOwner)).toMatchObject([{ state: 'paused', title: 'tidy up' }]);
    const { entries } = await new AuditLog(platform.cloud.documents).read(platformOwner);
    expect(entries.map(({ action, subjects }) => `${action} ${subjects.join(' ')}`)).toEqual(['schedule-run tidy', 'schedule-pause tidy']);
  });
});
