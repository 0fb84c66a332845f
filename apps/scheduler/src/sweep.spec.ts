import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  decodeEvent,
  DriveConversation,
  inboundMessage,
  schedulerAudience,
  services,
  subscriptions,
  type TenantId,
} from '@rockpool/contracts';
import { Inbox, paths } from '@rockpool/conversations';
import { openPlatform, operationPath, startApps, type BulkOperation, type Platform } from '@rockpool/platform';
import { Alerts, parseConfig, type Logger, type RunningService } from '@rockpool/service';
import { schedulerApp } from './app.js';
import { SchedulerModule } from './scheduler.module.js';
import type { Swept } from './sweeps.js';

const alice = 'alice' as TenantId;
const minutes = 60_000;
const idle = { overdue: 0, unsettled: 0, letIn: 0 };

let folder: string;
let platform: Platform;
let service: RunningService | undefined;
let woken: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-scheduler-'));
  const parsed = parseConfig({ PORT: '0', ROCKPOOL_DATA_DIR: join(folder, 'data'), ROCKPOOL_KEY_FILE: join(folder, 'keys', 'key') });
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  platform = await openPlatform(parsed.config, 'scheduler');
  woken = [];
  service = undefined;
});

afterEach(async () => {
  await service?.close();
  await platform.close();
  await rm(folder, { recursive: true });
});

/** A message that came so long ago and nobody looked at. */
async function strand(conversations: number, agoMs: number): Promise<void> {
  const inbox = new Inbox(platform.cloud.documents, () => Date.now() - agoMs);
  for (let n = 0; n < conversations; n++) {
    const at = new Date().toISOString();
    const message = inboundMessage.parse({
      eventId: `http:alice:m${agoMs}-${n}`,
      conversationId: `http:alice:c${agoMs}-${n}`,
      kind: 'message',
      providerType: 'message',
      target: { channel: 'http', account: 'alice', chatId: 'c' },
      chatKind: 'direct',
      sender: { id: 'sender' },
      text: 'hello',
      addressed: true,
      sentAt: at,
      receivedAt: at,
      tenantId: alice,
    });
    await inbox.append(alice, message);
  }
}

/** Calls the route as whoever keeps the time does. */
async function sweep(): Promise<Swept> {
  const token = await platform.cloud.identity.mint({ audience: schedulerAudience, service: services.scheduler });
  const response = await fetch(`${service!.url}/internal/sweep`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
  expect(response.status).toBe(200);
  return (await response.json()) as Swept;
}

/** Resolves once so many wakes came. */
async function wakes(count: number): Promise<void> {
  const enough = Promise.withResolvers<void>();
  await platform.cloud.bus.subscribe(subscriptions.drive, async (delivery) => {
    woken.push(decodeEvent(DriveConversation, delivery).conversationId);
    if (woken.length === count) enough.resolve();
    return { kind: 'ack' };
  });
  await enough.promise;
}

const options = () => ({
  audience: schedulerAudience,
  jobSweep: () => platform.jobsOf({}).sweep,
  upkeep: (log: Logger) => platform.upkeepOf({ log }),
});

const start = async () => {
  service = await startApps('scheduler', platform, [schedulerApp.module(platform)], { silent: true });
};

describe('a sweep', () => {
  it('wakes the conversations whose turns are open for more than a minute', async () => {
    await strand(3, 2 * minutes);
    await strand(2, 30_000);
    await start();
    expect(await sweep()).toEqual({ woken: 3, rearmed: 0, jobs: idle });
    await wakes(3);
    expect(woken.sort()).toEqual([0, 1, 2].map((n) => `http:alice:c${2 * minutes}-${n}`));
  });

  it('goes through all pages', async () => {
    await strand(450, 2 * minutes);
    await start();
    expect(await sweep()).toEqual({ woken: 450, rearmed: 0, jobs: idle });
  });

  it('wakes only a few while an agent host is away, and all once it is back', async () => {
    await strand(25, 2 * minutes);
    const alerts = new Alerts(platform.cloud.documents);
    await alerts.raise({ id: 'agent-host-1', subject: 'agent host', reason: 'gone', remedy: 'start it' });
    await start();
    expect(await sweep()).toEqual({ woken: 10, rearmed: 0, jobs: idle });
    await alerts.clear('agent-host-1');
    expect(await sweep()).toEqual({ woken: 25, rearmed: 0, jobs: idle });
  });

  it('works off operations in bulk where the console is elsewhere', async () => {
    await strand(30, 2 * minutes);
    for (const turn of (await platform.inbox.list({ limit: 100 })).items) {
      await platform.cloud.documents.set(paths.turn(alice, turn.eventId), { ...turn, state: 'quarantined', open: false });
    }
    const operation: BulkOperation = {
      id: 'begun-elsewhere',
      request: { action: 'replay', state: 'quarantined', before: Date.now() },
      actor: 'cli',
      state: 'running',
      createdAt: Date.now(),
      planned: 30,
      done: 0,
      skipped: 0,
      problems: [],
    };
    await platform.cloud.documents.create(operationPath(operation.id), operation);
    const module = SchedulerModule.register({ ...options(), worksInBulk: true });
    service = await startApps('scheduler', platform, [module], { silent: true });
    await sweep();
    const after = await platform.cloud.documents.get<BulkOperation>(operationPath(operation.id));
    expect(after?.data).toMatchObject({ state: 'done', done: 30, skipped: 0 });
    expect((await platform.inbox.list({ state: 'pending', limit: 100 })).items).toHaveLength(30);
  });

  it('happens by itself where the process keeps the time', async () => {
    await strand(1, 2 * minutes);
    const module = SchedulerModule.register({ ...options(), sweepEveryMs: 5, worksInBulk: false });
    service = await startApps('scheduler', platform, [module], { silent: true });
    await wakes(1);
  });
});
