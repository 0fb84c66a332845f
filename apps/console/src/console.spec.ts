import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Global, Module } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { WebSessions } from '@rockpool/channels';
import type { Cloud } from '@rockpool/cloud';
import { inboundMessage, subscriptions, type ConversationId, type ScheduleId, type TenantId } from '@rockpool/contracts';
import { Inbox, Wakes } from '@rockpool/conversations';
import type { Schedules } from '@rockpool/jobs';
import { openPlatform, type Platform } from '@rockpool/platform';
import { parseConfig, startService, type PlatformConfig, type RunningService } from '@rockpool/service';
import { BotNames } from '@rockpool/tenancy';
import { TelegramSimulator } from '@rockpool/testkit';
import { ConsoleModule } from './console.module.js';
import { adminToken, LocalControlPlane } from './index.js';

const aliceToken = '1000001:alice-bot';
const alice = {
  channels: {
    telegram: { botToken: 'env://T', webhookSecret: 'env://S', allowFrom: ['1'] },
    web: {},
  },
};
const aliceSecrets = { 'alice/telegram-bot-token': aliceToken, 'alice/telegram-webhook-secret': 'hook-1' };

let folder: string;
let platform: Platform;
let cloud: Cloud;
let inbox: Inbox;
let schedules: Schedules;
let telegram: TelegramSimulator;
let service: RunningService;
let token: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-console-'));
  telegram = new TelegramSimulator();
  const config = configOf({
    PORT: '0',
    ROCKPOOL_DATA_DIR: join(folder, 'data'),
    ROCKPOOL_KEY_FILE: join(folder, 'key'),
    ROCKPOOL_TELEGRAM_API_URL: await telegram.start(),
    ROCKPOOL_PUBLIC_URL: 'https://bots.example.com',
  });
  platform = await openPlatform(config, 'console');
  ({ cloud, inbox, schedules } = platform);
  const controlPlane = new LocalControlPlane({
    ...platform,
    sessions: new WebSessions(cloud.secrets),
    version: '1.2.3',
    startedAt: new Date(),
    actor: 'console',
  });
  const providers = [
    { provide: Inbox, useValue: inbox },
    { provide: Wakes, useValue: platform.wakes },
  ];
  @Global()
  @Module({ providers, exports: [Inbox, Wakes] })
  class Outside {}
  service = await startService({
    name: 'console',
    config,
    cloud,
    silent: true,
    module: {
      module: class {},
      imports: [Outside, ConsoleModule.register({ controlPlane, token: () => adminToken(config.ROCKPOOL_DATA_DIR) })],
    },
  });
  token = await adminToken(config.ROCKPOOL_DATA_DIR);
});

afterEach(async () => {
  await service.close();
  await platform.close();
  await telegram.close();
  await rm(folder, { recursive: true });
});

function configOf(environment: Record<string, string>): PlatformConfig {
  const result = parseConfig(environment);
  if (!('config' in result)) throw new Error(JSON.stringify(result.problems));
  return result.config;
}

async function call(method: string, path: string, body?: unknown, authorization = `Bearer ${token}`) {
  const response = await fetch(`${service.url}/api/v1/${path}`, {
    method,
    headers: { authorization, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  // The answers' shapes are what is tested.
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

const apply = (tenantsToBe: object, secrets: object = {}, more: object = {}) =>
  call('POST', 'apply', { file: { tenants: tenantsToBe }, secrets, ...more });

function messageOf(tenantId: TenantId, eventId: string) {
  return inboundMessage.parse({
    eventId,
    conversationId: 'telegram:1000001:1',
    kind: 'message',
    providerType: 'message',
    target: { channel: 'telegram', account: '1000001', chatId: '1' },
    chatKind: 'direct',
    sender: { id: '1' },
    text: 'hello',
    addressed: true,
    sentAt: '2026-01-01T00:00:00Z',
    receivedAt: '2026-01-01T00:00:00Z',
    tenantId,
  });
}

describe('the control plane over HTTP', () => {
  it('lets nobody in without the admin token', async () => {
    for (const authorization of ['', 'Bearer', 'Bearer wrong', `Basic ${token}`, `Bearer ${token}x`]) {
      expect((await call('GET', 'tenants', undefined, authorization)).status).toBe(401);
      expect((await call('POST', 'apply', {}, authorization)).status).toBe(401);
      expect((await call('GET', 'inbox', undefined, authorization)).status).toBe(401);
      expect((await call('GET', 'status', undefined, authorization)).status).toBe(401);
      expect((await call('POST', 'operations', {}, authorization)).status).toBe(401);
    }
  });

  it('plans, and applies what was planned', async () => {
    const planned = await apply({ alice }, aliceSecrets, { dryRun: true });
    expect(planned).toMatchObject({ status: 200, body: { changes: [{ id: 'alice', kind: 'added' }], problems: [] } });
    expect((await call('GET', 'tenants')).body).toEqual({ items: [] });
    expect((await apply({ alice }, aliceSecrets)).status).toBe(200);
    expect((await call('GET', 'tenants')).body.items).toEqual([
      { id: 'alice', plan: 'free', suspended: false, model: 'auto', channels: ['telegram', 'web'] },
    ]);
  });

  it('does not apply another plan than the one that was agreed to', async () => {
    expect(await apply({ alice }, aliceSecrets, { confirmed: 'the digest of something else' })).toMatchObject({
      status: 409,
      body: { code: 'conflict' },
    });
    expect((await call('GET', 'tenants')).body.items).toEqual([]);
  });

  it('names what is wrong with a file, and does not repeat a secret', async () => {
    const answer = await apply({ alice: { channels: { telegram: { ...alice.channels.telegram, botToken: '123:in-the-clear' } } } });
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'invalid', detail: expect.stringContaining('file.tenants.alice.channels.telegram.botToken') },
    });
    expect(JSON.stringify(answer)).not.toContain('in-the-clear');
  });

  it('takes a file of thousands of tenants, but reads nothing large from a stranger', async () => {
    const padding = { displayName: 'x'.repeat(180), agent: { instructions: 'y'.repeat(300) } };
    const many = Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`t${index}`, padding]));
    const body = { file: { tenants: many }, dryRun: true };
    expect(JSON.stringify(body).length).toBeGreaterThan(1024 * 1024);
    const planned = await call('POST', 'apply', body);
    expect(planned.status).toBe(200);
    expect(planned.body.changes).toHaveLength(3000);
    expect(await call('POST', 'apply', body, 'Bearer wrong')).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
  });

  it('shows a tenant with its addresses, its secrets’ names and its history, never a value', async () => {
    await apply({ alice }, aliceSecrets);
    expect((await call('PUT', 'tenants/alice/secrets/telegram-webhook-secret', { value: 'hook-2' })).status).toBe(204);
    const { body } = await call('GET', 'tenants/alice');
    expect(body).toMatchObject({
      endpoints: [
        { channel: 'telegram', path: '/webhooks/telegram/alice' },
        { channel: 'web', path: '/chat/alice' },
      ],
      secrets: [
        { field: 'telegram-bot-token', version: 1 },
        { field: 'telegram-webhook-secret', version: 2 },
      ],
      audit: [
        { actor: 'console', action: 'add' },
        { actor: 'console', action: 'set-secret', subjects: ['telegram-webhook-secret'] },
      ],
      auditIntact: true,
    });
    for (const value of [aliceToken, 'hook-1', 'hook-2']) expect(JSON.stringify(body)).not.toContain(value);
    expect(await call('GET', 'tenants/nobody')).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect((await call('GET', 'tenants/No%2FTenant')).status).toBe(400);
  });

  it('replays and discards what is in the inbox, wakes the conversation and keeps it on record', async () => {
    await apply({ alice }, aliceSecrets);
    const tenantId = 'alice' as TenantId;
    await inbox.append(tenantId, messageOf(tenantId, 'telegram:1000001:update:7'));
    const item = 'inbox/alice/telegram%3A1000001%3Aupdate%3A7';
    expect((await call('GET', 'inbox?tenant=alice&state=pending')).body.items).toHaveLength(1);
    expect((await call('GET', item)).body).toMatchObject({ turn: { state: 'pending', attempts: 0 }, replies: [] });
    expect((await call('POST', `${item}/replay`)).body).toMatchObject({ code: 'conflict' });
    expect((await call('POST', `${item}/discard`)).body).toMatchObject({ state: 'discarded' });
    expect((await call('POST', `${item}/replay`)).body).toMatchObject({ state: 'pending', replays: 1 });
    expect((await call('GET', 'status')).body.subscriptions).toContainEqual(
      expect.objectContaining({ name: subscriptions.drive.name, backlog: 2 }),
    );
    const { audit } = (await call('GET', 'tenants/alice')).body;
    expect(audit.slice(1).map(({ action, subjects }: { action: string; subjects: string[] }) => [action, ...subjects])).toEqual([
      ['discard', 'telegram:1000001:update:7'],
      ['replay', 'telegram:1000001:update:7'],
    ]);
    expect((await call('GET', 'inbox?state=nonsense')).status).toBe(400);
    expect((await call('GET', 'inbox/alice/unknown')).status).toBe(404);
  });

  it('replays in bulk: planned, begun, followed, and on record with who did it', async () => {
    await apply({ alice }, aliceSecrets);
    const tenantId = 'alice' as TenantId;
    const turn = await inbox.append(tenantId, messageOf(tenantId, 'telegram:1000001:update:7'));
    await inbox.discard(tenantId, turn.eventId);
    const request = { action: 'replay', state: 'discarded', tenant: 'alice' };
    expect((await call('POST', 'operations/plan', request)).body).toMatchObject({ count: 1, tenants: { alice: 1 } });
    expect((await call('POST', 'operations/plan', { ...request, olderThanMs: 60_000 })).body).toMatchObject({ count: 0 });
    const begun = await call('POST', 'operations', request);
    expect(begun).toMatchObject({ status: 201, body: { state: 'running', planned: 1, actor: 'console' } });
    let operation = begun.body;
    while (operation.state === 'running') operation = (await call('GET', `operations/${begun.body.id}`)).body;
    expect(operation).toMatchObject({ state: 'done', done: 1, skipped: 0 });
    expect((await call('GET', 'operations')).body.items).toHaveLength(1);
    expect(await call('POST', `operations/${begun.body.id}/cancel`)).toMatchObject({ status: 409 });
    expect((await call('POST', 'operations', { action: 'replay' })).status).toBe(400);
    expect((await call('GET', 'operations/..%2Ftenants')).status).toBe(404);
    expect((await inbox.get(tenantId, turn.eventId)).turn).toMatchObject({ state: 'pending', replays: 1 });
  });

  describe('schedules', () => {
    const morning = { cron: '0 8 * * 1-5', conversation: 'telegram:1000001:1', prompt: 'What is on today?' };
    const titles = async () =>
      (await call('GET', 'tenants/alice/schedules')).body.items.map(
        (item: { title: string; state: string }) => `${item.title}: ${item.state}`,
      );

    it('are what tenants.yaml says: made, changed, and removed when it says so no more', async () => {
      const spec = { ...alice, timeZone: 'Europe/Paris' };
      await apply({ alice: { ...spec, schedules: { morning, night: { ...morning, cron: '0 22 * * *' } } } }, aliceSecrets);
      expect(await titles()).toEqual(['morning: active', 'night: active']);
      await call('POST', 'tenants/alice/schedules/file:morning/pause');
      await apply({ alice: { ...spec, schedules: { morning: { ...morning, prompt: 'Well?' } } } }, aliceSecrets);
      expect(await titles()).toEqual(['morning: paused']);
      const { body } = await call('POST', 'tenants/alice/schedules/file:morning/resume');
      expect(body).toMatchObject({ effect: { text: 'Well?' }, when: { timeZone: 'Europe/Paris' }, createdBy: 'tenants.yaml' });
      expect(body.nextRuns).toHaveLength(5);
      await apply({ alice: spec }, aliceSecrets);
      expect(await titles()).toEqual([]);
    });

    it('of a removed tenant are gone, and those of an apply that died are made by the next', async () => {
      await apply({ alice: { ...alice, schedules: { morning } } }, aliceSecrets);
      await schedules.remove('alice' as TenantId, 'file:morning' as ScheduleId);
      await apply({ alice: { ...alice, schedules: { morning } } }, aliceSecrets);
      expect(await titles()).toEqual(['morning: active']);
      await apply({});
      expect((await schedules.list('alice' as TenantId)).items).toEqual([]);
    });

    it('that make no sense are refused with their place', async () => {
      const wrong = { odd: { ...morning, cron: '0 8 * *' }, gap: { ...morning, cron: '0 0 30 2 *' } };
      const { body } = await apply({ alice: { ...alice, schedules: wrong } }, aliceSecrets, { dryRun: true });
      expect(body.problems.map(({ path }: { path: string[] }) => path.join('.'))).toEqual([
        'tenants.alice.schedules.odd',
        'tenants.alice.schedules.gap',
      ]);
    });

    it('are made, run once for a request, and deleted by operators, on record with who did it', async () => {
      await apply({ alice }, aliceSecrets);
      await inbox.append('alice' as TenantId, messageOf('alice' as TenantId, 'telegram:1000001:9'));
      const made = await call('PUT', 'tenants/alice/schedules/cli:1', { title: 'morning', schedule: morning });
      expect(made).toMatchObject({ status: 200, body: { number: 1, createdBy: 'console' } });
      const run = () => call('POST', 'tenants/alice/schedules/cli:1/run', { requestId: 'r1' });
      const { body } = await run();
      expect(await run()).toMatchObject({ body });
      const open = await inbox.open('alice' as TenantId, 'telegram:1000001:1' as ConversationId);
      expect(open.map(({ message }) => message.text)).toEqual(['hello', 'What is on today?']);
      expect((await call('DELETE', 'tenants/alice/schedules/cli:1')).status).toBe(204);
      expect((await call('POST', 'tenants/alice/schedules/cli:1/pause')).status).toBe(404);
      const { audit } = (await call('GET', 'tenants/alice')).body;
      expect(audit.map(({ action }: { action: string }) => action)).toEqual([
        'add',
        'schedule-put',
        'schedule-run',
        'schedule-run',
        'schedule-remove',
      ]);
    });
  });

  it('gives chat links where the chat needs one', async () => {
    await apply({ alice, demo: { channels: { web: { access: 'public' } } }, closed: {} }, aliceSecrets);
    expect((await call('POST', 'tenants/alice/chat-links', { lifetimeMs: 3_600_000 })).body).toMatchObject({
      path: expect.stringMatching(/^\/chat\/alice\?link=/),
      expiresAt: expect.any(String),
    });
    expect((await call('POST', 'tenants/demo/chat-links')).body).toEqual({ path: '/chat/demo' });
    expect((await call('POST', 'tenants/closed/chat-links')).status).toBe(409);
  });

  it('reads a trace back, and says when there is none', async () => {
    const span = {
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      name: 'turn',
      kind: 'internal' as const,
      service: 'test',
      startMs: Date.now(),
      durationMs: 5,
      status: { code: 'ok' as const },
      attributes: { 'rockpool.event.id': 'telegram:1:update:2' },
      links: [],
      events: [],
    };
    await platform.traces!.record([span]);
    expect((await call('GET', 'traces/telegram%3A1%3Aupdate%3A2')).body.items).toMatchObject([{ name: 'turn' }]);
    expect((await call('GET', 'traces/unknown')).body).toEqual({ items: [] });
  });

  it('registers webhooks at Telegram, and its checks see that they are there', async () => {
    const bot = telegram.bot({ token: aliceToken, username: 'alice_bot' });
    await apply({ alice }, aliceSecrets);
    expect((await call('GET', 'checks')).body.items).toContainEqual(
      expect.objectContaining({
        name: 'alice telegram bot',
        state: 'fail',
        detail: '@alice_bot has no webhook: Telegram delivers nowhere',
      }),
    );
    const url = 'https://bots.example.com/webhooks/telegram/alice';
    expect((await call('POST', 'webhooks')).body.items).toEqual([{ tenantId: 'alice', url }]);
    expect(bot.webhook).toMatchObject({ url, secret: 'hook-1' });
    expect(await new BotNames(cloud.documents).get('1000001')).toBe('alice_bot');
    expect((await call('GET', 'checks')).body.items).toContainEqual({
      name: 'alice telegram bot',
      state: 'ok',
      detail: `@alice_bot delivers to ${url}`,
    });
  });

  it('tells a refused token from a Telegram that cannot be asked, and shows neither token', async () => {
    await apply({ alice }, aliceSecrets);
    const refused = await call('POST', 'webhooks');
    expect(refused.body.items).toEqual([expect.objectContaining({ tenantId: 'alice', problem: expect.stringContaining('Unauthorized') })]);
    await telegram.close();
    const silent = (await call('GET', 'checks')).body.items;
    expect(silent).toContainEqual(expect.objectContaining({ name: 'alice telegram bot', state: 'warn' }));
    expect(JSON.stringify([refused, silent])).not.toContain('alice-bot"');
    expect(JSON.stringify([refused, silent])).not.toContain(aliceToken);
    const quiet = (await call('GET', 'checks?network=false')).body.items;
    expect(quiet.map(({ name }: { name: string }) => name)).not.toContain('alice telegram bot');
  });

  it('sees a secret that is gone and a model without a key', async () => {
    await apply({ alice: { ...alice, agent: { model: 'anthropic/claude-x' } } }, aliceSecrets);
    await cloud.secrets.delete({ tenant: 'alice', field: 'telegram-webhook-secret' });
    const { items } = (await call('GET', 'checks?network=false')).body;
    expect(items).toContainEqual(expect.objectContaining({ name: 'alice telegram', state: 'fail' }));
    expect(items).toContainEqual(
      expect.objectContaining({ name: 'alice model', state: 'fail', detail: expect.stringContaining('anthropic') }),
    );
  });
});
