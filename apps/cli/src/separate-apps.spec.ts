import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { agentHostApp } from '@rockpool/agent-host';
import type { Cloud } from '@rockpool/cloud';
import { consoleApp, controlPlaneOf, readAdminToken } from '@rockpool/console';
import { pooledHostAudience, schedulerAudience, services, type AppName } from '@rockpool/contracts';
import { dispatcherApp } from '@rockpool/dispatcher';
import { ingressApp } from '@rockpool/ingress';
import { openEngine, platformOver, startApps, type App } from '@rockpool/platform';
import { schedulerApp } from '@rockpool/scheduler';
import { parseConfig, type PlatformConfig, type RunningService } from '@rockpool/service';
import { tenantsFile } from '@rockpool/tenancy';
import { freePort, signStandardWebhook, TelegramSimulator, type TelegramBot } from '@rockpool/testkit';

/** Every app on a port of its own, as `main.ts` starts it; the engine is one that they share in this process. */
const apps: readonly App[] = [ingressApp, dispatcherApp, agentHostApp, schedulerApp, consoleApp];
const httpSecret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

let folder: string;
let config: PlatformConfig;
let cloud: Cloud;
let telegram: TelegramSimulator;
let bot: TelegramBot;
const running = new Map<AppName, RunningService>();
const urlOf = (name: AppName) => running.get(name)!.url;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-apps-'));
  telegram = new TelegramSimulator();
  const ports = Object.fromEntries(await Promise.all(apps.map(async ({ name }) => [name, await freePort()] as const)));
  config = configOf({
    ROCKPOOL_DATA_DIR: join(folder, 'data'),
    ROCKPOOL_KEY_FILE: join(folder, 'keys', 'master.key'),
    ROCKPOOL_TELEGRAM_API_URL: await telegram.start(),
    ROCKPOOL_AGENT_HOST_URL: `http://127.0.0.1:${ports['agent-host']}`,
  });
  const engine = await openEngine(config, { service: 'console', baseUrl: () => urlOf('ingress') });
  cloud = engine.cloud;
  // Each service closes its cloud when it ends.
  const shared = { ...cloud, close: async () => undefined };
  for (const app of apps) {
    const platform = platformOver({ cloud: shared }, { ...config, PORT: ports[app.name]! }, app.name);
    running.set(app.name, await startApps(app.name, platform, [app.module(platform)], { silent: true }));
  }
  const file = tenantsFile.parse({
    tenants: {
      alice: {
        channels: {
          telegram: { botToken: 'secret://alice/bot', webhookSecret: 'secret://alice/hook', dmPolicy: 'open' },
          http: { secret: 'secret://alice/http' },
          web: { access: 'public' },
        },
      },
    },
  });
  const secrets = { 'alice/bot': '990111:token', 'alice/hook': 'hook', 'alice/http': httpSecret };
  await controlPlaneOf(platformOver({ cloud: shared }, config, 'console'), 'test').apply({ file, secrets });
  bot = telegram.bot({ token: '990111:token', webhook: { url: `${urlOf('ingress')}/webhooks/telegram/alice`, secret: 'hook' } });
});

afterAll(async () => {
  await telegram.close();
  for (const service of running.values()) await service.close();
  await cloud.close();
  await rm(folder, { recursive: true });
});

function configOf(environment: Record<string, string>): PlatformConfig {
  const parsed = parseConfig(environment);
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

describe('apps that are processes of their own', () => {
  it('are each ready', async () => {
    for (const { name } of apps) expect([name, (await fetch(`${urlOf(name)}/readyz`)).status]).toEqual([name, 200]);
  });

  it('pass a message on from the webhook to the answer', async () => {
    const chat = telegram.person({ id: 500, name: 'Ann' }).chat(bot);
    await chat.say('echo across').accepted;
    await chat.waitForAnswer(({ text }) => text.includes('across'));
  });

  it('give the sender of a webhook the answer that another process made', async () => {
    const body = JSON.stringify({ type: 'message', data: { conversation: 'c', sender: { id: 'ann' }, text: 'echo waited for' } });
    const { headers } = signStandardWebhook({ secret: httpSecret, id: `msg_${randomUUID()}`, body });
    const response = await fetch(`${urlOf('ingress')}/webhooks/http/alice?wait=20`, { method: 'POST', headers, body });
    expect(await response.json()).toMatchObject({
      events: [{ state: 'done', replies: [{ text: expect.stringContaining('waited for') }] }],
    });
  });

  it('show in the web chat what another process answers', async () => {
    const page = `${urlOf('ingress')}/chat/alice`;
    const json = { 'content-type': 'application/json' };
    const opened = await fetch(`${page}/session`, { method: 'POST', headers: json, body: '{}' });
    const { token } = (await opened.json()) as { token: string };
    const authorization = `Bearer ${token}`;
    const reading = new AbortController();
    const stream = await fetch(`${page}/events?format=text`, { headers: { authorization }, signal: reading.signal });
    const id = randomUUID();
    const message = { method: 'POST', headers: { ...json, authorization }, body: JSON.stringify({ id, text: 'echo in the browser' }) };
    expect((await fetch(`${page}/messages`, message)).status).toBe(202);
    let seen = '';
    for await (const chunk of stream.body!.pipeThrough(new TextDecoderStream())) {
      seen += chunk;
      if (/"role":"assistant"[^}]*in the browser/.test(seen)) break;
    }
    reading.abort();
    expect(seen).toContain('in the browser');
  });

  it('let in whom they are for: the agent host its dispatcher, the scheduler its clock', async () => {
    const post = async (url: string, audience: string, service: string) => {
      const authorization = `Bearer ${await cloud.identity.mint({ audience, service })}`;
      return (await fetch(url, { method: 'POST', headers: { authorization, 'content-type': 'application/json' }, body: '{}' })).status;
    };
    const drive = `${urlOf('agent-host')}/internal/conversations/drive`;
    expect(await post(drive, pooledHostAudience, services.dispatcher)).toBe(400);
    expect(await post(drive, pooledHostAudience, services.scheduler)).toBe(401);
    expect(await post(drive, schedulerAudience, services.dispatcher)).toBe(401);
    const sweep = `${urlOf('scheduler')}/internal/sweep`;
    expect(await post(sweep, schedulerAudience, services.scheduler)).toBe(200);
    expect(await post(sweep, schedulerAudience, services.dispatcher)).toBe(401);
    expect(await post(sweep, pooledHostAudience, services.scheduler)).toBe(401);
  });

  it('have the routes of their own, and no others', async () => {
    const admin = { authorization: `Bearer ${await readAdminToken(config.ROCKPOOL_DATA_DIR)}` };
    const status = async (name: AppName, path: string, init?: RequestInit) => (await fetch(urlOf(name) + path, init)).status;
    expect(await status('console', '/api/v1/status', { headers: admin })).toBe(200);
    for (const { name } of apps) {
      if (name !== 'console') expect([name, await status(name, '/api/v1/status', { headers: admin })]).toEqual([name, 404]);
      if (name !== 'ingress') expect([name, await status(name, '/chat/alice')]).toEqual([name, 404]);
      if (name !== 'ingress') expect([name, await status(name, '/webhooks/telegram/alice', { method: 'POST' })]).toEqual([name, 404]);
      if (name !== 'agent-host') {
        expect([name, await status(name, '/internal/conversations/drive', { method: 'POST' })]).toEqual([name, 404]);
      }
      if (name !== 'scheduler') expect([name, await status(name, '/internal/sweep', { method: 'POST' })]).toEqual([name, 404]);
    }
  });
});
