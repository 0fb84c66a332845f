import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  decodeEvent,
  DriveConversation,
  fireSchedulePath,
  schedulerAudience,
  services,
  subscriptions,
  type ConversationId,
  type ScheduleId,
  type TenantId,
} from '@rockpool/contracts';
import { paths } from '@rockpool/conversations';
import { fromFile, schedulePaths, type ScheduleRecord } from '@rockpool/jobs';
import { openPlatform, startApps, type Platform } from '@rockpool/platform';
import { parseConfig, type RunningService } from '@rockpool/service';
import { TenantDirectory, tenantsFile } from '@rockpool/tenancy';
import { schedulerApp } from './app.js';

const alice = 'alice' as TenantId;
const chat = 'http:alice:c' as ConversationId;
const water = 'water' as ScheduleId;
const target = { channel: 'http', account: 'alice', chatId: 'c', shared: false } as const;

let folder: string;
let platform: Platform;
let service: RunningService | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-fire-'));
  await open();
  await apply({ alice: {} });
});
afterEach(async () => {
  await service?.close();
  await platform.close();
  await rm(folder, { recursive: true });
});

async function open(): Promise<void> {
  const parsed = parseConfig({ PORT: '0', ROCKPOOL_DATA_DIR: join(folder, 'data'), ROCKPOOL_KEY_FILE: join(folder, 'keys', 'key') });
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  platform = await openPlatform(parsed.config, 'scheduler');
  service = undefined;
}

async function apply(tenants: object): Promise<void> {
  const directory = new TenantDirectory(platform.cloud.documents, platform.cloud.secrets);
  await directory.apply(await directory.plan(tenantsFile.parse({ tenants })));
}

const start = async () => {
  service = await startApps('scheduler', platform, [schedulerApp.module(platform)], { silent: true });
};

/** Resolves with the first conversation that is woken. */
async function woken(): Promise<string> {
  const first = Promise.withResolvers<string>();
  await platform.cloud.bus.subscribe(subscriptions.drive, async (delivery) => {
    first.resolve(decodeEvent(DriveConversation, delivery).conversationId);
    return { kind: 'ack' };
  });
  return first.promise;
}

const plan = (id: ScheduleId, inMs: number, createdBy = 'test') =>
  platform.schedules.put(alice, id, {
    title: id,
    when: { kind: 'once', at: Date.now() + inMs },
    effect: { kind: 'prompt', conversationId: chat, text: 'Water the plants.', target },
    createdBy,
  });

/** Asks for the firing as a task does. */
async function fire({ tenantId, scheduleId, nextAt, hop }: ScheduleRecord, caller: string = services.agentHost) {
  const token = await platform.cloud.identity.mint({ audience: schedulerAudience, service: caller });
  const response = await fetch(service!.url + fireSchedulePath, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ tenantId, scheduleId, plannedAt: nextAt, hop }),
  });
  return { status: response.status, body: (await response.json()) as { kind?: string } };
}

const inbox = async () => (await platform.inbox.open(alice, chat)).map(({ message }) => message.text);

/** As it would be had it been due a moment ago and its task been lost. */
async function makeDue(id: ScheduleId): Promise<ScheduleRecord> {
  const at = Date.now() - 1_000;
  const due: ScheduleRecord = { ...(await platform.schedules.get(alice, id)), when: { kind: 'once', at }, nextAt: at };
  await platform.cloud.documents.set(schedulePaths.schedule(alice, id), due);
  return due;
}

describe('a schedule', () => {
  it('fires over its task, at the address the process has after a restart', async () => {
    await plan(water, 500);
    await platform.close();
    await open();
    await start();
    expect(await woken()).toBe(chat);
    expect(await inbox()).toEqual(['Water the plants.']);
    expect((await platform.cloud.documents.get(paths.conversation(alice, chat)))?.data).toMatchObject({ target });
  });

  it('fires once, however many tasks ask', async () => {
    await plan(water, 3_600_000);
    await start();
    const due = await makeDue(water);
    expect(await fire(due)).toMatchObject({ status: 200, body: { kind: 'fired' } });
    expect(await fire(due)).toMatchObject({ status: 200, body: { kind: 'duplicate' } });
    expect(await inbox()).toEqual(['Water the plants.']);
  });

  it('fires for nobody else, and for no nonsense', async () => {
    const record = await plan(water, 3_600_000);
    await start();
    expect((await fire(record, 'ingress')).status).toBe(401);
    expect((await fire({ ...record, hop: -1 })).status).toBe(400);
  });

  it.each([
    ['a suspended tenant', { alice: { suspended: true } }, 'test', 'tenant alice is suspended'],
    ['a tenant that was removed', {}, 'test', 'tenant alice was removed'],
    ['tenants.yaml, which has it no more', { alice: {} }, fromFile, 'tenants.yaml describes it no more'],
  ])('of %s says nothing, and why is on record', async (_, tenants, createdBy, reason) => {
    await plan(water, 3_600_000, createdBy);
    await start();
    await apply(tenants);
    expect(await fire(await makeDue(water))).toMatchObject({ status: 200, body: { kind: 'failed' } });
    expect(await platform.schedules.get(alice, water)).toMatchObject({ state: 'ended', skipped: 1, last: { outcome: 'failed', reason } });
    expect(await inbox()).toEqual([]);
  });
});
