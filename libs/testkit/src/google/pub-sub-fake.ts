import { status, type ServerDuplexStream } from '@grpc/grpc-js';
import { systemClock } from '../wire/clock.js';
import { Faults } from '../wire/faults.js';
import type { Json } from '../wire/json.js';
import { GrpcFailure, GrpcServer, type GrpcMethods } from './grpc-server.js';
import { Pusher, type MintToken } from './pub-sub-fake-push.js';
import { invalid, publishedMessages, resourceName, subscriptionRules, type PublishedMessage } from './pub-sub-fake-rules.js';
import { FakeSubscription, type Handed, type Taker } from './pub-sub-fake-subscription.js';

const messagesInAResponse = 100;

export interface PubSubFakeOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** Mints the tokens of pushes; without it, there are no push subscriptions. */
  readonly mint?: MintToken;
}

/**
 * Pub/Sub on the loopback, over gRPC, for what the official emulator leaves out or does otherwise: limits, filters, order across redeliveries, retry policies,
 * dead-lettering and delivery attempts as documented, push with an OIDC token, its ordering key and its attempt. Nothing is exactly once.
 */
export interface PubSubFake {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Strike the operation: `Publish`, `Acknowledge`. */
  readonly faults: Faults;
  /** What a subscription keeps: full name, oldest first. */
  unacked(subscription: string): readonly PublishedMessage[];
  /** Ends the lease of a message now, as if its subscriber had been too slow. */
  expire(subscription: string, messageId: string): void;
  /** Ends the open streams, as the service does now and then. */
  breakStreams(): void;
  stop(): Promise<void>;
}

/** Starts empty; what is kept is gone when it stops. */
export async function startPubSubFake(options: PubSubFakeOptions = {}): Promise<PubSubFake> {
  const faults = new Faults();
  const service = new FakeService(options.mint);
  const server = new GrpcServer({
    clientPackage: '@google-cloud/pubsub',
    services: { 'google.pubsub.v1.Publisher': service.publisher, 'google.pubsub.v1.Subscriber': service.subscriber },
    streams: { 'google.pubsub.v1.Subscriber': { StreamingPull: (call) => service.stream(call) } },
    clock: systemClock,
    faults,
  });
  const host = await server.listen(options.port);
  return {
    host,
    faults,
    unacked: (subscription) => service.subscription(subscription).unacked,
    expire: (subscription, messageId) => service.subscription(subscription).expire(messageId),
    breakStreams: () => service.breakStreams(),
    stop: () => {
      service.close();
      server.close();
      return Promise.resolve();
    },
  };
}

type Call = ServerDuplexStream<Json, object>;

class FakeService {
  readonly #topics = new Set<string>();
  readonly #subscriptions = new Map<string, FakeSubscription>();
  readonly #streams = new Set<Call>();
  readonly #pushers: Pusher[] = [];
  #lastMessageId = 4_000_000_000_000_000;

  readonly publisher: GrpcMethods = {
    CreateTopic: (request) => {
      const name = resourceName(request['name'], 'topics');
      if (this.#topics.has(name)) throw new GrpcFailure(status.ALREADY_EXISTS, `Topic already exists: ${name}`);
      this.#topics.add(name);
      return { name };
    },
    GetTopic: (request) => ({ name: this.#topic(request['topic']) }),
    Publish: (request) => {
      const topic = this.#topic(request['topic']);
      const publishedAtMs = Date.now();
      const messages = publishedMessages(request['messages']).map((message) => ({
        ...message,
        publishedAtMs,
        messageId: this.#messageId(),
      }));
      for (const message of messages) this.#offer(topic, message);
      return { messageIds: messages.map(({ messageId }) => messageId) };
    },
  };

  readonly subscriber: GrpcMethods = {
    CreateSubscription: (request) => {
      const rules = subscriptionRules(request);
      this.#topic(rules.topic);
      if (rules.dead) this.#topic(rules.dead.topic);
      if (this.#subscriptions.has(rules.name)) throw new GrpcFailure(status.ALREADY_EXISTS, `Subscription already exists: ${rules.name}`);
      const subscription = new FakeSubscription(rules, (message, deliveries) => this.#bury(subscription, message, deliveries));
      this.#subscriptions.set(rules.name, subscription);
      if (rules.push) this.#startPushing(subscription);
      return request;
    },
    GetSubscription: (request) => ({ name: this.subscription(request['subscription']).rules.name }),
    Acknowledge: (request) => {
      const subscription = this.subscription(request['subscription']);
      for (const ackId of ackIdsOf(request)) subscription.ack(ackId);
      return {};
    },
    ModifyAckDeadline: (request) => {
      const subscription = this.subscription(request['subscription']);
      const seconds = Number(request['ackDeadlineSeconds']);
      if (seconds < 0 || seconds > 600) throw invalid('ackDeadlineSeconds must be 0 to 600');
      for (const ackId of ackIdsOf(request)) subscription.modify(ackId, seconds * 1_000);
      return {};
    },
    Pull: (request) => {
      const most = Number(request['maxMessages']);
      if (!(most > 0)) throw invalid('maxMessages must be positive');
      return { receivedMessages: this.#pulled(request['subscription']).pull(Math.min(most, 1_000)).map(received) };
    },
  };

  /** The subscription of this full name. */
  subscription(name: unknown): FakeSubscription {
    const subscription = this.#subscriptions.get(resourceName(name, 'subscriptions'));
    if (subscription === undefined) throw new GrpcFailure(status.NOT_FOUND, `Resource not found (resource=${String(name)}).`);
    return subscription;
  }

  stream(call: Call): void {
    this.#streams.add(call);
    let leave = (): void => undefined;
    let stream: StreamTaker | undefined;
    call.on('data', (request: Json) => {
      try {
        if (stream !== undefined) return; // what keeps the stream open
        const subscription = this.#pulled(request['subscription']);
        stream = new StreamTaker(call, subscription, request);
        leave = subscription.join(stream);
      } catch (error) {
        const { code, message } = error as GrpcFailure;
        call.emit('error', { code: code ?? status.INTERNAL, details: message });
      }
    });
    const over = (): void => {
      this.#streams.delete(call);
      leave();
    };
    call.once('cancelled', over);
    call.once('end', () => {
      over();
      call.end();
    });
  }

  breakStreams(): void {
    for (const call of this.#streams) call.emit('error', { code: status.UNAVAILABLE, details: 'the stream is over' });
  }

  close(): void {
    for (const pusher of this.#pushers) pusher.close();
    for (const subscription of this.#subscriptions.values()) subscription.close();
  }

  #pulled(name: unknown): FakeSubscription {
    const subscription = this.subscription(name);
    if (subscription.rules.push) throw new GrpcFailure(status.FAILED_PRECONDITION, 'the subscription is pushed');
    return subscription;
  }

  #topic(name: unknown): string {
    const topic = resourceName(name, 'topics');
    if (!this.#topics.has(topic)) throw new GrpcFailure(status.NOT_FOUND, `Resource not found (resource=${topic}).`);
    return topic;
  }

  #offer(topic: string, message: PublishedMessage): void {
    for (const subscription of this.#subscriptions.values()) if (subscription.rules.topic === topic) subscription.offer(message);
  }

  #bury({ rules }: FakeSubscription, message: PublishedMessage, deliveries: number): void {
    const [, project, , id] = rules.name.split('/');
    this.#offer(rules.dead!.topic, {
      ...message,
      messageId: this.#messageId(),
      publishedAtMs: Date.now(),
      attributes: {
        ...message.attributes,
        CloudPubSubDeadLetterSourceDeliveryCount: String(deliveries),
        CloudPubSubDeadLetterSourceSubscription: id!,
        CloudPubSubDeadLetterSourceSubscriptionProject: project!,
        CloudPubSubDeadLetterSourceTopicPublishTime: new Date(message.publishedAtMs).toISOString(),
      },
    });
  }

  #startPushing(subscription: FakeSubscription): void {
    if (this.mint === undefined) throw invalid('this fake was started without a way to mint the tokens of pushes');
    const pusher = new Pusher(subscription, this.mint);
    this.#pushers.push(pusher);
    subscription.join(pusher);
  }

  #messageId(): string {
    return String(++this.#lastMessageId);
  }

  constructor(private readonly mint: MintToken | undefined) {}
}

/** One StreamingPull. Its flow control counts what was handed to it and is not answered. */
class StreamTaker implements Taker {
  readonly oneOfAKey = false;
  readonly mostHeld: number;
  readonly leaseMs: number;

  constructor(
    private readonly call: Call,
    subscription: FakeSubscription,
    request: Json,
  ) {
    const seconds = Number(request['streamAckDeadlineSeconds']);
    if (seconds < 10 || seconds > 600) throw invalid('streamAckDeadlineSeconds must be 10 to 600');
    this.leaseMs = seconds * 1_000;
    this.mostHeld = Number(request['maxOutstandingMessages']) || Infinity;
    call.write({
      receivedMessages: [],
      subscriptionProperties: { exactlyOnceDeliveryEnabled: false, messageOrderingEnabled: subscription.rules.ordered },
    });
  }

  get room(): number {
    return this.call.cancelled || this.call.destroyed || this.call.writableNeedDrain ? 0 : this.mostHeld;
  }

  take(handed: Handed[]): void {
    for (let from = 0; from < handed.length; from += messagesInAResponse)
      this.call.write({ receivedMessages: handed.slice(from, from + messagesInAResponse).map(received) });
  }
}

function received({ ackId, message, deliveryAttempt }: Handed): object {
  const { messageId, publishedAtMs, data, attributes, orderingKey } = message;
  const publishTime = { seconds: Math.floor(publishedAtMs / 1_000), nanos: (publishedAtMs % 1_000) * 1e6 };
  return { ackId, deliveryAttempt, message: { data, attributes, messageId, publishTime, orderingKey } };
}

function ackIdsOf(request: Json): string[] {
  const ackIds = request['ackIds'] as string[];
  if (!Array.isArray(ackIds) || ackIds.length === 0) throw invalid('No ack ids specified.');
  if (ackIds.some((ackId) => !/^projects\/.+#\d+$/.test(ackId))) throw invalid('Some acknowledgement ids in the request were invalid.');
  return ackIds;
}
