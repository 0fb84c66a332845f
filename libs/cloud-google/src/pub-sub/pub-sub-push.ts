import type { Identity, PushAnswer, PushEndpoint } from '@rockpool/cloud';
import { InvalidInput } from '@rockpool/contracts';
import type { Incoming } from './incoming.js';
import type { Intake } from './intake.js';

/** What a {@link PubSubPush} needs to know. */
export interface PubSubPushOptions {
  readonly projectId: string;
  readonly identity: Identity;
  /** What Pub/Sub's tokens are made for: the `audience` of the subscriptions' push settings. */
  readonly audience: string;
  /** The app whose service account signs them: the one that receives them. */
  readonly service: string;
  /** Where the deliveries of a subscription go in; `undefined` when nobody subscribed to it here. */
  intakeOf(subscription: string): Intake | undefined;
}

/**
 * Where Pub/Sub pushes to. https://cloud.google.com/pubsub/docs/push
 *
 * A request is believed for its token alone. Its answer is the message's: 204 acknowledges, 503 has it delivered again with the subscription's retry policy, whatever
 * time the handler asked for. The request is open while its message is handled, at most the subscription's ack deadline (600 s); a message that is delivered again
 * meanwhile waits for the same handling.
 */
export class PubSubPush implements PushEndpoint {
  constructor(private readonly options: PubSubPushOptions) {}

  /** Besides what the port says: rejects with `invalid` when the body is not a delivery of this subscription. */
  async push(subscription: string, authorization: string | undefined, body: Uint8Array): Promise<PushAnswer> {
    if (!(await this.#isPubSub(authorization))) return { status: 401 };
    const intake = this.options.intakeOf(subscription);
    if (intake === undefined) return { status: 404 };
    const envelope = parsedEnvelope(body);
    if (envelope['subscription'] !== `projects/${this.options.projectId}/subscriptions/${subscription}`)
      throw new InvalidInput(`this is a delivery of another subscription than ${subscription}`);
    const { promise, resolve } = Promise.withResolvers<PushAnswer>();
    intake.accept(incomingOf(envelope, resolve));
    return promise;
  }

  async #isPubSub(authorization: string | undefined): Promise<boolean> {
    const [, token] = /^Bearer ([A-Za-z0-9._~+/=-]+)$/i.exec(authorization ?? '') ?? [];
    if (token === undefined) return false;
    const { identity, audience, service } = this.options;
    return identity.verify(token, { audience, callers: [service] }).then(
      () => true,
      () => false, // whatever is wrong with it: whoever sent it is told 401 and nothing more
    );
  }
}

type Fields = Readonly<Record<string, unknown>>;

function parsedEnvelope(body: Uint8Array): Fields {
  let envelope: unknown;
  try {
    envelope = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    throw new InvalidInput('the body is not JSON', { cause });
  }
  if (!isFields(envelope)) throw new InvalidInput('the body is no Pub/Sub envelope');
  return envelope;
}

function incomingOf(envelope: Fields, answer: (answer: PushAnswer) => void): Incoming {
  const { message, deliveryAttempt } = envelope;
  if (!isFields(message)) throw new InvalidInput('the envelope has no message');
  const { messageId, data = '', attributes = {}, orderingKey = '', publishTime } = message;
  if (typeof messageId !== 'string' || messageId === '') throw new InvalidInput('the message has no messageId');
  if (typeof data !== 'string' || !isBase64(data)) throw new InvalidInput("the message's data is not base64");
  if (!isFields(attributes) || !Object.values(attributes).every((value) => typeof value === 'string'))
    throw new InvalidInput("the message's attributes are not texts");
  if (typeof orderingKey !== 'string') throw new InvalidInput("the message's orderingKey is no text");
  const publishedAt = new Date(typeof publishTime === 'string' ? publishTime : NaN);
  if (Number.isNaN(publishedAt.getTime())) throw new InvalidInput("the message's publishTime is no time");
  return {
    messageId,
    body: Buffer.from(data, 'base64'),
    attributes: attributes as Record<string, string>,
    ...(orderingKey !== '' && { orderingKey }),
    publishedAt,
    ...(typeof deliveryAttempt === 'number' && deliveryAttempt > 0 && { deliveryAttempt }),
    ack: () => answer({ status: 204 }),
    release: (afterMs) => answer({ status: 503, retryAfterSeconds: Math.ceil(afterMs / 1000) }),
  };
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}
