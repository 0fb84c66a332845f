import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { inboundMessage, MessageReceived, subscriptions, type TenantId } from '@rockpool/contracts';
import { paths, type ReplyRecord, type TurnRecord } from '@rockpool/conversations';
import { startApps } from '@rockpool/platform';
import { EventPublisher, parseConfig, type RunningService } from '@rockpool/service';
import { tenantsFile } from '@rockpool/tenancy';
import { appModules, openPlatform, type Platform } from './compose.js';

/** An agent host that fails and heals, in front of the real one. */
class MoodyHost {
  mood: 'well' | 'gone' | 'failing' | 'hanging' = 'well';
  /** Pushes that reached it, those it has at this moment, and the most it had at once. */
  pushes = 0;
  present = 0;
  most = 0;
  readonly #held = new Set<http.ServerResponse>();
  readonly #server = http.createServer((request, response) => {
    // Behind it nobody may listen now.
    this.#serve(request, response).catch(() => response.destroy());
  });
  /** Asked for at each call: the real one is known once it listens. */
  target = () => '';

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  heal(): void {
    this.mood = 'well';
    for (const response of this.#held) response.destroy();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    if (request.method === 'POST') {
      this.pushes++;
      this.most = Math.max(this.most, ++this.present);
      response.once('close', () => this.present--);
    }
    if (this.mood === 'gone') return void request.socket.destroy();
    if (this.mood === 'hanging') return void this.#held.add(response);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (this.mood === 'failing' && request.method === 'POST') return void response.writeHead(500).end();
    const { authorization, traceparent } = request.headers as Record<string, string>;
    const answer = await fetch(this.target() + request.url!, {
      method: request.method!,
      headers: { 'content-type': 'application/json', ...(authorization && { authorization }), ...(traceparent && { traceparent }) },
      ...(request.method === 'POST' && { body: Buffer.concat(chunks) }),
    });
    const retryAfter = answer.headers.get('retry-after');
    response.writeHead(answer.status, retryAfter === null ? {} : { 'retry-after': retryAfter }).end(await answer.text());
  }
}

const alice = 'alice' as TenantId;
const limits = { failures: 5, failingMs: 1_000, probeEveryMs: 20 };

let folder: string;
let host: MoodyHost;
let platform: Platform;
let service: RunningService;
let sent: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-outage-'));
  host = new MoodyHost();
  sent = 0;
  await host.start();
  await start();
  const file = tenantsFile.parse({
    tenants: { alice: { limits: { messagesPerMinute: 100_000 }, channels: { http: { secret: 'env://S' } } } },
  });
  await platform.controlPlane.apply({ file, secrets: { 'alice/http-secret': 'whsec_AAAA' } });
});

afterEach(async () => {
  host.heal();
  await stop();
  await host.close();
  await rm(folder, { recursive: true });
});

async function start(): Promise<void> {
  const parsed = parseConfig({ PORT: '0', ROCKPOOL_DATA_DIR: join(folder, 'data'), ROCKPOOL_KEY_FILE: join(folder, 'keys', 'key') });
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  platform = await openPlatform(parsed.config, 'test');
  host.target = () => platform.url;
  const modules = appModules(platform, {
    agentHost: { leases: { holder: `host-${Math.random()}`, leaseMs: 2_000, mayBeAlive: () => false } },
    dispatcher: { hostUrl: () => host.url, pulseEveryMs: 100, breakerLimits: limits },
  });
  service = await startApps('outage', platform, modules, { silent: true });
}

async function stop(): Promise<boolean> {
  const clean = await service.close();
  await platform.close();
  return clean;
}

/** A message in each of so many conversations. */
async function say(conversations: number): Promise<void> {
  const publisher = new EventPublisher(platform.cloud.bus);
  for (let n = 0; n < conversations; n++) {
    const message = inboundMessage.parse({
      eventId: `http:alice:m${++sent}`,
      conversationId: `http:alice:c${n}`,
      kind: 'message',
      providerType: 'message',
      target: { channel: 'http', account: 'alice', chatId: `c${n}` },
      chatKind: 'direct',
      sender: { id: 'sender' },
      text: 'hello',
      addressed: true,
      sentAt: new Date().toISOString(),
      receivedAt: new Date().toISOString(),
      tenantId: alice,
    });
    await publisher.publish(MessageReceived, message, { id: message.eventId, source: '/test', time: message.sentAt, tenantId: alice });
  }
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

const turns = async () => {
  const page = await platform.cloud.documents.query<TurnRecord>({ from: { collection: paths.turns(alice) }, limit: 1000 });
  return page.items.map(({ data }) => data);
};
const alerts = async () => (await platform.controlPlane.status()).alerts;
const isOpen = async () => (await alerts()).some(({ overAt }) => overAt === undefined);

/** Everything that was said is answered, with one reply, and no wake was given up. */
async function allAnsweredOnce(): Promise<void> {
  await until(async () => (await turns()).filter(({ state }) => state === 'done').length === sent);
  for (const { eventId } of await turns()) {
    const { items } = await platform.cloud.documents.query<ReplyRecord>({ from: { collection: paths.replies(alice, eventId) } });
    expect(items.map(({ data }) => data.state)).toEqual(['sent']);
  }
  expect(await platform.controlPlane.deadLetters()).toEqual([]);
}

describe('an agent host', () => {
  it.each(['gone', 'failing', 'hanging'] as const)(
    'that is %s gets probes only, its conversations wait with their wakes, everyone is told, and all go on when it is well',
    async (mood) => {
      await say(5);
      await allAnsweredOnce();
      host.mood = mood;
      await say(30);
      await until(isOpen);

      const ready = await fetch(`${service.url}/readyz`);
      expect(ready.status).toBe(200);
      expect(await ready.json()).toEqual({
        status: 'ready',
        notices: [{ check: 'agent host', reason: expect.stringContaining('does not take conversations since') }],
      });
      const [alert] = await alerts();
      expect(alert).toMatchObject({
        subject: `agent host ${host.url}`,
        reason: expect.stringMatching(/does not answer|answered 500|hangs/),
      });
      expect(await platform.controlPlane.checks({ network: false })).toContainEqual(
        expect.objectContaining({ name: `agent host ${host.url}`, state: 'fail', remedy: expect.stringContaining('nothing is lost') }),
      );

      await until(() => host.present <= 1);
      await say(30);
      host.most = host.present;
      const before = host.pushes;
      await until(() => host.pushes >= before + 3);
      expect(host.most).toBeLessThanOrEqual(1);

      host.heal();
      await allAnsweredOnce();
      await until(async () => !(await isOpen()));
      const hostCheck = async () =>
        (await platform.controlPlane.checks({ network: false })).find(({ name }) => name.startsWith('agent host'));
      // The alert on record is taken back right after the breaker has closed.
      await until(async () => (await hostCheck())?.state === 'ok');
    },
  );

  it('may be gone for longer than the bus has patience: a wake that waits is not given up', async () => {
    host.mood = 'gone';
    await say(1);
    await until(() => host.pushes > subscriptions.drive.maxAttempts + 20);
    expect(await platform.controlPlane.deadLetters()).toEqual([]);
    host.heal();
    await allAnsweredOnce();
  });

  it('that is gone does not keep the process from ending, and what waited is answered by the next one', async () => {
    host.mood = 'gone';
    await say(20);
    await until(isOpen);
    expect(await stop()).toBe(true);
    host.heal();
    await start();
    await allAnsweredOnce();
    await until(async () => !(await isOpen()));
  });
});
