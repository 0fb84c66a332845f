import { status } from '@grpc/grpc-js';
import { isJson, type Json } from '../wire/json.js';
import { GrpcFailure } from './grpc-server.js';

const namePattern = /^[a-zA-Z][a-zA-Z0-9._~%+-]{2,254}$/;
const maxMessages = 1_000;
const maxRequestBytes = 10_000_000;

/** A message as it was published. */
export interface PublishedMessage {
  readonly messageId: string;
  readonly publishedAtMs: number;
  readonly data: Buffer;
  readonly attributes: Readonly<Record<string, string>>;
  readonly orderingKey: string;
}

/** What a subscription does, checked. */
export interface SubscriptionRules {
  readonly name: string;
  readonly topic: string;
  readonly ordered: boolean;
  readonly ackDeadlineMs: number;
  readonly retry?: { readonly minimumMs: number; readonly maximumMs: number };
  readonly dead?: { readonly topic: string; readonly maxDeliveryAttempts: number };
  readonly filter: Readonly<Record<string, string>>;
  readonly push?: { readonly endpoint: string; readonly email: string; readonly audience: string };
}

export function invalid(message: string): GrpcFailure {
  return new GrpcFailure(status.INVALID_ARGUMENT, message);
}

/** `projects/p/topics/t`, checked. */
export function resourceName(value: unknown, kind: 'topics' | 'subscriptions'): string {
  const [, id] = (typeof value === 'string' && new RegExp(`^projects/[^/]+/${kind}/([^/]+)$`).exec(value)) || [];
  if (id === undefined || !namePattern.test(id) || id.startsWith('goog')) throw invalid(`Invalid [${kind}] name: ${String(value)}`);
  return value as string;
}

/** The messages of a Publish request, within all documented limits. https://cloud.google.com/pubsub/quotas#resource_limits */
export function publishedMessages(messages: unknown): Omit<PublishedMessage, 'messageId' | 'publishedAtMs'>[] {
  if (!Array.isArray(messages) || messages.length === 0 || messages.length > maxMessages)
    throw invalid('a request has 1 to 1,000 messages');
  let bytes = 0;
  const checked = messages.map((message: unknown) => {
    if (!isJson(message)) throw invalid('no message');
    const data = Buffer.from(message['data'] as Uint8Array);
    const attributes = (message['attributes'] ?? {}) as Record<string, string>;
    const orderingKey = String(message['orderingKey'] ?? '');
    checkAttributes(attributes);
    if (data.length === 0 && Object.keys(attributes).length === 0) throw invalid('Some messages are empty');
    if (Buffer.byteLength(orderingKey) > 1_024) throw invalid('Ordering key is too long');
    bytes += data.length + Buffer.byteLength(JSON.stringify(attributes));
    return { data, attributes, orderingKey };
  });
  if (bytes > maxRequestBytes) throw invalid('Request payload size exceeds the limit: 10000000 bytes.');
  return checked;
}

function checkAttributes(attributes: Readonly<Record<string, string>>): void {
  const entries = Object.entries(attributes);
  if (entries.length > 100) throw invalid('Too many attributes');
  for (const [name, value] of entries) {
    if (name === '' || Buffer.byteLength(name) > 256) throw invalid(`Attribute key is empty or too long: ${name}`);
    if (name.startsWith('goog') && !name.startsWith('googclient_')) throw invalid(`Attribute key must not begin with goog: ${name}`);
    if (Buffer.byteLength(value) > 1_024) throw invalid(`Attribute value is too long: ${name}`);
  }
}

/** A CreateSubscription request, checked. */
export function subscriptionRules(request: Json): SubscriptionRules {
  const ackDeadlineS = Number(request['ackDeadlineSeconds'] ?? 0) || 10;
  if (ackDeadlineS < 10 || ackDeadlineS > 600) throw invalid('ackDeadlineSeconds must be 10 to 600');
  const retention = durationMs(request['messageRetentionDuration']);
  if (retention !== undefined && (retention < 600_000 || retention > 31 * 86_400_000))
    throw invalid('message_retention_duration out of bounds');
  const retry = isJson(request['retryPolicy']) ? retryOf(request['retryPolicy']) : undefined;
  const dead = isJson(request['deadLetterPolicy']) ? deadOf(request['deadLetterPolicy']) : undefined;
  const push = isJson(request['pushConfig']) && request['pushConfig']['pushEndpoint'] ? pushOf(request['pushConfig']) : undefined;
  return {
    name: resourceName(request['name'], 'subscriptions'),
    topic: resourceName(request['topic'], 'topics'),
    ordered: request['enableMessageOrdering'] === true,
    ackDeadlineMs: ackDeadlineS * 1_000,
    ...(retry && { retry }),
    ...(dead && { dead }),
    filter: filterOf(String(request['filter'] ?? '')),
    ...(push && { push }),
  };
}

function retryOf(policy: Json): SubscriptionRules['retry'] {
  const minimumMs = durationMs(policy['minimumBackoff']) ?? 10_000;
  const maximumMs = durationMs(policy['maximumBackoff']) ?? 600_000;
  if (minimumMs < 0 || maximumMs > 600_000 || minimumMs > maximumMs) throw invalid('retry policy out of bounds');
  return { minimumMs, maximumMs };
}

function deadOf(policy: Json): SubscriptionRules['dead'] {
  const maxDeliveryAttempts = Number(policy['maxDeliveryAttempts'] ?? 0) || 5;
  if (maxDeliveryAttempts < 5 || maxDeliveryAttempts > 100) throw invalid('max_delivery_attempts must be 5 to 100');
  return { topic: resourceName(policy['deadLetterTopic'], 'topics'), maxDeliveryAttempts };
}

function pushOf(config: Json): SubscriptionRules['push'] {
  const endpoint = String(config['pushEndpoint']);
  if (!URL.canParse(endpoint)) throw invalid('push_endpoint is no URL');
  const token = config['oidcToken'];
  if (!isJson(token) || !token['serviceAccountEmail']) throw invalid('this fake pushes with an OIDC token only');
  return { endpoint, email: String(token['serviceAccountEmail']), audience: String(token['audience'] || endpoint) };
}

/** Of the filter language, what the platform uses: attributes that equal texts, joined by AND. */
function filterOf(text: string): Readonly<Record<string, string>> {
  if (text.length > 256) throw invalid('filter is longer than 256');
  const wanted: Record<string, string> = {};
  for (const clause of text === '' ? [] : text.split(/ AND /)) {
    const [, name, value] = /^attributes\.("(?:[^"\\]|\\.)+"|[A-Za-z_][\w-]*) = ("(?:[^"\\]|\\.)*")$/.exec(clause.trim()) ?? [];
    if (name === undefined || value === undefined) throw invalid(`filter is not understood: ${clause}`);
    wanted[name.startsWith('"') ? (JSON.parse(name) as string) : name] = JSON.parse(value) as string;
  }
  return wanted;
}

function durationMs(duration: unknown): number | undefined {
  return isJson(duration) ? Number(duration['seconds'] ?? 0) * 1_000 + Number(duration['nanos'] ?? 0) / 1e6 : undefined;
}
