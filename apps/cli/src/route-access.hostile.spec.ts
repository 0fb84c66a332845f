import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { adminToken, digestOf } from '@rockpool/console';
import { pooledHostAudience, schedulerAudience, services, type TenantId } from '@rockpool/contracts';
import { parseConfig, type RunningService } from '@rockpool/service';
import { tenantsFile } from '@rockpool/tenancy';
import { signSlack, signStandardWebhook, signTelegram } from '@rockpool/testkit';
import { openPlatform, startPlatform, type Platform } from './compose.js';

/** Something to show at a door, by a name that the matrix uses. */
type Credential = () => { readonly headers: Readonly<Record<string, string>>; readonly body?: string | Uint8Array };

/**
 * Who gets in where, of all credentials there are: a credential that is not named is refused. Every route of the running platform has a line; a HEAD route
 * follows its GET.
 */
const anyone = 'anyone';
const matrix: Readonly<Record<string, readonly string[] | typeof anyone>> = {
  'GET /healthz': anyone,
  'GET /health': anyone,
  'GET /readyz': anyone,
  'GET /ready': anyone,
  'GET /chat-assets/:name': anyone,
  'POST /webhooks/telegram': ['telegram of the platform'],
  'POST /webhooks/slack': ['slack of the platform'],
  'POST /webhooks/telegram/:tenant': ['telegram of alice'],
  'POST /webhooks/slack/:tenant': ['slack of alice'],
  'POST /webhooks/http/:tenant': ['http of alice'],
  'GET /chat/:tenant': ['session of alice', 'session cookie of alice', 'link of alice'],
  'POST /chat/:tenant/session': ['link of alice'],
  'POST /chat/:tenant/messages': ['session of alice', 'session cookie of alice'],
  'GET /chat/:tenant/events': ['session of alice', 'session cookie of alice'],
  'POST /internal/conversations/drive': ['token of the dispatcher'],
  'POST /internal/jobs/run': ['token of the dispatcher', 'token of the scheduler for the agent host'],
  'POST /internal/sweep': ['token of the scheduler'],
  // A task speaks for the app that made it.
  'POST /internal/schedules/fire': ['token of the scheduler', 'token of the dispatcher for the scheduler'],
  'POST /api/v1/apply': ['admin token'],
  'POST /api/v1/webhooks': ['admin token'],
  'GET /api/v1/tenants': ['admin token'],
  'GET /api/v1/tenants/:id': ['admin token'],
  'GET /api/v1/tenants/:id/usage': ['admin token'],
  'PUT /api/v1/tenants/:owner/secrets/:field': ['admin token'],
  'POST /api/v1/tenants/:id/chat-links': ['admin token'],
  'GET /api/v1/jobs': ['admin token'],
  'GET /api/v1/tenants/:id/jobs': ['admin token'],
  'GET /api/v1/tenants/:id/jobs/:job': ['admin token'],
  'POST /api/v1/tenants/:id/jobs/:job/cancel': ['admin token'],
  'POST /api/v1/tenants/:id/jobs/:job/retry': ['admin token'],
  'POST /api/v1/tenants/:id/jobs/:job/answer': ['admin token'],
  'GET /api/v1/schedules': ['admin token'],
  'GET /api/v1/tenants/:id/schedules': ['admin token'],
  'PUT /api/v1/tenants/:id/schedules/:schedule': ['admin token'],
  'DELETE /api/v1/tenants/:id/schedules/:schedule': ['admin token'],
  'POST /api/v1/tenants/:id/schedules/:schedule/run': ['admin token'],
  'POST /api/v1/tenants/:id/schedules/:schedule/:action': ['admin token'],
  'GET /api/v1/inbox': ['admin token'],
  'GET /api/v1/inbox/:tenant/:eventId': ['admin token'],
  'POST /api/v1/inbox/:tenant/:eventId/replay': ['admin token'],
  'POST /api/v1/inbox/:tenant/:eventId/discard': ['admin token'],
  'GET /api/v1/dead-letters': ['admin token'],
  'POST /api/v1/dead-letters/replay': ['admin token'],
  'POST /api/v1/operations/plan': ['admin token'],
  'POST /api/v1/operations': ['admin token'],
  'GET /api/v1/operations': ['admin token'],
  'GET /api/v1/operations/:id': ['admin token'],
  'POST /api/v1/operations/:id/cancel': ['admin token'],
  'GET /api/v1/status': ['admin token'],
  'GET /api/v1/checks': ['admin token'],
  'GET /api/v1/traces/:id': ['admin token'],
};

/** The tenant whose endpoints are tried; what belongs to anybody else must not open them. */
const alice = 'alice' as TenantId;
const bob = 'bob' as TenantId;
const secrets: Record<string, string> = {
  'platform/telegram-bot-token': '900:platform',
  'platform/telegram-webhook-secret': 'platform-telegram-webhook-secret',
  'platform/slack-bot-token': 'xoxb-platform',
  'platform/slack-signing-secret': 'platform-slack-signing-secret',
};
for (const [number, tenant] of [alice, bob].entries()) {
  secrets[`${tenant}/telegram-bot-token`] = `${number + 1}:${tenant}`;
  secrets[`${tenant}/telegram-webhook-secret`] = `${tenant}-telegram-webhook-secret`;
  secrets[`${tenant}/slack-bot-token`] = `xoxb-${tenant}`;
  secrets[`${tenant}/slack-signing-secret`] = `${tenant}-slack-signing-secret`;
  secrets[`${tenant}/http-secret`] = `whsec_${Buffer.from(`the http secret of ${tenant}`.padEnd(32, '.')).toString('base64')}`;
}
const channelsOf = (owner: string, team: string) => ({
  telegram: { botToken: `secret://${owner}/telegram-bot-token`, webhookSecret: `secret://${owner}/telegram-webhook-secret` },
  slack: { team, botToken: `secret://${owner}/slack-bot-token`, signingSecret: `secret://${owner}/slack-signing-secret` },
  http: { secret: `secret://${owner}/http-secret` },
  web: { access: 'link' },
});
const file = tenantsFile.parse({
  shared: {
    telegram: { botToken: 'secret://platform/telegram-bot-token', webhookSecret: 'secret://platform/telegram-webhook-secret' },
    slack: { botToken: 'secret://platform/slack-bot-token', signingSecret: 'secret://platform/slack-signing-secret' },
  },
  tenants: { alice: { channels: channelsOf('alice', 'TALICE') }, bob: { channels: channelsOf('bob', 'TBOB') } },
});

const folders: string[] = [];
const routes = new Set<string>();
let platform: Platform;
let other: Platform;
let service: RunningService;
let credentials: Record<string, Credential>;

async function install(): Promise<Platform> {
  const folder = await mkdtemp(join(tmpdir(), 'rockpool-routes-'));
  folders.push(folder);
  const parsed = parseConfig({
    PORT: '0',
    ROCKPOOL_DATA_DIR: join(folder, 'data'),
    ROCKPOOL_KEY_FILE: join(folder, 'key'),
    ROCKPOOL_LOG_LEVEL: 'silent',
    // Nothing of this may reach a real service.
    ROCKPOOL_TELEGRAM_API_URL: 'http://127.0.0.1:9',
    ROCKPOOL_SLACK_API_URL: 'http://127.0.0.1:9',
  });
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  const installed = await openPlatform(parsed.config, 'test');
  const plan = await installed.controlPlane.plan({ file, secrets });
  await installed.controlPlane.apply({ file, secrets }, digestOf(plan));
  return installed;
}

beforeAll(async () => {
  [platform, other] = await Promise.all([install(), install()]);
  const listen = (message: unknown) => {
    const { fastify } = message as {
      fastify: { addHook(name: 'onRoute', hook: (route: { method: string | string[]; url: string }) => void): void };
    };
    fastify.addHook('onRoute', ({ method, url }) => {
      for (const verb of [method].flat()) routes.add(`${verb} ${url}`);
    });
  };
  subscribe('fastify.initialization', listen);
  service = await startPlatform(platform);
  unsubscribe('fastify.initialization', listen);
  credentials = await everyCredential();
});
afterAll(async () => {
  await service.close();
  await Promise.all([platform.close(), other.close()]);
  for (const folder of folders) await rm(folder, { recursive: true });
});

async function everyCredential(): Promise<Record<string, Credential>> {
  const bearer =
    (token: string): Credential =>
    () => ({ headers: { authorization: `Bearer ${token}` } });
  const cookie =
    (token: string): Credential =>
    () => ({ headers: { cookie: `rockpool_chat=${token}`, 'sec-fetch-site': 'same-origin' } });
  const link = async (of: Platform, tenant: TenantId) => {
    const { path } = await of.controlPlane.chatLink(tenant, {});
    return new URL(path, service.url).searchParams.get('link')!;
  };
  const session = async (tenant: TenantId) => {
    const answer = await fetch(`${service.url}/chat/${tenant}/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ link: await link(platform, tenant) }),
    });
    return ((await answer.json()) as { token: string }).token;
  };
  /** Links are shown in the address of the page, and in the body elsewhere. */
  const shown =
    (token: string): Credential =>
    () => ({ headers: { 'x-link': token }, body: JSON.stringify({ link: token }) });
  const token = (of: Platform, audience: string, caller: string) => of.cloud.identity.mint({ audience, service: caller });
  const foreignLink = await link(other, alice);
  const [aliceSession, bobSession] = [await session(alice), await session(bob)];
  const dispatcherToken = await token(platform, pooledHostAudience, services.dispatcher);

  const webhooks: Record<string, Credential> = {};
  for (const [owner, team] of [
    ['platform', 'TNONE'],
    ['alice', 'TALICE'],
    ['bob', 'TBOB'],
  ] as const) {
    const of = owner === 'platform' ? 'the platform' : owner;
    const slackBody = JSON.stringify({ type: 'app_rate_limited', team_id: team, api_app_id: 'A1', event_id: 'Ev1' });
    webhooks[`telegram of ${of}`] = () => signTelegram({ secret: secrets[`${owner}/telegram-webhook-secret`]!, body: '{"update_id":1}' });
    webhooks[`slack of ${of}`] = () => signSlack({ secret: secrets[`${owner}/slack-signing-secret`]!, body: slackBody });
    const httpSecret = secrets[`${owner}/http-secret`];
    if (httpSecret) webhooks[`http of ${of}`] = () => signStandardWebhook({ secret: httpSecret, id: 'msg_1', body: '{"type":"other"}' });
  }
  return {
    nothing: () => ({ headers: {} }),
    'a word': bearer('word'),
    'an unsigned token': bearer(`${Buffer.from('{"alg":"none"}').toString('base64url')}.${dispatcherToken.split('.')[1]}.`),
    'a token cut short': bearer(dispatcherToken.slice(0, -2)),
    'headers of a cloud': () => ({
      headers: {
        'x-cloudtasks-queuename': 'jobs',
        'x-cloudtasks-taskname': '1',
        'x-goog-authenticated-user-email': 'accounts.google.com:admin@example.com',
        'x-goog-iap-jwt-assertion': dispatcherToken,
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-host': 'localhost',
        forwarded: 'for=127.0.0.1;proto=https',
        from: 'noreply@google.com',
      },
    }),
    'admin token': bearer(await adminToken(platform.config.ROCKPOOL_DATA_DIR)),
    'admin token in the wrong case': bearer((await adminToken(platform.config.ROCKPOOL_DATA_DIR)).toUpperCase()),
    'admin token of another installation': bearer(await adminToken(other.config.ROCKPOOL_DATA_DIR)),
    'token of the dispatcher': bearer(dispatcherToken),
    'token of the scheduler': bearer(await token(platform, schedulerAudience, services.scheduler)),
    'token of the scheduler for the agent host': bearer(await token(platform, pooledHostAudience, services.scheduler)),
    'token of the dispatcher for the scheduler': bearer(await token(platform, schedulerAudience, services.dispatcher)),
    'token of another caller': bearer(await token(platform, pooledHostAudience, 'ingress')),
    'token of another installation': bearer(await token(other, pooledHostAudience, services.dispatcher)),
    'session of alice': bearer(aliceSession),
    'session cookie of alice': cookie(aliceSession),
    'session of bob': bearer(bobSession),
    'session cookie of bob': cookie(bobSession),
    'link of alice': shown(await link(platform, alice)),
    'link of bob': shown(await link(platform, bob)),
    'link of another installation': shown(foreignLink),
    ...webhooks,
  };
}

/** Real parts for the parameters of a route. */
function pathOf(url: string): string {
  const parts: Record<string, string> = {
    tenant: alice,
    owner: alice,
    id: alice,
    name: 'chat.js',
    eventId: 'e',
    field: 'spare',
    operation: 'none',
  };
  return url.replace(/:(\w+)/g, (_, name: string) => parts[name] ?? 'x');
}

/** Whether this credential gets past the door: what is behind it may still find the request wanting. */
async function getsIn(route: string, credential: Credential): Promise<boolean> {
  const [method = '', url = ''] = route.split(' ');
  const { headers, body = '{}' } = credential();
  const { 'x-link': link, ...sent } = headers;
  const query = link !== undefined && url === '/chat/:tenant' ? `?link=${link}` : '';
  const abort = new AbortController();
  const hasBody = ['POST', 'PUT', 'DELETE'].includes(method);
  const answer = await fetch(service.url + pathOf(url) + query, {
    method,
    headers: { ...(hasBody && { 'content-type': 'application/json' }), ...sent },
    ...(hasBody && { body: String(body) }),
    redirect: 'manual',
    signal: abort.signal,
  });
  abort.abort();
  expect([500, 502, 504]).not.toContain(answer.status);
  // The page of a chat that one is not invited to looks like that of a chat that does not exist.
  const refused = url === '/chat/:tenant' ? [401, 404] : [401, 403, 429];
  return !refused.includes(answer.status);
}

describe('the routes of the running platform', () => {
  it('all have their line in the matrix', () => {
    const known = [...routes].filter((route) => !(route.startsWith('HEAD ') && routes.has(route.replace('HEAD', 'GET'))));
    expect(known.sort()).toEqual(Object.keys(matrix).sort());
  });

  it.each(Object.entries(matrix))('%s lets in exactly those it is for', async (route, allowed) => {
    const entered: string[] = [];
    for (const [name, credential] of Object.entries(credentials)) if (await getsIn(route, credential)) entered.push(name);
    expect(entered).toEqual(
      allowed === anyone ? Object.keys(credentials) : Object.keys(credentials).filter((name) => allowed.includes(name)),
    );
  });

  it('answer HEAD to nobody whom they would not answer GET', async () => {
    for (const [route, allowed] of Object.entries(matrix)) {
      const head = route.replace('GET', 'HEAD');
      if (head === route || !routes.has(head) || allowed === anyone) continue;
      for (const [name, credential] of Object.entries(credentials))
        if (!allowed.includes(name)) expect(await getsIn(head, credential)).toBe(false);
    }
  });

  it('are found under their own spelling only', async () => {
    for (const path of [
      '/API/v1/tenants',
      '/api//v1/tenants',
      '/api/v1/tenants/',
      '/api/v1/./tenants',
      '//api/v1/tenants',
      '/internal/conversations/drive/',
      '/api/v1/tenants%00',
      '/api/v1/%74enants',
    ]) {
      const { status } = await fetch(service.url + path, { method: path.includes('drive') ? 'POST' : 'GET' });
      expect([401, 404, 400]).toContain(status);
    }
  });
});
