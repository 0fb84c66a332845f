import { createHmac, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { tenantId } from '@rockpool/contracts';
import { HttpWebhookChannel } from '../http/http-webhook-channel.js';
import { SlackWebhookChannel } from '../slack/slack-webhook-channel.js';
import { TelegramWebhookChannel } from '../telegram/telegram-webhook-channel.js';
import type { EndpointCredentials, WebhookChannel, WebhookRequest } from '../webhook-channel.js';

/** What a sender signs with. */
interface Signing {
  readonly body: Uint8Array;
  /** Decimal seconds, or what a forger writes in their place. */
  readonly timestamp: string;
  readonly id: string;
}

/**
 * A way of proving where a request comes from. It signs by the providers' documents with nothing but Node's own functions, and so shares nothing with the code
 * that verifies.
 */
export interface Scheme {
  readonly name: string;
  readonly channel: WebhookChannel;
  /** The endpoint of one tenant. */
  readonly credentials: EndpointCredentials;
  /** Secrets that the endpoint does not have, among them its own in a wrong form. */
  readonly foreignSecrets: readonly string[];
  /** The header that carries the proof, and those it covers. */
  readonly proof: string;
  readonly covered: readonly string[];
  /** False where a secret is all there is: then neither the body nor a time is proven. */
  readonly signs: boolean;
  request(signing: Signing, secret?: string): WebhookRequest;
}

/** The time at which requests are received. */
export const receivedAt = new Date('2026-01-26T10:00:01.250Z');
/** The same in seconds, as a sender whose clock is right writes it. */
export const nowSeconds = Math.floor(receivedAt.getTime() / 1000);

const alice = tenantId.parse('alice');
const telegramSecret = 'alice_webhook_secret-1';
const slackSecret = '8f742231b10e8888abcd99yyyzzz85a5';
const hmacKey = Buffer.from('the secret of alice, 24 b');
const hmacSecret = `whsec_${hmacKey.toString('base64')}`;
const privateKey = ed25519('1');
const publicKey = `whpk_${publicBytes('1').toString('base64')}`;

/** Every way of proving the origin of a request that is understood. */
export const schemes: readonly Scheme[] = [
  {
    name: 'telegram',
    channel: new TelegramWebhookChannel(),
    credentials: { tenantId: alice, account: '1000001', signingSecrets: [telegramSecret] },
    foreignSecrets: [
      'bob_webhook_secret',
      slackSecret,
      hmacSecret,
      hmacKey.toString('latin1'),
      'null',
      'undefined',
      '[object Object]',
      '*',
    ],
    proof: 'x-telegram-bot-api-secret-token',
    covered: [],
    signs: false,
    request: ({ body }, secret = telegramSecret) => received(body, { 'x-telegram-bot-api-secret-token': secret }),
  },
  {
    name: 'slack',
    channel: new SlackWebhookChannel(),
    credentials: { tenantId: alice, account: 'T0123', signingSecrets: [slackSecret] },
    foreignSecrets: [
      'fedcba9876543210fedcba9876543210',
      telegramSecret,
      hmacSecret,
      slackSecret.toUpperCase(),
      ` ${slackSecret}`,
      '',
      'null',
    ],
    proof: 'x-slack-signature',
    covered: ['x-slack-request-timestamp'],
    signs: true,
    request: ({ body, timestamp }, secret = slackSecret) =>
      received(body, {
        'x-slack-request-timestamp': timestamp,
        'x-slack-signature': `v0=${hmac('sha256', secret, `v0:${timestamp}:`, body).toString('hex')}`,
      }),
  },
  {
    name: 'standard webhooks, HMAC',
    channel: new HttpWebhookChannel(),
    credentials: { tenantId: alice, account: 'alice', signingSecrets: [hmacSecret] },
    // The key's own text in place of what it stands for is the usual mistake of an implementation, and would be a forger's first guess.
    foreignSecrets: [
      'the secret of bob, twenty4',
      hmacSecret,
      hmacKey.toString('base64'),
      hmacKey.toString('hex'),
      slackSecret,
      '',
      'whsec_',
    ],
    proof: 'webhook-signature',
    covered: ['webhook-id', 'webhook-timestamp'],
    signs: true,
    request: ({ body, timestamp, id }, key = hmacKey.toString('latin1')) =>
      standard(body, timestamp, id, `v1,${hmac('sha256', Buffer.from(key, 'latin1'), `${id}.${timestamp}.`, body).toString('base64')}`),
  },
  {
    name: 'standard webhooks, Ed25519',
    channel: new HttpWebhookChannel(),
    credentials: { tenantId: alice, account: 'alice', signingSecrets: [publicKey] },
    foreignSecrets: ['2', '3'],
    proof: 'webhook-signature',
    covered: ['webhook-id', 'webhook-timestamp'],
    signs: true,
    request: ({ body, timestamp, id }, seed) => {
      const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
      return standard(
        body,
        timestamp,
        id,
        `v1a,${sign(null, content, seed === undefined ? privateKey : ed25519(seed)).toString('base64')}`,
      );
    },
  },
];

/** HMAC over a prefix and a body. */
export function hmac(algorithm: string, key: string | Uint8Array, prefix: string, body: Uint8Array): Buffer {
  return createHmac(algorithm, key).update(prefix).update(body).digest();
}

/** What anybody can know of the Ed25519 endpoint: its public key, which signs nothing. */
export const publicKeyBytes = publicBytes('1');

function standard(body: Uint8Array, timestamp: string, id: string, signature: string): WebhookRequest {
  return received(body, { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature });
}

function received(body: Uint8Array, headers: Readonly<Record<string, string>>): WebhookRequest {
  const all = Object.entries({ 'content-type': 'application/json', ...headers }).map(([name, value]) => [name, [value]] as const);
  return { method: 'POST', headers: Object.fromEntries(all), query: {}, body, receivedAt };
}

/** Always the same key for the same seed, so that a run can be repeated. */
function ed25519(seed: string) {
  const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');
  return createPrivateKey({ key: Buffer.concat([pkcs8, Buffer.from(seed.padEnd(32, '.'))]), format: 'der', type: 'pkcs8' });
}

function publicBytes(seed: string): Buffer {
  return createPublicKey(ed25519(seed)).export({ type: 'spki', format: 'der' }).subarray(-32);
}
