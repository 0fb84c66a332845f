import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { signSlack, signStandardWebhook, signTelegram, telegramUpdate } from '@rockpool/testkit';
import { aliceSecret, httpSecret, Installation, slackSecret } from '../installation.js';
import { Wire, type WireRequest } from './wire.js';

let rockpool: Installation;
let wire: Wire;
beforeAll(async () => {
  rockpool = await Installation.open();
  wire = new Wire(new URL(rockpool.url));
});
afterAll(async () => {
  wire.close();
  await rockpool.close();
});

let count = 0;
/** A genuine message of each channel, whose tenant does not answer it: what it is about is the way in. */
const channels = {
  telegram: {
    path: '/webhooks/telegram/carol',
    message: () => String(telegramUpdate({ updateId: ++count, fromId: 666, text: 'plain' }).body),
    sign: (body: string | Uint8Array) => signTelegram({ secret: 'carol-webhook-secret', body }),
  },
  slack: {
    path: '/webhooks/slack/alice',
    message: () =>
      JSON.stringify({
        type: 'event_callback',
        team_id: 'T0123',
        api_app_id: 'A1',
        event_id: `Ev${++count}`,
        event: {
          type: 'reaction_added',
          user: 'U1',
          reaction: 'plain',
          item: { type: 'message', channel: 'D1', ts: '1700000000.000100' },
          event_ts: '1700000000.000200',
        },
      }),
    sign: (body: string | Uint8Array) => signSlack({ secret: slackSecret, body }),
  },
  http: {
    path: '/webhooks/http/alice',
    message: () => JSON.stringify({ type: 'plain', data: { text: 'plain' } }),
    sign: (body: string | Uint8Array) => signStandardWebhook({ secret: httpSecret, id: `msg_${++count}`, body }),
  },
} as const;
type ChannelName = keyof typeof channels;
const names = Object.keys(channels) as ChannelName[];

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
/** Bodies that break parsers, made of a genuine one. */
const hostile: readonly (readonly [what: string, make: (plain: string) => string | Uint8Array])[] = [
  [
    'with __proto__ and constructor as keys',
    (plain) => plain.replace(/^\{/, '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},'),
  ],
  ['with __proto__ deep inside', (plain) => plain.replaceAll('{', '{"__proto__":{"id":1,"isBot":false,"type":"message"},')],
  ['nested 10,000 deep', (plain) => plain.replace(/^\{/, `{"deep":${nested(10_000)},`)],
  ['nested 400,000 deep', () => nested(400_000)],
  ['of 400,000 open brackets', () => '['.repeat(400_000)],
  ['of 100,000 nested objects', () => '{"a":'.repeat(100_000)],
  ['with keys given twice', (plain) => plain.replace(/^\{/, '{"update_id":7,"type":"message","message":null,"event":[],"data":"x",')],
  ['with numbers beyond all bounds', (plain) => plain.replace(/\b\d+\b/g, '1e400')],
  ['with numbers of 100,000 digits', (plain) => plain.replace(/^\{/, `{"n":${'9'.repeat(100_000)},`)],
  ['with negative and broken numbers', (plain) => plain.replace(/\b\d+\b/g, '-1.5e-300')],
  ['that is not UTF-8', (plain) => Buffer.concat([Buffer.from(plain.slice(0, -1)), Buffer.from([0xff, 0xfe, 0x7d])])],
  ['with an overlong encoding', (plain) => Buffer.from(plain.replace('plain', '\u00c0\u00af'), 'latin1')],
  ['with lone surrogates', (plain) => plain.replaceAll('plain', '\\ud800 \\udc00 \\udfff\\ud83d')],
  ['with NUL and other controls', (plain) => plain.replaceAll('plain', '\\u0000\\u0007\\u001b[2J\\u202e')],
  ['with a string of 900 kB', (plain) => plain.replaceAll(/"plain"(?=[,}])/g, `"${'x'.repeat(900_000)}"`).slice(0, 1_000_000)],
  ['with a word that is all combining marks', (plain) => plain.replace('plain', '\u0301'.repeat(50_000))],
  ['with 50,000 keys', (plain) => plain.replace(/^\{/, `{${Array.from({ length: 50_000 }, (_, key) => `"k${key}":1,`).join('')}`)],
  ['that begins with a byte order mark', (plain) => `\ufeff${plain}`],
  ['in UTF-16', (plain) => Buffer.from(plain, 'utf16le')],
  ['that is empty', () => ''],
  ['that is null', () => 'null'],
  ['that is a number', () => '1'],
  ['that is a list', () => '[{}]'],
  ['with every value null', (plain) => plain.replace(/:("[^"]*"|\d+|true|false)/g, ':null')],
  ['with every value a list', (plain) => plain.replace(/:("[^"]*"|\d+|true|false)/g, ':[$1]')],
];

const post = async (request: Omit<WireRequest, 'headers'> & { headers: Readonly<Record<string, string>> }) =>
  wire.send({ ...request, headers: Object.entries(request.headers) });
const signed = (name: ChannelName, body: string | Uint8Array) => {
  const request = channels[name].sign(body);
  return post({ path: channels[name].path, headers: request.headers, body: Buffer.from(request.body) });
};

describe.each(names)('a signed body of %s', (name) => {
  it.each(hostile)('%s is taken or refused, and breaks nothing', async (_what, make) => {
    const { status } = await signed(name, make(channels[name].message()));
    expect([200, 400]).toContain(status);
    expect((await signed(name, channels[name].message())).status).toBe(200);
  });
});

describe.each(['slack', 'http'] as const)('the signature of %s', (name) => {
  it('is over bytes, not over what they decode to', async () => {
    const bytes = Buffer.concat([Buffer.from('{"type":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    const decoded = Buffer.from(bytes.toString('utf8'));
    const { headers } = channels[name].sign(bytes);
    // The very bytes are genuine, if no JSON; what a lossy decoder makes of them is a forgery.
    expect((await post({ path: channels[name].path, headers, body: bytes })).status).toBe(400);
    expect((await post({ path: channels[name].path, headers, body: decoded })).status).toBe(401);
  });

  it('is not over the same JSON in other words', async () => {
    const body = channels[name].message();
    const { headers } = channels[name].sign(body);
    const path = channels[name].path;
    for (const other of [JSON.stringify(JSON.parse(body), null, 1), body.replace('plain', '\\u0070lain'), `${body}\n`]) {
      expect((await post({ path, headers, body: Buffer.from(other) })).status).toBe(401);
    }
  });
});

describe('headers that claim something', () => {
  const claims = {
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-prefix': '/evil',
    'x-forwarded-port': '666',
    forwarded: 'for=127.0.0.1;host=evil.example;proto=https',
    'x-real-ip': '127.0.0.1',
    'x-original-url': '/webhooks/telegram/alice',
    'x-rewrite-url': '/webhooks/telegram/alice',
    'x-http-method-override': 'DELETE',
    'x-tenant-id': 'alice',
    'x-cloudtasks-queuename': 'jobs',
    'x-goog-authenticated-user-email': 'accounts.google.com:admin@example.com',
    'ce-tenantid': 'alice',
    host: 'evil.example',
  };
  const withClaims = (request: { headers: Readonly<Record<string, string>>; body: string | Uint8Array }) => ({
    headers: { ...request.headers, ...claims },
    body: Buffer.from(request.body),
  });

  it('open no webhook, and lead no genuine one to another tenant', async () => {
    const forged = { ...telegramUpdate({ updateId: ++count, secret: aliceSecret }) };
    expect((await post({ path: '/webhooks/telegram/carol', ...withClaims(forged) })).status).toBe(401);
    const genuine = telegramUpdate({ updateId: 77_000_001, fromId: 667, secret: 'carol-webhook-secret', text: 'claims' });
    expect((await post({ path: '/webhooks/telegram/carol', ...withClaims(genuine) })).status).toBe(200);
    const recorded = rockpool.inboxRow({ limit: '1000' }, ({ eventId }) => eventId === 'telegram:222222:77000001');
    await expect(recorded).resolves.toMatchObject({ tenantId: 'carol', reason: 'sender-not-allowed' });
  });

  it('give nobody a limit of his own for wrong signatures', async () => {
    const statuses = new Set<number | undefined>();
    for (let sender = 0; sender < 40; sender++) {
      const headers = { ...claims, 'x-forwarded-for': `198.51.100.${sender}`, 'x-telegram-bot-api-secret-token': `guess${sender}` };
      statuses.add((await post({ path: '/webhooks/telegram/dave', headers, body: Buffer.from('{}') })).status);
    }
    expect(statuses).toEqual(new Set([401, 429]));
  });

  it('change nothing about the page of a chat', async () => {
    const open = async (headers: Record<string, string>) => {
      const answer = await post({ method: 'GET', path: '/chat/alice', headers, body: Buffer.alloc(0) });
      expect(answer.status).toBe(200);
      const { date: _date, 'set-cookie': cookie = '', ...rest } = answer.headers;
      return { ...answer, headers: rest, cookie: cookie.replace(/=[^;]+/, '=token').replace(/Expires=[^;]+/, 'Expires=then') };
    };
    const plain = await open({});
    for (const protocol of ['http', 'https']) expect(await open({ ...claims, 'x-forwarded-proto': protocol })).toEqual(plain);
    expect(JSON.stringify(plain)).not.toContain('evil.example');
    expect(plain.cookie).not.toMatch(/domain/i);
  });

  it('lead whoever opens a link nowhere but to its own chat', async () => {
    const answer = await post({ method: 'GET', path: '/chat/alice?link=none', headers: claims, body: Buffer.alloc(0) });
    expect([answer.status, answer.headers['location']]).toEqual([303, '/chat/alice']);
  });
});
