import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { Unauthenticated } from '@rockpool/contracts';
import type { WebhookRequest } from './webhook-channel.js';

/** Slack and Standard Webhooks: a signature is good for five minutes on either side of the sender's clock. */
const toleranceSeconds = 300;

/** The one value of a header. Throws `Unauthenticated` when it is missing, blank, or given more than once: which of two would the sender have meant? */
export function onlyHeader(request: WebhookRequest, name: string): string {
  const values = request.headers[name] ?? [];
  const [value] = values;
  if (values.length > 1) throw new Unauthenticated(`the header ${name} is repeated`);
  if (value === undefined || value.trim() === '') throw new Unauthenticated(`the header ${name} is missing`);
  return value;
}

/** The secrets that can verify anything. Throws `Unauthenticated` when none is left: an endpoint without its secret accepts nothing. */
export function usableSecrets(secrets: readonly string[]): readonly string[] {
  const usable = secrets.filter((secret) => secret.trim() !== '');
  if (usable.length === 0) throw new Unauthenticated('this endpoint has no secret to verify with');
  return usable;
}

/**
 * Throws `Unauthenticated` unless `timestamp` is plain decimal seconds at most 300 away from when the request came in. Whole seconds are compared, as the
 * senders' own libraries do, so that exactly 300 is accepted and 301 is not.
 */
export function requireFresh(timestamp: string, receivedAt: Date): void {
  if (!/^[1-9][0-9]{0,11}$/.test(timestamp)) throw new Unauthenticated('the timestamp is not a whole number of seconds');
  const ageSeconds = Math.floor(receivedAt.getTime() / 1000) - Number(timestamp);
  if (!(Math.abs(ageSeconds) <= toleranceSeconds)) throw new Unauthenticated('the timestamp is more than 300 s away');
}

/** Compares two secrets in a time that tells neither their content nor their length. */
export function sameSecret(presented: string, expected: string): boolean {
  return timingSafeEqual(sha256(presented), sha256(expected));
}

/** Compares two digests in constant time. Digests of different lengths are different; the length of a digest is no secret. */
export function sameDigest(presented: Uint8Array, expected: Uint8Array): boolean {
  return presented.byteLength === expected.byteLength && timingSafeEqual(presented, expected);
}

/** HMAC-SHA256 over a prefix and the raw bytes of the body, without joining them. */
export function hmacSha256(key: string | Uint8Array, prefix: string, body: Uint8Array): Buffer {
  return createHmac('sha256', key).update(prefix).update(body).digest();
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
