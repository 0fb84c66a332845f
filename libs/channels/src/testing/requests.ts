import { readdirSync, readFileSync } from 'node:fs';
import type { WebhookRequest } from '../webhook-channel.js';

const fixtures = new URL('../../fixtures/', import.meta.url);

/** The time at which test requests are received: a little after the events of the fixtures. */
export const receivedAt = new Date('2026-01-26T10:00:01.000Z');

/** A request as ingress hands it over: header names in lower case, one value each. */
export function webhookRequest(
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
  at: Date = receivedAt,
): WebhookRequest {
  return {
    method: 'POST',
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), [value]])),
    query: {},
    body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
    receivedAt: at,
  };
}

/** The body of a recorded webhook: `telegram/message-text.json`. */
export function fixture(path: string): string {
  return readFileSync(new URL(path, fixtures), 'utf8');
}

/** The recorded webhooks of a channel with this ending, by name. */
export function fixtureNames(channel: string, ending: string): string[] {
  return readdirSync(new URL(`${channel}/`, fixtures))
    .filter((name) => name.endsWith(ending))
    .map((name) => name.slice(0, -ending.length))
    .sort();
}
