import type { DeadLetter, OutgoingMessage } from '@rockpool/cloud';
import { InvalidInput, TerminalError } from '@rockpool/contracts';

/**
 * What travels in the attributes of a Pub/Sub message besides the publisher's own.
 *
 * - `googclient_traceparent`: the W3C trace context where Google's clients and console look for it.
 * - `rockpool-replay`: on a dead letter that was put back, JSON of {@link Replay}. Republished to the topic, it reaches every subscription; all but the one
 *   it is meant for acknowledge it unseen.
 * - `rockpool-dead`: on a letter in the dead-letter topic, JSON of {@link Burial}.
 * - `rockpool-empty`: Pub/Sub refuses a message with neither body nor attributes.
 */
const traceAttribute = 'googclient_traceparent';
const replayAttribute = 'rockpool-replay';
const deadAttribute = 'rockpool-dead';
const emptyAttribute = 'rockpool-empty';
const own = new Set([traceAttribute, replayAttribute, deadAttribute, emptyAttribute]);

/** What Pub/Sub adds to a letter that it buried by itself. https://cloud.google.com/pubsub/docs/handling-failures */
const sourceAttribute = 'CloudPubSubDeadLetterSource';

const maxBodyBytes = 9 * 2 ** 20;
const maxKeyBytes = 1_024;
/** Pub/Sub's 100, less two of our own: the trace, and what became of it. */
const maxAttributes = 98;
const maxAttributeNameBytes = 256;
const maxAttributeValueBytes = 1_024;

/** Who a replayed message is for, and what it was before. */
export interface Replay {
  readonly subscription: string;
  readonly messageId: string;
  readonly publishedAtMs: number;
}

/** What is known of a dead letter. */
export interface Burial {
  readonly messageId: string;
  readonly publishedAtMs: number;
  readonly attempts: number;
  readonly reason: string;
}

/** Refuses what Pub/Sub would refuse, with the code of the port. */
export function checkMessage(message: OutgoingMessage): void {
  if (message.topic.length === 0) throw new InvalidInput('a message needs a topic');
  if (message.body.length > maxBodyBytes) throw new TerminalError('the body of a message has at most 9 MiB', { code: 'too_large' });
  if (Buffer.byteLength(message.orderingKey ?? '') > maxKeyBytes) throw new InvalidInput('an ordering key has at most 1,024 bytes');
  const attributes = Object.entries(message.attributes);
  if (attributes.length > maxAttributes) throw new InvalidInput('a message has at most 98 attributes');
  for (const [name, value] of attributes) {
    if (name === '' || Buffer.byteLength(name) > maxAttributeNameBytes)
      throw new InvalidInput(`an attribute's name has 1 to 256 bytes: ${name}`);
    if (name.startsWith('goog') && !own.has(name)) throw new InvalidInput(`names of attributes that begin with goog are Google's: ${name}`);
    if (typeof value !== 'string' || Buffer.byteLength(value) > maxAttributeValueBytes)
      throw new InvalidInput(`the attribute ${name} must be a string of at most 1,024 bytes`);
  }
}

/** The attributes as they are published. */
export function publishedAttributes(message: OutgoingMessage): Record<string, string> {
  const attributes: Record<string, string> = { ...message.attributes };
  const { traceparent } = attributes;
  if (traceparent !== undefined) attributes[traceAttribute] ??= traceparent;
  if (message.body.length === 0 && Object.keys(attributes).length === 0) attributes[emptyAttribute] = '1';
  return attributes;
}

/** The attributes as a consumer sees them, without ours. A trace context that only Google's clients wrote is brought where everybody looks. */
export function consumedAttributes(attributes: Readonly<Record<string, string>>): Record<string, string> {
  const consumed: Record<string, string> = {};
  for (const [name, value] of Object.entries(attributes)) if (!own.has(name) && !name.startsWith(sourceAttribute)) consumed[name] = value;
  const traceparent = attributes[traceAttribute];
  if (traceparent !== undefined) consumed['traceparent'] ??= traceparent;
  return consumed;
}

export function replayOf(attributes: Readonly<Record<string, string>>): Replay | undefined {
  return parsed<Replay>(attributes[replayAttribute]);
}

/** What a message is to its consumers: a replayed one is what it was before it died. */
export function originOf(message: {
  readonly messageId: string;
  readonly publishedAt: Date;
  readonly attributes: Readonly<Record<string, string>>;
}): { messageId: string; publishedAt: Date } {
  const replay = replayOf(message.attributes);
  return replay === undefined
    ? { messageId: message.messageId, publishedAt: message.publishedAt }
    : { messageId: replay.messageId, publishedAt: new Date(replay.publishedAtMs) };
}

/** Attributes of a letter put back into its topic, as if it had not died. */
export function replayedAttributes(attributes: Readonly<Record<string, string>>, replay: Replay): Record<string, string> {
  const alive = Object.entries(attributes).filter(([name]) => name !== deadAttribute && !name.startsWith(sourceAttribute));
  return { ...Object.fromEntries(alive), [replayAttribute]: JSON.stringify(replay) };
}

/** Attributes of a letter for the dead-letter topic. The reason is cut to what fits. */
export function buriedAttributes(attributes: Readonly<Record<string, string>>, burial: Burial): Record<string, string> {
  let reason = burial.reason;
  let value = JSON.stringify(burial);
  while (Buffer.byteLength(value) > maxAttributeValueBytes) {
    const excess = Buffer.byteLength(value) - maxAttributeValueBytes;
    reason = reason.slice(0, Math.max(0, reason.length - Math.ceil(excess / 6) - 1));
    value = JSON.stringify({ ...burial, reason: `${reason}…` });
  }
  const { [replayAttribute]: _, ...rest } = attributes;
  return { ...rest, [deadAttribute]: value };
}

/** What became of a letter, by our account or else by Pub/Sub's. `letter` is the message in the dead-letter topic. */
export function burialOf(letter: {
  messageId: string;
  publishedAtMs: number;
  attributes: Readonly<Record<string, string>>;
}): Pick<DeadLetter, 'messageId' | 'attempts' | 'reason' | 'publishedAt'> {
  const burial = parsed<Burial>(letter.attributes[deadAttribute]);
  if (burial !== undefined) {
    const { messageId, attempts, reason, publishedAtMs } = burial;
    return { messageId, attempts, reason, publishedAt: new Date(publishedAtMs) };
  }
  const published = Date.parse(letter.attributes[`${sourceAttribute}TopicPublishTime`] ?? '');
  return {
    messageId: letter.messageId,
    attempts: Number(letter.attributes[`${sourceAttribute}DeliveryCount`] ?? 0),
    reason: 'its deliveries ended without a verdict: Pub/Sub gave it up',
    publishedAt: new Date(Number.isNaN(published) ? letter.publishedAtMs : published),
  };
}

/** What somebody else wrote there is as good as nothing. */
function parsed<Value>(text: string | undefined): Value | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Value) : undefined;
  } catch {
    return undefined;
  }
}
