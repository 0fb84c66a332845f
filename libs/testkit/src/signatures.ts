import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SignedRequest } from './wire/post-webhook.js';

/**
 * Request builders written from the providers' published documents, and tried against the vectors they publish. They share nothing with the code that
 * verifies, so that a mistake there cannot cancel itself out.
 */

/** Telegram signs nothing: the header repeats the secret given to setWebhook. https://core.telegram.org/bots/api#setwebhook */
export function signTelegram(options: { secret?: string; body: string | Uint8Array }): SignedRequest {
  return {
    headers: {
      'content-type': 'application/json',
      ...(options.secret !== undefined && { 'x-telegram-bot-api-secret-token': options.secret }),
    },
    body: options.body,
  };
}

/**
 * Slack: `v0=` and the hexadecimal HMAC-SHA256 of `v0:<timestamp>:<body>`. `timestamp` in seconds, now when absent. `contentType` is JSON for events, a
 * form for commands and interactions. https://docs.slack.dev/authentication/verifying-requests-from-slack
 */
export function signSlack(options: { secret: string; body: string | Uint8Array; timestamp?: number; contentType?: string }): SignedRequest {
  const timestamp = String(options.timestamp ?? Math.floor(Date.now() / 1000));
  const digest = createHmac('sha256', options.secret).update(`v0:${timestamp}:`).update(options.body).digest('hex');
  return {
    headers: {
      'content-type': options.contentType ?? 'application/json',
      'x-slack-request-timestamp': timestamp,
      'x-slack-signature': `v0=${digest}`,
    },
    body: options.body,
  };
}

/**
 * Standard Webhooks, symmetric: `v1,` and the base64 HMAC-SHA256 of `<id>.<timestamp>.<body>`; the key is the base64 after `whsec_`. `timestamp` in
 * seconds, now when absent. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function signStandardWebhook(options: { secret: string; id: string; body: string | Uint8Array; timestamp?: number }): SignedRequest {
  const timestamp = String(options.timestamp ?? Math.floor(Date.now() / 1000));
  return {
    headers: {
      'content-type': 'application/json',
      'webhook-id': options.id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${standardDigest(options.secret, options.id, timestamp, options.body)}`,
    },
    body: options.body,
  };
}

/** Why a Standard Webhooks request is not genuine, or undefined when it is. `now` in milliseconds; ±300 s are allowed. */
export function standardWebhookProblem(
  secret: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: Uint8Array,
  now: number,
): string | undefined {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers;
  if (typeof id !== 'string' || !id) return 'no webhook-id';
  if (typeof timestamp !== 'string' || !/^\d+$/.test(timestamp)) return 'no webhook-timestamp in seconds';
  if (typeof signatures !== 'string') return 'no webhook-signature';
  if (Math.abs(now / 1000 - Number(timestamp)) > 300) return 'webhook-timestamp is more than 300 s away';
  const expected = Buffer.from(standardDigest(secret, id, timestamp, body));
  const genuine = signatures
    .split(' ')
    .filter((signature) => signature.startsWith('v1,'))
    .map((signature) => Buffer.from(signature.slice(3)))
    .some((given) => given.length === expected.length && timingSafeEqual(given, expected));
  return genuine ? undefined : 'no signature matches';
}

function standardDigest(secret: string, id: string, timestamp: string, body: string | Uint8Array): string {
  if (!secret.startsWith('whsec_')) throw new Error('a Standard Webhooks secret begins with whsec_');
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  return createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
}
