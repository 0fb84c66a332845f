import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Documents } from '@rockpool/cloud';
import { Database, SqliteDocuments } from '@rockpool/cloud-embedded';
import { ManualClock } from '@rockpool/cloud/testing';
import { subscriptions, type EventId, type JobId, type ScheduleId, type TenantId } from '@rockpool/contracts';
import { Inbox, paths } from '@rockpool/conversations';
import { jobPaths, schedulePaths } from '@rockpool/jobs';
import { Alerts } from '@rockpool/service';
import type { PlanName } from '@rockpool/tenancy';
import { indexes } from '../engine.js';
import { hostPaths, type HostRecord } from '../hosts/host-record.js';
import { BacklogWatch } from './backlog-watch.js';
import { HostWatch } from './host-watch.js';

const minute = 60_000;
const alice = 'alice' as TenantId;

let folder: string;
let database: Database;
let documents: Documents;
let clock: ManualClock;
let alerts: Alerts;
let plan: PlanName;
let dead: Record<string, number | Error>;
let warnings: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-watchdog-'));
  database = Database.open(join(folder, 'state.db'), { synchronous: 'OFF' });
  documents = new SqliteDocuments(database, indexes);
  // Documents expire by the time of the machine.
  clock = new ManualClock(Date.parse('2040-03-01T12:00:00Z'));
  alerts = new Alerts(documents, clock.now);
  plan = 'free';
  dead = {};
  warnings = [];
});
afterEach(async () => {
  (documents as SqliteDocuments).close();
  await database.close();
  await rm(folder, { recursive: true });
});

const lasting = async () => (await alerts.list()).filter(({ overAt }) => overAt === undefined).map(({ id }) => id);
const reasonOf = async (id: string) => (await alerts.list()).find((alert) => alert.id === id)?.reason;

describe('hosts', () => {
  const tenants = { list: async () => [{ id: alice, spec: { plan }, version: '1' }] } as unknown as ConstructorParameters<
    typeof HostWatch
  >[1];
  const watch = () => new HostWatch(documents, tenants, alerts, clock.now);
  const look = () => watch().look();
  const host = async (id: string) => (await documents.get<HostRecord>(hostPaths.host(id)))?.data;

  async function says(id: string, more: Partial<HostRecord> = {}): Promise<void> {
    const record: HostRecord = {
      id,
      version: '1.0.0',
      startedAt: clock.now(),
      seenAt: clock.now(),
      rssBytes: 100,
      memoryLimitBytes: 1_000,
      work: { conversations: 2, slices: 1 },
      everyMs: 20_000,
      isSteady: false,
      isSupervised: true,
      ...more,
    };
    const { drainAskedAt, fullChecks } = (await host(id)) ?? {};
    const kept = { ...(drainAskedAt !== undefined && { drainAskedAt }), ...(fullChecks !== undefined && { fullChecks }) };
    await documents.set(hostPaths.host(id), { ...record, ...kept });
  }

  it('that are well are nobody’s business', async () => {
    await says('h1');
    await look();
    clock.advance(80_000);
    await look();
    expect(await lasting()).toEqual([]);
    expect((await documents.get(hostPaths.restarts))?.data).toBeUndefined();
  });

  it('that fall silent at work are an alert for a quarter of an hour', async () => {
    await says('h1');
    clock.advance(2 * minute);
    await look();
    expect(await lasting()).toEqual(['host-died-h1']);
    expect(await reasonOf('host-died-h1')).toMatch(/died at work \(2 conversations, 1 slices of jobs/);
    clock.advance(20 * minute);
    await look();
    expect(await lasting()).toEqual([]);
  });

  it('that rest may be silent, unless they say to be steady', async () => {
    const work = { conversations: 0, slices: 0 };
    await says('sleeps', { work });
    await says('steady', { work, isSteady: true });
    clock.advance(10 * minute);
    await look();
    expect((await host('sleeps'))?.diedAt).toBeUndefined();
    expect((await host('steady'))?.diedAt).toBe(clock.now());
    // It had nothing to do, so nothing was cut off.
    expect(await lasting()).toEqual([]);
  });

  it('that die again and again are another alert', async () => {
    for (const id of ['h1', 'h2', 'h3']) {
      await says(id);
      clock.advance(3 * minute);
      await look();
    }
    expect(await lasting()).toContain('host-restarts-often');
    clock.advance(20 * minute);
    await look();
    expect(await lasting()).toEqual([]);
  });

  it('whose memory stays full are an alert, and asked to end when something starts them anew', async () => {
    for (let n = 0; n < 3; n++) {
      await says('alone', { rssBytes: 950, isSupervised: false });
      await says('pooled', { rssBytes: 910 });
      await look();
      clock.advance(minute);
    }
    expect(await lasting()).toEqual(['host-memory-alone', 'host-memory-pooled']);
    expect(await reasonOf('host-memory-alone')).toBe('it uses 0 of 0 MiB');
    expect(await host('pooled')).toHaveProperty('drainAskedAt');
    expect(await host('alone')).not.toHaveProperty('drainAskedAt');
  });

  it('are asked one at a time, the fullest first', async () => {
    for (let n = 0; n < 3; n++) {
      await says('full', { rssBytes: 910 });
      await says('fuller', { rssBytes: 990 });
      await look();
      clock.advance(minute);
    }
    expect([(await host('full'))?.drainAskedAt, (await host('fuller'))?.drainAskedAt]).toEqual([undefined, expect.any(Number)]);
  });

  it('are not asked for what they said before they went to rest', async () => {
    await says('h1', { rssBytes: 990, work: { conversations: 0, slices: 0 } });
    for (let n = 0; n < 10; n++) {
      clock.advance(minute);
      await look();
    }
    expect(await lasting()).toEqual([]);
    expect(await host('h1')).not.toHaveProperty('drainAskedAt');
  });

  /** Each host that was asked ends and is started anew, and its memory fills at once. */
  async function alwaysFull(minutes: number): Promise<number> {
    let restarts = 0;
    for (let n = 0; n < minutes; n++) {
      const id = `h${restarts}`;
      await says(id, { rssBytes: 990 });
      await look();
      if ((await host(id))?.drainAskedAt !== undefined) {
        restarts++;
        await documents.delete(hostPaths.host(id));
      }
      clock.advance(minute);
    }
    return restarts;
  }

  it('are started anew three times where tenants are free or starter, then a person has to look', async () => {
    expect(await alwaysFull(60)).toBe(3);
    expect(await lasting()).toContain('host-restarts-used-up');
  });

  it('are started anew for ever where the best plan they serve is pro', async () => {
    plan = 'pro';
    expect(await alwaysFull(180)).toBeGreaterThan(7);
    expect(await lasting()).not.toContain('host-restarts-used-up');
  });

  it('that speak in the moment they were taken for dead are believed', async () => {
    await says('h1');
    clock.advance(5 * minute);
    const query = documents.query.bind(documents);
    documents.query = (async (asked: Parameters<typeof query>[0]) => {
      const page = await query(asked);
      await says('h1');
      return page;
    }) as typeof documents.query;
    await look();
    expect(await host('h1')).not.toHaveProperty('diedAt');
    expect(await lasting()).toEqual([]);
  });

  it('are looked at by two schedulers at once to the same end', async () => {
    await says('h1', { rssBytes: 990 });
    for (let n = 0; n < 4; n++) {
      await says('h1', { rssBytes: 990 });
      await Promise.all([look(), look()]);
      clock.advance(minute);
    }
    expect(await host('h1')).toHaveProperty('drainAskedAt');
    expect((await documents.get<{ asked: number[] }>(hostPaths.restarts))?.data.asked).toHaveLength(1);
  });
});

describe('backlogs', () => {
  const stats = async (name: string) => {
    const deadLetters = dead[name] ?? 0;
    if (deadLetters instanceof Error) throw deadLetters;
    return { backlog: 0, oldestAgeMs: 0, deadLetters };
  };
  const look = (afterOutage = false) =>
    new BacklogWatch({
      documents,
      bus: { stats },
      inbox: new Inbox(documents),
      alerts,
      now: clock.now,
      onWarning: (message) => warnings.push(message),
    }).look({ afterOutage });

  it('of dead letters are an alert until they were put back', async () => {
    dead[subscriptions.drive.name] = 2;
    await look();
    expect(await lasting()).toEqual([`dead-letters-${subscriptions.drive.name}`]);
    dead = {};
    await look();
    expect(await lasting()).toEqual([]);
  });

  it('that cannot be looked at leave their alerts as they are, and the others are looked at', async () => {
    dead[subscriptions.drive.name] = 2;
    await look();
    dead[subscriptions.drive.name] = new Error('no answer');
    await quarantine('a1');
    await look();
    expect(await lasting()).toEqual([`dead-letters-${subscriptions.drive.name}`, 'quarantined-alice']);
    expect(warnings).toEqual(['the watchdog could not look after dead-letters-']);
  });

  it('of quarantined turns are one alert a tenant', async () => {
    for (let n = 0; n < 3; n++) await quarantine(`a${n}`);
    await quarantine('b', 'bob' as TenantId);
    await look();
    expect(await lasting()).toEqual(['quarantined-alice', 'quarantined-bob']);
    expect(await reasonOf('quarantined-alice')).toMatch(/^3 could not be answered/);
  });

  it('of jobs are those that nobody takes up, and those that outlived their deadline', async () => {
    const ago = clock.now() - 20 * minute;
    const far = clock.now() + 60 * minute;
    const job = (jobId: string, more: object) =>
      documents.set(jobPaths.job(alice, jobId as JobId), {
        tenantId: alice,
        jobId,
        open: true,
        state: 'queued',
        createdAt: ago,
        deadlineAt: far,
        ...more,
      });
    await job('in line', { line: '1' });
    await job('waits for builders', { blocked: true });
    await job('was begun', { startedAt: ago });
    await job('waits for a person', { state: 'waiting', startedAt: ago });
    await job('young', { createdAt: clock.now() });
    await look();
    expect(await lasting()).toEqual([]);
    await job('never begun', {});
    await job('too old', { state: 'waiting', startedAt: ago, deadlineAt: ago });
    await look();
    expect(await lasting()).toEqual(['overdue-jobs']);
    expect(await reasonOf('overdue-jobs')).toMatch(/^2 should have been taken up .* of alice$/);
  });

  it('of schedules are those that should have fired, but not while everything comes late after an outage', async () => {
    const schedule = (id: string, nextAt: number, state = 'active') =>
      documents.set(schedulePaths.schedule(alice, id as ScheduleId), { tenantId: alice, scheduleId: id, state, nextAt });
    await schedule('young', clock.now() - minute);
    await schedule('paused', clock.now() - 60 * minute, 'paused');
    await look();
    expect(await lasting()).toEqual([]);
    await schedule('old', clock.now() - 20 * minute);
    await look(true);
    expect(await lasting()).toEqual([]);
    await look();
    expect(await lasting()).toEqual(['overdue-schedules']);
  });

  async function quarantine(id: string, tenantId = alice): Promise<void> {
    const eventId = id as EventId;
    await documents.set(paths.turn(tenantId, eventId), { tenantId, eventId, state: 'quarantined', open: false, receivedAt: clock.now() });
  }
});
