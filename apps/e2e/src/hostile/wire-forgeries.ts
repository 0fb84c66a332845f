import { createHmac } from 'node:crypto';
import { signSlack, signStandardWebhook, signTelegram, telegramUpdate, type Random, type SignedRequest } from '@rockpool/testkit';
import { aliceSecret, httpSecret, sharedSecret, slackSecret } from '../installation.js';
import type { WireRequest } from './wire.js';

/** A request that nobody may take for genuine, and how it was made. */
export interface WireForgery {
  readonly what: string;
  readonly request: WireRequest;
}

type Proof = Record<string, string>;

/** One endpoint of the installation: who signs for it, and which headers carry the proof. */
interface Door {
  readonly path: string;
  readonly proof: string;
  readonly covered: readonly string[];
  sign(body: string, random: Random): Proof;
  /** Proofs that are genuine somewhere else, or would be under another secret, algorithm or time. */
  elsewhere(body: string, random: Random): Proof;
}

const seconds = () => Math.floor(Date.now() / 1000);
const proofOf = ({ headers: { 'content-type': _type, ...proof } }: SignedRequest): Proof => proof;
/** Clearly outside of the window, however long the request takes. */
const farAway = (random: Random) => seconds() + random.pick([-1, 1]) * random.integer(320, 1_000_000);

const telegram = (path: string, secret: string, foreign: readonly string[]): Door => ({
  path,
  proof: 'x-telegram-bot-api-secret-token',
  covered: [],
  sign: (body) => proofOf(signTelegram({ secret, body })),
  elsewhere: (body, random) =>
    random.pick([
      () => proofOf(signTelegram({ secret: random.pick(foreign), body })),
      () => proofOf(signSlack({ secret: slackSecret, body })),
      () => ({ authorization: `Bearer ${secret}` }),
      () => ({ cookie: `x-telegram-bot-api-secret-token=${secret}` }),
      () => ({
        'x-telegram-bot-api-secret-token': random.pick([
          '',
          '*',
          'null',
          'undefined',
          'true',
          `${secret.slice(0, -1)}`,
          `${secret},${secret}`,
        ]),
      }),
    ])(),
});
const slack = (path: string, secret: string, foreign: readonly string[]): Door => ({
  path,
  proof: 'x-slack-signature',
  covered: ['x-slack-request-timestamp'],
  sign: (body) => proofOf(signSlack({ secret, body })),
  elsewhere: (body, random) =>
    random.pick([
      () => proofOf(signSlack({ secret: random.pick(foreign), body })),
      () => proofOf(signSlack({ secret, body: `${body} ` })),
      () => proofOf(signSlack({ secret, body, timestamp: farAway(random) })),
      () => proofOf(signSlack({ secret, body, timestamp: `${random.pick(['+', '0', '-'])}${seconds()}` as unknown as number })),
      () => otherAlgorithm(secret, body, random),
      () => proofOf(signStandardWebhook({ secret: httpSecret, id: 'msg', body })),
    ])(),
});
const http = (path: string, secret: string, foreign: readonly string[]): Door => ({
  path,
  proof: 'webhook-signature',
  covered: ['webhook-id', 'webhook-timestamp'],
  sign: (body, random) => proofOf(signStandardWebhook({ secret, id: `msg_${random.hex(12)}`, body })),
  elsewhere: (body, random) =>
    random.pick([
      () => proofOf(signStandardWebhook({ secret: random.pick(foreign), id: 'msg', body })),
      () => proofOf(signStandardWebhook({ secret, id: 'msg', body: `${body} ` })),
      () => proofOf(signStandardWebhook({ secret, id: 'msg', body, timestamp: farAway(random) })),
      () => ({ ...proofOf(signStandardWebhook({ secret, id: 'msg_a', body })), 'webhook-id': 'msg_b' }),
      () => proofOf(signSlack({ secret: slackSecret, body })),
    ])(),
});

function otherAlgorithm(secret: string, body: string, random: Random): Proof {
  const timestamp = String(seconds());
  const digest = createHmac(random.pick(['sha1', 'sha512', 'md5']), secret)
    .update(`v0:${timestamp}:${body}`)
    .digest('hex');
  return { 'x-slack-request-timestamp': timestamp, 'x-slack-signature': random.pick(['v0=', 'v1=', 'sha1=', '']) + digest };
}

const carolSecret = 'carol-webhook-secret';
const otherHttpSecret = `whsec_${Buffer.from('another secret of thirty-two ...').toString('base64')}`;
const doors: readonly Door[] = [
  telegram('/webhooks/telegram/alice', aliceSecret, [sharedSecret, carolSecret, slackSecret, httpSecret]),
  telegram('/webhooks/telegram/carol', carolSecret, [sharedSecret, aliceSecret]),
  telegram('/webhooks/telegram', sharedSecret, [aliceSecret, carolSecret]),
  slack('/webhooks/slack/alice', slackSecret, [aliceSecret, sharedSecret, httpSecret, 'null']),
  slack('/webhooks/slack', slackSecret, [aliceSecret, sharedSecret]),
  http('/webhooks/http/alice', httpSecret, [otherHttpSecret, `whsec_${Buffer.from(aliceSecret).toString('base64')}`]),
];
/** Endpoints that do not exist, for which nothing is genuine. */
const nowhere = [
  '/webhooks/slack/carol',
  '/webhooks/http/carol',
  '/webhooks/telegram/nobody',
  '/webhooks/http/nobody',
  '/webhooks/telegram/ALICE',
];

/** What may stand around a forged proof and must not help it. */
const surroundings: readonly (readonly (readonly [string, string])[])[] = [
  [],
  [
    ['x-forwarded-for', '149.154.167.220'],
    ['x-forwarded-proto', 'https'],
    ['x-forwarded-host', 'api.telegram.org'],
  ],
  [
    ['x-cloudtasks-queuename', 'inbound'],
    ['x-cloudtasks-taskname', '1'],
    ['x-goog-iap-jwt-assertion', 'eyJhbGciOiJub25lIn0.e30.'],
  ],
  [
    ['x-goog-authenticated-user-email', 'accounts.google.com:admin@example.com'],
    ['x-appengine-queuename', 'default'],
  ],
  [
    ['x-original-url', '/healthz'],
    ['x-rewrite-url', '/healthz'],
    ['x-http-method-override', 'GET'],
  ],
  [['content-encoding', 'gzip']],
  [['content-type', 'application/x-www-form-urlencoded']],
  [['content-type', 'multipart/form-data; boundary=x']],
  [['expect', '100-continue']],
  [
    ['host', 'localhost'],
    ['x-slack-retry-num', '1'],
  ],
];

/** The next forgery of a seeded run. */
export function nextForgery(random: Random): WireForgery {
  const door = random.pick(doors);
  const body = bodyFor(random);
  const [what, made, sentBody] = random.pick(ways)(door, body, random);
  const path = what === 'nowhere' ? random.pick(nowhere) : door.path;
  const query = random.pick(['', '', '', '?secret=' + encodeURIComponent(aliceSecret), '?wait=0', '?tenant=alice']);
  return {
    what: `${path}: ${what}`,
    request: { path: path + query, headers: [...made, ...random.pick(surroundings)], body: Buffer.from(sentBody ?? body) },
  };
}

/** A genuine request to an endpoint whose tenant is suspended: it is recorded, and nothing else is done about it. */
export function genuineRequest(updateId: number): WireRequest {
  const { headers, body } = telegramUpdate({ secret: 'dave-webhook-secret', updateId, text: 'genuine' });
  return { path: '/webhooks/telegram/dave', headers: Object.entries(headers), body: Buffer.from(body) };
}

type Made = [what: string, headers: (readonly [string, string])[], body?: string | Uint8Array];
type Way = (door: Door, body: string, random: Random) => Made;

const entries = (proof: Proof) => Object.entries(proof);
const named = (door: Door, random: Random) => random.pick([door.proof, ...door.covered]);

const ways: readonly Way[] = [
  (door, body, random) => ['genuine elsewhere', entries(door.elsewhere(body, random))],
  (door, body, random) => ['nowhere', entries(door.sign(body, random))],
  (door, body, random) => {
    const header = named(door, random);
    return ['a header missing', entries(door.sign(body, random)).filter(([name]) => name !== header)];
  },
  (door, body, random) => {
    const header = named(door, random);
    const twice = entries(door.sign(body, random)).flatMap(([name, value]) =>
      name === header
        ? random.pick([
            [
              [name, value],
              [name, value],
            ],
            [
              [name, value],
              [name.toUpperCase(), 'x'],
            ],
            [[name, `${value},${value}`]],
          ] as const)
        : [[name, value] as const],
    );
    return ['a header twice', twice as (readonly [string, string])[]];
  },
  (door, body, random) => {
    const header = named(door, random);
    return [
      'a header spoilt',
      entries(door.sign(body, random)).map(([name, value]) => [name, name === header ? spoilt(value, random) : value] as const),
    ];
  },
  (door, body, random) =>
    door.covered.length === 0 ? ['no proof', []] : ['a body spoilt', entries(door.sign(body, random)), spoiltBody(body, random)],
];

/** Another value, even after the blanks around it are taken off, as they are on the wire. */
function spoilt(value: string, random: Random): string {
  const at = random.integer(0, value.length - 1);
  const printable = String.fromCharCode(random.integer(0x21, 0x7e));
  const other = random.pick([
    value.slice(0, at) + printable + value.slice(at),
    value.slice(0, at) + value.slice(at + 1),
    value.slice(0, at) + printable + value.slice(at + 1),
    value.slice(0, at) + String.fromCharCode(value.charCodeAt(at) ^ (1 << random.integer(0, 7))) + value.slice(at + 1),
    `${value}\0`,
    `${value}\u00a0`,
    `"${value}"`,
    [...value].reverse().join(''),
    value.toUpperCase() === value ? `${value}x` : value.toUpperCase(),
  ]);
  const withoutBreaks = other.replace(/[\r\n]/g, '!');
  return withoutBreaks.trim() === value ? `${value}x` : withoutBreaks;
}

function spoiltBody(body: string, random: Random): Uint8Array {
  const bytes = Buffer.from(body);
  const at = random.integer(0, bytes.length - 1);
  const flipped = Buffer.from(bytes);
  flipped[at]! ^= 1 << random.integer(0, 7);
  return random.pick([
    flipped,
    bytes.subarray(0, at),
    Buffer.concat([bytes, Buffer.from(' ')]),
    Buffer.concat([Buffer.from('\ufeff'), bytes]),
  ]);
}

function bodyFor(random: Random): string {
  const updateId = random.integer(1, 1_000_000_000);
  return random.pick([
    () => String(telegramUpdate({ updateId, fromId: 500, text: random.hex(8) }).body),
    () => JSON.stringify({ type: 'url_verification', challenge: random.hex(8) }),
    () =>
      JSON.stringify({
        type: 'event_callback',
        team_id: 'T0123',
        event_id: random.hex(8),
        event: { type: 'message', channel: 'D1', channel_type: 'im', user: 'U1', text: 'x', ts: '1.1' },
      }),
    () => JSON.stringify({ type: 'message', data: { text: random.hex(8) } }),
  ])();
}
