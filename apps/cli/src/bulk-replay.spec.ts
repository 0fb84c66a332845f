import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { BulkOperation } from '@rockpool/console';
import { inboundMessage, MessageReceived, subscriptions, type EventId, type InboundMessage, type TenantId } from '@rockpool/contracts';
import { paths, type ReplyRecord, type TurnRecord } from '@rockpool/conversations';
import { EventPublisher, parseConfig, type RunningService } from '@rockpool/service';
import { tenantsFile } from '@rockpool/tenancy';
import type * as Compose from './compose.js';
import type { createProgram as CreateProgram } from './program.js';

/** A thousand messages that failed, replayed at once by the command, in the instance that runs. */

const alice = 'alice' as TenantId;

let settings: string;
let folder: string;
let compose: typeof Compose;
let createProgram: typeof CreateProgram;
let platform: Compose.Platform;
let service: RunningService;

beforeAll(async () => {
  settings = await mkdtemp(join(tmpdir(), 'rockpool-settings-'));
  // The environment is read when the modules are.
  process.env['XDG_CONFIG_HOME'] = settings;
  compose = await import('./compose.js');
  ({ createProgram } = await import('./program.js'));
});
afterAll(() => rm(settings, { recursive: true }));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-bulk-'));
  await start();
  const file = tenantsFile.parse({
    tenants: { alice: { limits: { messagesPerMinute: 1_000_000 }, channels: { http: { secret: 'env://S' } } } },
  });
  await platform.controlPlane.apply({ file, secrets: { 'alice/http-secret': 'whsec_AAAA' } });
});
afterEach(async () => {
  await stop();
  await rm(folder, { recursive: true });
});

async function start(): Promise<void> {
  const parsed = parseConfig({
    PORT: '0',
    ROCKPOOL_DATA_DIR: join(folder, 'data'),
    ROCKPOOL_KEY_FILE: join(folder, 'key'),
    ROCKPOOL_LOG_LEVEL: 'silent',
  });
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  platform = await compose.openPlatform(parsed.config, 'console');
  service = await compose.startPlatform(platform);
}

async function stop(): Promise<void> {
  await service.close();
  await platform.close();
}

async function rockpool(...argv: string[]): Promise<string> {
  const out: string[] = [];
  const spy = jest.spyOn(process.stdout, 'write').mockImplementation((text) => out.push(String(text)) > 0);
  try {
    await createProgram().parseAsync(['node', 'rockpool', ...argv, '--url', service.url, '--data-dir', join(folder, 'data')]);
  } finally {
    spy.mockRestore();
  }
  return out.join('');
}

function messageOf(n: number): InboundMessage {
  return inboundMessage.parse({
    eventId: `http:alice:m${n}`,
    conversationId: `http:alice:c${n % 50}`,
    kind: 'message',
    providerType: 'message',
    target: { channel: 'http', account: 'alice', chatId: `c${n % 50}` },
    chatKind: 'direct',
    sender: { id: 'sender' },
    text: `message ${n}`,
    addressed: true,
    sentAt: new Date().toISOString(),
    receivedAt: new Date().toISOString(),
    tenantId: alice,
  });
}

/** Messages whose turns ended in quarantine, as if their host had failed five times. */
async function quarantine(count: number): Promise<void> {
  const { documents } = platform.cloud;
  for (let n = 0; n < count; n++) {
    const turn = await platform.inbox.append(alice, messageOf(n));
    await documents.set(paths.turn(alice, turn.eventId), { ...turn, state: 'quarantined', open: false, attempts: 5 });
  }
}

const turns = async () => {
  const page = await platform.cloud.documents.query<TurnRecord>({ from: { collection: paths.turns(alice) }, limit: 1000 });
  return page.items.map(({ data }) => data);
};

async function allDone(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const unwatch = await platform.cloud.documents.watch<TurnRecord>(
    { from: { collection: paths.turns(alice) }, where: { open: true }, limit: 1 },
    ({ items }) => items.length === 0 && resolve(),
  );
  await promise;
  unwatch();
}

/** Everything that was published before has been received. */
async function received(): Promise<void> {
  while ((await platform.cloud.bus.stats(subscriptions.receive.name)).backlog > 0) await new Promise((resolve) => setImmediate(resolve));
}

describe('rockpool inbox replay', () => {
  it('replays a thousand at once: the same events, a new attempt each, one answer each, and on record', async () => {
    await quarantine(1_000);
    expect(await rockpool('inbox', 'replay', '--state', 'quarantined', '--tenant', 'alice', '--plan')).toContain(
      'replay would take 1000 events',
    );
    expect((await turns()).every(({ state }) => state === 'quarantined')).toBe(true);
    const out = await rockpool('inbox', 'replay', '--state', 'quarantined', '--tenant', 'alice', '--run', '--watch');
    expect(out).toContain('1000 of 1000 done');
    expect(out).toContain('It is done');
    await allDone();

    // The channel delivers one of them again meanwhile: it is the same event, and answered already.
    await new EventPublisher(platform.cloud.bus).publish(MessageReceived, messageOf(7), {
      id: messageOf(7).eventId,
      source: '/test',
      time: new Date().toISOString(),
      tenantId: alice,
    });
    await received();
    const after = await turns();
    expect(after).toHaveLength(1_000);
    expect(new Set(after.map(({ state, replays, attempts }) => `${state} ${replays} ${attempts}`))).toEqual(new Set(['done 1 1']));
    const answers = await Promise.all(
      after.map(({ eventId }) => platform.cloud.documents.query<ReplyRecord>({ from: { collection: paths.replies(alice, eventId) } })),
    );
    expect(new Set(answers.map(({ items }) => items.map(({ data }) => data.state).join()))).toEqual(new Set(['sent']));
    const { audit, auditIntact } = await platform.controlPlane.tenant(alice);
    expect(auditIntact).toBe(true);
    expect(audit.at(-1)).toMatchObject({ actor: 'console', action: 'replay' });
  });

  it('goes on where it stood when the instance is started again, and ends between two batches when it is cancelled', async () => {
    await quarantine(300);
    const { id } = JSON.parse(await rockpool('inbox', 'replay', '--state', 'quarantined', '--run', '--json')) as BulkOperation;
    await stop();
    await start();
    const cancelled = JSON.parse(await rockpool('inbox', 'replay', '--cancel', '--json')) as BulkOperation;
    expect(cancelled).toMatchObject({ id, state: 'cancelled' });
    await rockpool('inbox', 'replay', '--watch', id);
    await allDone();
    const ended = JSON.parse(await rockpool('inbox', 'replay', '--watch', id, '--json')) as BulkOperation;
    expect(ended.done).toBeLessThan(300);
    expect((await turns()).filter(({ replays }) => replays === 1)).toHaveLength(ended.done);

    expect(await rockpool('inbox', 'replay', '--state', 'quarantined', '--run', '--watch')).toContain('It is done');
    await allDone();
    expect((await turns()).every(({ replays, state }) => replays === 1 && state === 'done')).toBe(true);
  });

  it('takes one event by its name, and discards one', async () => {
    const turn = await platform.inbox.append(alice, messageOf(1));
    await platform.cloud.documents.set(paths.turn(alice, turn.eventId), { ...turn, state: 'quarantined', open: false });
    expect(await rockpool('inbox', 'discard', `alice/${turn.eventId}`)).toContain('is discarded.');
    expect(await rockpool('inbox', 'replay', `alice/${turn.eventId}`)).toContain('is pending again.');
    await allDone();
    expect((await platform.inbox.get(alice, turn.eventId as EventId)).turn).toMatchObject({ state: 'done', replays: 1 });
  });

  it.each([
    ['--plan'],
    ['--state', 'running', '--plan'],
    ['--state', 'quarantined', '--older-than', 'yesterday', '--plan'],
    ['alice/http:alice:m1', '--state', 'quarantined'],
    ['--watch', 'nothing'],
  ])('refuses %s %s %s %s', async (...argv) => {
    await expect(rockpool('inbox', 'replay', ...argv.filter((word) => word !== undefined))).rejects.toThrow();
  });
});
