import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { signSlack, signStandardWebhook, telegramUpdate, type SignedRequest } from '@rockpool/testkit';
import { aliceSecret, httpSecret, Installation, sharedSecret, slackSecret } from '../installation.js';

let rockpool: Installation;
beforeAll(async () => {
  rockpool = await Installation.open();
});
afterAll(() => rockpool.close());

const seconds = () => Math.floor(Date.now() / 1000);
const post = (path: string, { headers, body }: SignedRequest) => fetch(`${rockpool.url}${path}`, { method: 'POST', headers, body });

const slackBody = (text: string) =>
  JSON.stringify({
    type: 'event_callback',
    team_id: 'T0123',
    api_app_id: 'A1',
    event_id: 'Ev1',
    authorizations: [{ user_id: 'UBOT', is_bot: true }],
    event: { type: 'message', channel_type: 'im', channel: 'D1', user: 'U1', text, ts: '1700000000.000100' },
  });
const update = (text: string) => telegramUpdate({ secret: aliceSecret, updateId: 1, fromId: 500, text });

describe('a webhook', () => {
  it.each<[string, string, () => SignedRequest, number]>([
    [
      'with a wrong Telegram secret',
      '/webhooks/telegram/alice',
      () => ({ ...update('x'), headers: { ...update('x').headers, 'x-telegram-bot-api-secret-token': 'guess' } }),
      401,
    ],
    [
      'without any Telegram secret',
      '/webhooks/telegram/alice',
      () => ({ headers: { 'content-type': 'application/json' }, body: update('x').body }),
      401,
    ],
    ['with another tenant’s secret', '/webhooks/telegram/carol', () => update('x'), 401],
    ['for a tenant that does not exist', '/webhooks/telegram/nobody', () => update('x'), 401],
    ['for a path that is no tenant name', '/webhooks/telegram/..%2Fadmin', () => update('x'), 401],
    [
      'with a Slack signature over other bytes',
      '/webhooks/slack/alice',
      () => ({ ...signSlack({ secret: slackSecret, body: slackBody('a') }), body: slackBody('b') }),
      401,
    ],
    [
      'with a Slack timestamp of six minutes ago',
      '/webhooks/slack/alice',
      () => signSlack({ secret: slackSecret, body: slackBody('a'), timestamp: seconds() - 360 }),
      401,
    ],
    [
      'with a Slack timestamp in six minutes',
      '/webhooks/slack/alice',
      () => signSlack({ secret: slackSecret, body: slackBody('a'), timestamp: seconds() + 360 }),
      401,
    ],
    [
      'with a stale Standard Webhooks signature',
      '/webhooks/http/alice',
      () => signStandardWebhook({ secret: httpSecret, id: 'm', body: '{"text":"x"}', timestamp: seconds() - 360 }),
      401,
    ],
    ['that is signed and not JSON', '/webhooks/slack/alice', () => signSlack({ secret: slackSecret, body: '{"type":' }), 400],
    [
      'that is signed and not UTF-8',
      '/webhooks/telegram/alice',
      () => ({ ...update('x'), body: Uint8Array.from([0x7b, 0xff, 0xfe, 0x7d]) }),
      400,
    ],
    ['of two megabytes', '/webhooks/telegram/alice', () => ({ ...update('x'), body: `{"x":"${'a'.repeat(2 * 1024 * 1024)}"}` }), 413],
    ['for a channel that does not exist', '/webhooks/fax/alice', () => update('x'), 404],
  ])('%s is refused with a stable code', async (_what, path, request, status) => {
    const response = await post(path, request());
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ status, code: expect.stringMatching(/^[a-z_]+$/) });
  });

  it('that was refused left no trace in the inbox', async () => {
    expect(await rockpool.inbox()).toEqual([]);
    expect(rockpool.model.requests).toEqual([]);
  });

  it('with a valid signature for a suspended tenant gets 200 and a record', async () => {
    const request = telegramUpdate({ secret: 'dave-webhook-secret', updateId: 2, text: 'hi' });
    expect((await post('/webhooks/telegram/dave', request)).status).toBe(200);
    await recorded('dave', 'suspended');
  });

  it('with a valid signature that leads to no tenant gets 200 and a record', async () => {
    const request = telegramUpdate({ secret: sharedSecret, updateId: 3, fromId: 4242, text: 'hi' });
    expect((await post('/webhooks/telegram', request)).status).toBe(200);
    await recorded('_unrouted', 'unknown-tenant');
  });

  it('of an unknown update type is recorded, not refused', async () => {
    const body = JSON.stringify({ update_id: 7, something_new: { from: { id: 500 }, chat: { id: 500, type: 'private' } } });
    expect((await post('/webhooks/telegram/alice', { headers: update('x').headers, body })).status).toBe(200);
  });

  it('of Slack’s url_verification is answered with its challenge, when it is signed', async () => {
    const body = JSON.stringify({ type: 'url_verification', challenge: 'abc123' });
    const response = await post('/webhooks/slack/alice', signSlack({ secret: slackSecret, body }));
    expect([response.status, await response.text()]).toEqual([200, 'abc123']);
    expect((await post('/webhooks/slack/alice', { headers: {}, body })).status).toBe(401);
  });
});

describe('routes for our own services', () => {
  it.each([undefined, 'Bearer abc', 'Bearer eyJhbGciOiJub25lIn0.e30.'])('let nobody in with authorization %s', async (authorization) => {
    const response = await fetch(`${rockpool.url}/internal/conversations/drive`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization && { authorization }) },
      body: JSON.stringify({ tenantId: 'alice', conversationId: 'c', wakeId: 'w' }),
    });
    expect(response.status).toBe(401);
  });

  it('of operators let nobody in without the admin token', async () => {
    for (const path of ['/api/v1/tenants', '/api/v1/inbox', '/api/v1/status', '/api/v1/traces/x']) {
      expect((await fetch(rockpool.url + path)).status).toBe(401);
    }
  });
});

function recorded(tenantId: string, reason: string): Promise<unknown> {
  return rockpool.inboxRow({ state: 'dropped' }, (row) => row.tenantId === tenantId && row.reason === reason);
}
