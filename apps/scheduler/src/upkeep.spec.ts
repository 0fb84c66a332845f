import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '@rockpool/cloud/testing';
import {
  fireSchedulePath,
  inboundMessage,
  platformOwner,
  schedulerAudience,
  services,
  type EventId,
  type ScheduleId,
  type TenantId,
} from '@rockpool/contracts';
import { paths, type ReplyRecord, type TurnRecord } from '@rockpool/conversations';
import { schedulePaths, usagePaths, type ScheduleRecord, type UsageRecord } from '@rockpool/jobs';
import { openPlatform, startApps, upkeepSchedules, type Platform } from '@rockpool/platform';
import { parseConfig, type RunningService } from '@rockpool/service';
import { TenantDirectory, tenantsFile } from '@rockpool/tenancy';
import { TelegramSimulator } from '@rockpool/testkit';
import { schedulerApp } from './app.js';

const alice = 'alice' as TenantId;
const minute = 60_000;
const token = '1000001:alice-bot';
const operatorsToken = '1000002:operators-bot';

let folder: string;
let telegram: TelegramSimulator;
let platform: Platform;
let service: RunningService;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-upkeep-'));
  telegram = new TelegramSimulator();
  const telegramUrl = await telegram.start();
  const parsed = parseConfig({
    PORT: '0',
    ROCKPOOL_DATA_DIR: join(folder, 'data'),
    ROCKPOOL_KEY_FILE: join(folder, 'keys', 'key'),
    ROCKPOOL_TELEGRAM_API_URL: telegramUrl,
  });
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  platform = await openPlatform(parsed.config, 'scheduler');
  service = await startApps('scheduler', platform, [schedulerApp.module(platform)], { silent: true });
  await eventually('the schedules of the platform', async () => (await own()).length === upkeepSchedules.length || undefined);
});
afterEach(async () => {
  await service.close();
  await platform.close();
  await telegram.close();
  await rm(folder, { recursive: true });
});

const own = async () => (await platform.schedules.list(platformOwner)).items;
const schedule = (id: string) => platform.schedules.get(platformOwner, id as ScheduleId);

/** Calls a route of the scheduler as whoever keeps the time does. */
async function call(path: string, body?: object): Promise<{ status: number; body: { kind?: string } }> {
  const bearer = await platform.cloud.identity.mint({ audience: schedulerAudience, service: services.scheduler });
  const response = await fetch(service.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${bearer}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as { kind?: string } };
}

/** As it would be had its time come just now, or so long ago, and its task been lost. */
async function makeDue(id: string, agoMs = 1): Promise<ScheduleRecord> {
  const at = Date.now() - agoMs;
  const { busyUntil: _, ...idle } = await schedule(id);
  const due: ScheduleRecord = { ...idle, nextAt: at, armedAt: at };
  await platform.cloud.documents.set(schedulePaths.schedule(platformOwner, id as ScheduleId), due);
  return due;
}

const fire = ({ tenantId, scheduleId, nextAt, hop }: ScheduleRecord) =>
  call(fireSchedulePath, { tenantId, scheduleId, plannedAt: nextAt, hop });

async function apply(file: object, secrets: Record<string, string> = {}): Promise<void> {
  const directory = new TenantDirectory(platform.cloud.documents, platform.cloud.secrets);
  await directory.apply(await directory.plan(tenantsFile.parse(file), secrets));
}

const hook = { botToken: 'secret://alice/telegram-bot-token', webhookSecret: 'secret://alice/telegram-webhook-secret' };
const withTelegram = { alice: { channels: { telegram: { ...hook, dmPolicy: 'open' } } } };
const secretsOfAlice = { 'alice/telegram-bot-token': token, 'alice/telegram-webhook-secret': 'hook' };

/** A turn of alice in that state, ten minutes old. */
async function turnOf(id: string, more: Partial<TurnRecord>): Promise<TurnRecord> {
  const at = Date.now() - 10 * minute;
  const message = inboundMessage.parse({
    eventId: `telegram:1000001:${id}`,
    conversationId: 'telegram:1000001:12345',
    kind: 'message',
    providerType: 'message',
    target: { channel: 'telegram', account: '1000001', chatId: '12345', messageId: '1' },
    chatKind: 'direct',
    sender: { id: '12345' },
    text: 'hello',
    addressed: true,
    sentAt: new Date(at).toISOString(),
    receivedAt: new Date(at).toISOString(),
    tenantId: alice,
  });
  const turn = { ...(await platform.inbox.append(alice, message)), receivedAt: at, ...more };
  await platform.cloud.documents.set(paths.turn(alice, message.eventId), turn);
  return turn;
}

describe('the schedules of the platform', () => {
  it('are made when the scheduler starts, once, however often it is made sure of', async () => {
    expect((await own()).map(({ scheduleId }) => scheduleId)).toEqual(upkeepSchedules.map(({ id }) => id).sort());
    const before = await own();
    expect((await call('/internal/sweep')).status).toBe(200);
    expect((await own()).map(({ number }) => number)).toEqual(before.map(({ number }) => number));
    expect(before.every(({ state, createdBy, effect }) => state === 'active' && createdBy === 'platform' && effect.kind === 'upkeep')).toBe(
      true,
    );
  });

  it('are made again by the sweep where they are missing, for a scheduler that sleeps between requests', async () => {
    await platform.schedules.remove(platformOwner, 'retention' as ScheduleId);
    await call('/internal/sweep');
    expect(await schedule('retention')).toMatchObject({ state: 'active', when: { expression: '23 3 * * *', timeZone: 'UTC' } });
  });

  it('that were paused stay paused', async () => {
    await platform.schedules.pause(platformOwner, 'retention' as ScheduleId);
    await call('/internal/sweep');
    expect(await schedule('retention')).toMatchObject({ state: 'paused' });
  });

  it.each(upkeepSchedules.map(({ id }) => id))('fire once for each time: %s', async (id) => {
    const due = await makeDue(id);
    expect(await fire(due)).toMatchObject({ status: 200, body: { kind: 'fired' } });
    expect(await fire(due)).toMatchObject({ status: 200, body: { kind: 'duplicate' } });
    expect((await schedule(id)).fired).toBeGreaterThan(due.fired);
    expect((await schedule(id)).nextAt).toBeGreaterThan(due.nextAt!);
  });
});

describe('upkeep, over the task that fires it,', () => {
  it('brings to an end at the channel what a discarded turn left there', async () => {
    await apply({ tenants: withTelegram }, secretsOfAlice);
    const bot = telegram.bot({ token });
    const chat = telegram.person({ id: 12345, name: 'Ann' }).chat(bot);
    chat.unblock();
    const turn = await turnOf('1', { state: 'pending', open: true, startedAt: Date.now() - 9 * minute, attempts: 1 });
    const { target } = turn.message;
    const receipt = await (await platform.channels.for(alice, target)).place(target, 'key');
    const row: ReplyRecord = { n: 0, key: 'key', state: 'placed', receipt, unknownPlacements: 0, updatedAt: Date.now() - 5 * minute };
    await platform.cloud.documents.set(paths.reply(alice, turn.eventId, 0), row);
    const discarded = await platform.inbox.discard(alice, turn.eventId);
    await platform.cloud.documents.set(paths.turn(alice, turn.eventId), { ...discarded, finishedAt: Date.now() - 5 * minute });

    await makeDue('leases-and-ledger', minute);
    // The sweep finds that its task is lost and makes another, which comes over HTTP.
    await call('/internal/sweep');
    const shown = await chat.waitForAnswer(({ text }) => text.includes('set this message aside'));
    expect(telegram.visible(12345, bot).map(({ text }) => text)).toEqual([shown.text]);
  });

  it('tells operators once of what the watchdog found, and again when it is over', async () => {
    const alerts = { telegram: { botToken: 'secret://platform/alerts-telegram-bot-token', chatId: '777' } };
    await apply({ alerts, tenants: { alice: {} } }, { 'platform/alerts-telegram-bot-token': operatorsToken });
    const bot = telegram.bot({ token: operatorsToken });
    const operators = telegram.person({ id: 777, name: 'Olga' }).chat(bot);
    operators.unblock();
    const texts = () => telegram.visible(777, bot).map(({ text }) => text);
    await turnOf('1', { state: 'quarantined', open: false });
    await fire(await makeDue('watchdog'));
    for (let n = 0; n < 3; n++) await fire(await makeDue('alerts'));
    // The full minute may have come in this moment, with a task of its own.
    await eventually('operators to be told', () => texts().length > 0 || undefined);
    expect(texts()).toHaveLength(1);
    expect(texts()[0]).toMatch(/^🔴 Rockpool: quarantined messages of alice\n1 could not be answered/);
    expect(texts()[0]).not.toContain('hello');
    await platform.inbox.discard(alice, 'telegram:1000001:1' as EventId);
    await fire(await makeDue('watchdog'));
    // As it is when it has been over for long enough.
    const over = (await platform.cloud.documents.get<{ overAt: number }>('alerts/quarantined-alice'))!.data;
    await platform.cloud.documents.set('alerts/quarantined-alice', { ...over, overAt: over.overAt - 5 * minute });
    for (let n = 0; n < 3; n++) await fire(await makeDue('alerts'));
    await eventually('operators to be told', () => texts().length > 1 || undefined);
    expect(texts().slice(1)).toEqual([expect.stringMatching(/^🟢 Rockpool: quarantined messages of alice is well again/)]);
  });

  it('sums up what was used', async () => {
    const usage = { model: 'test/small', inputTokens: 7, outputTokens: 3 };
    const turn = await turnOf('1', { state: 'done', open: false, usage });
    await fire(await makeDue('usage'));
    const day = new Date(turn.receivedAt).toISOString().slice(0, 10);
    const record = await platform.cloud.documents.get<UsageRecord>(usagePaths.day(alice, day));
    expect(record?.data).toMatchObject({ turns: 1, inputTokens: 7, outputTokens: 3, models: { 'test/small': { turns: 1 } } });
  });

  it('deletes what plans keep no longer', async () => {
    await apply({ tenants: { alice: {} } });
    const at = Date.now() - 100 * 24 * 60 * minute;
    await turnOf('old', { state: 'done', open: false, receivedAt: at, finishedAt: at });
    await turnOf('young', { state: 'done', open: false });
    await fire(await makeDue('retention'));
    expect((await platform.inbox.list({ tenantId: alice })).items.map(({ eventId }) => eventId)).toEqual(['telegram:1000001:young']);
  });
});
