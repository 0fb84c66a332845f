import type { PubSub, Topic as PubSubTopic } from '@google-cloud/pubsub';
import {
  MessageBus,
  type DeadLetter,
  type DeliveryHandler,
  type OutgoingMessage,
  type Subscription,
  type SubscriptionStats,
} from '@rockpool/cloud';
import { InvalidInput, NotFound, RockpoolError, topics, type SubscriptionSpec } from '@rockpool/contracts';
import { plaintextEndpoint } from '../grpc-endpoint.js';
import { buriedAttributes, checkMessage, originOf, publishedAttributes, replayedAttributes } from './attributes.js';
import { KnownBacklog, type BacklogMonitor } from './backlog.js';
import { DeadLetters } from './dead-letters.js';
import type { Incoming } from './incoming.js';
import { Intake } from './intake.js';
import { PullSource } from './pull-source.js';
import { publishError } from './publish-error.js';
import { deadNameOf, isOrdered, Topology } from './topology.js';

/** Messages published within so long, to one topic or key, share a request. */
const batchMs = 2;
/** An HTTP edge waits for a publish: what Pub/Sub does not take in this time is refused with `unavailable`, and the sender repeats it. */
const publishWithinMs = 5_000;
const publishCallMs = 4_000;
const publishRetry = {
  // ABORTED, CANCELLED, DEADLINE_EXCEEDED, INTERNAL, RESOURCE_EXHAUSTED, UNAVAILABLE, UNKNOWN: what the API calls worth repeating.
  retryCodes: [10, 1, 4, 13, 8, 14, 2],
  backoffSettings: {
    initialRetryDelayMillis: 100,
    retryDelayMultiplier: 2,
    maxRetryDelayMillis: 1_000,
    initialRpcTimeoutMillis: publishCallMs,
    rpcTimeoutMultiplier: 1,
    maxRpcTimeoutMillis: publishCallMs,
    totalTimeoutMillis: publishWithinMs,
  },
};

/**
 * Messages in hand at most. Of an ordered subscription more are taken than are handled at once, or the flood of one key would keep all others out; of any
 * there is room for those that wait for their next try.
 */
const inHandFor = (spec: SubscriptionSpec): number =>
  isOrdered(spec) ? Math.max(1_000, 4 * spec.maxConcurrency) : 2 * spec.maxConcurrency;

/** What a {@link PubSubMessageBus} is opened over. */
export interface PubSubOptions {
  readonly projectId: string;
  /** `host:port` of an emulator, spoken to in plaintext; absent: Google. */
  readonly endpoint?: string;
  /** Every subscription that exists. */
  readonly subscriptions: readonly SubscriptionSpec[];
  /** Makes topics and subscriptions that are missing. */
  readonly createTopology: boolean;
  /** `push`: deliveries come through {@link PubSubMessageBus.intakeOf} and nothing is pulled. Default `pull`. */
  readonly delivery?: 'pull' | 'push';
  /** Tells backlogs; without it `stats` knows what went through this process only. */
  readonly monitor?: BacklogMonitor;
  /** Told when a stream breaks or a dead letter cannot be written; both are repeated. */
  readonly onFault?: (what: string, error: unknown) => void;
}

interface Consumed {
  readonly intake: Intake;
  readonly known: KnownBacklog;
  source: PullSource | undefined;
}

/**
 * The bus on Google Cloud Pub/Sub, by streaming pull or push.
 *
 * Attempts are counted by Pub/Sub, so they outlive processes. Backoff is waited for here, with the lease held, and the message then given back. A message whose
 * attempts are used up is written to the dead-letter topic with its reason and acknowledged; Pub/Sub's own dead-lettering catches what never gets a verdict,
 * because its process dies. See docs/decisions/0012-google-bus.md.
 */
export class PubSubMessageBus extends MessageBus {
  readonly #topology: Topology;
  readonly #deadLetters: DeadLetters;
  readonly #topics = new Map<string, PubSubTopic>();
  readonly #consumed = new Map<string, Consumed>();
  readonly #publishing = new Set<Promise<string>>();
  readonly #closingSources = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;

  private constructor(
    private readonly client: PubSub,
    private readonly options: PubSubOptions,
    deadLetters: DeadLetters,
  ) {
    super();
    this.#topology = new Topology(client);
    this.#deadLetters = deadLetters;
  }

  /** Connects lazily: an unreachable service shows in `publish`, not here, unless there is topology to make. */
  static async open(options: PubSubOptions): Promise<PubSubMessageBus> {
    const { PubSub, v1 } = await import('@google-cloud/pubsub');
    const { projectId, endpoint } = options;
    const plaintext = await plaintextEndpoint(endpoint);
    const client = new PubSub({ projectId, ...plaintext, ...(endpoint !== undefined && { apiEndpoint: endpoint, emulatorMode: true }) });
    const subscriber = new v1.SubscriberClient({ projectId, ...plaintext });
    const bus = new PubSubMessageBus(client, options, new DeadLetters(subscriber, client, endpoint === undefined));
    if (options.createTopology) await Promise.all(Object.keys(topics).map((topic) => bus.#topology.topic(topic)));
    for (const spec of options.subscriptions) await bus.#add(spec);
    return bus;
  }

  override async publish(message: OutgoingMessage): Promise<string> {
    this.#mustBeOpen();
    checkMessage(message);
    const publishing = this.#publish(message.topic, {
      // The caller may reuse its buffer.
      data: Buffer.from(message.body),
      attributes: publishedAttributes(message),
      ...(message.orderingKey ? { orderingKey: message.orderingKey } : {}),
    });
    this.#publishing.add(publishing);
    try {
      return await publishing;
    } finally {
      this.#publishing.delete(publishing);
    }
  }

  override async subscribe(spec: SubscriptionSpec, handler: DeliveryHandler): Promise<Subscription> {
    this.#mustBeOpen();
    const consumed = await this.#add(spec);
    this.#mustBeOpen();
    const subscription = consumed.intake.consume(handler, () => this.#shut(consumed));
    if (this.options.delivery !== 'push') consumed.source ??= this.#open(consumed.intake);
    return subscription;
  }

  override async stats(subscription: string): Promise<SubscriptionStats> {
    const { intake, known } = this.#existing(subscription);
    const [buried, monitored] = await Promise.all([
      this.options.monitor?.figures(deadNameOf(subscription)),
      this.options.monitor?.figures(subscription),
    ]);
    // Counting means pulling them all: not what somebody who asks every few seconds ought to cause.
    const deadLetters = buried?.backlog ?? (await this.#deadLetters.count(subscription));
    const here = known.figures(intake.inHand());
    return {
      backlog: Math.max(here.backlog, monitored?.backlog ?? 0),
      oldestAgeMs: Math.max(here.oldestAgeMs, monitored?.oldestAgeMs ?? 0),
      deadLetters,
    };
  }

  override async deadLetters(
    subscription: string,
    page: { limit?: number; cursor?: string } = {},
  ): Promise<{ items: DeadLetter[]; nextCursor?: string }> {
    this.#existing(subscription);
    return this.#deadLetters.list(subscription, page);
  }

  /**
   * Publishes the letters to their topic again, marked for this subscription alone, and then removes them. A crash in between leaves both, so a letter may be
   * replayed twice, and not lost.
   */
  override async replayDeadLetters(subscription: string, messageIds?: readonly string[]): Promise<number> {
    const { topic } = this.#existing(subscription).intake.spec;
    return this.#deadLetters.remove(subscription, messageIds, ({ messageId, body, orderingKey, publishedAt, rawAttributes }) =>
      this.#publish(topic, {
        data: Buffer.from(body),
        attributes: replayedAttributes(rawAttributes, { subscription, messageId, publishedAtMs: publishedAt.getTime() }),
        ...(orderingKey !== undefined && { orderingKey }),
      }),
    );
  }

  override async purgeDeadLetters(subscription: string, messageIds: readonly string[]): Promise<number> {
    this.#existing(subscription);
    return this.#deadLetters.remove(subscription, messageIds, () => Promise.resolve());
  }

  /** Where deliveries that are pushed go in; `undefined` when nobody subscribed to it here. */
  intakeOf(subscription: string): Intake | undefined {
    const intake = this.#consumed.get(subscription)?.intake;
    return intake?.isConsumed ? intake : undefined;
  }

  /** A subscription whose messages do not come, in words; `undefined` when all do. */
  get fault(): string | undefined {
    for (const [name, { source }] of this.#consumed) {
      if (source?.fault !== undefined) return `no messages come from ${name}: ${source.fault}`;
    }
    return undefined;
  }

  override close(drainMs?: number): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  async #close(drainMs: number | undefined): Promise<void> {
    await Promise.all([...this.#consumed.values()].map(({ intake }) => intake.close(drainMs)));
    await Promise.allSettled(this.#publishing);
    // What is still being handled was told to stop; when it does not, its lease ends with the process.
    await withinMs(Promise.allSettled(this.#closingSources), 1_000);
    await this.#deadLetters.close();
    await this.client.close();
  }

  async #publish(topic: string, message: { data: Buffer; attributes: Record<string, string>; orderingKey?: string }): Promise<string> {
    const target = this.#topic(topic);
    try {
      const messageId = await target.publishMessage(message);
      if (this.options.monitor === undefined) this.#noteWaiting(topic, messageId, message.attributes);
      return messageId;
    } catch (error) {
      // After a failure the client refuses the whole key, so that no later message overtakes; all that were waiting have been refused by now.
      if (message.orderingKey !== undefined) target.resumePublishing(message.orderingKey);
      throw publishError(topic, error);
    }
  }

  #noteWaiting(topic: string, messageId: string, attributes: Readonly<Record<string, string>>): void {
    for (const { intake, known } of this.#consumed.values()) {
      if (intake.spec.topic === topic && intake.wants(attributes)) known.published(messageId, Date.now());
    }
  }

  #topic(name: string): PubSubTopic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = this.client.topic(name, {
        messageOrdering: true,
        batching: { maxMilliseconds: batchMs },
        gaxOpts: { retry: publishRetry, timeout: publishWithinMs },
      });
      this.#topics.set(name, topic);
    }
    return topic;
  }

  async #add(spec: SubscriptionSpec): Promise<Consumed> {
    checkSpec(spec);
    if (this.options.createTopology) await this.#topology.subscription(spec);
    const existing = this.#consumed.get(spec.name);
    if (existing === undefined) {
      const consumed = this.#consumedOf(spec);
      this.#consumed.set(spec.name, consumed);
      return consumed;
    }
    if (existing.intake.spec.topic !== spec.topic) {
      throw new InvalidInput(`the subscription ${spec.name} is one of the topic ${existing.intake.spec.topic}`);
    }
    existing.intake.spec = spec;
    return existing;
  }

  #consumedOf(spec: SubscriptionSpec): Consumed {
    const known = new KnownBacklog();
    const intake = new Intake(spec, {
      // What is given back to a push may come to any process, and nothing behind it is here.
      keepsPlace: this.options.delivery !== 'push',
      bury: (incoming, burial) => this.#bury(spec.name, incoming, burial),
      onDone: (messageId) => known.done(messageId),
      onFault: (error) => this.options.onFault?.(`a dead letter of ${spec.name} could not be written`, error),
    });
    return { intake, known, source: undefined };
  }

  async #bury(subscription: string, incoming: Incoming, burial: { attempts: number; reason: string }): Promise<void> {
    const { messageId, publishedAt } = originOf(incoming);
    const attributes = buriedAttributes(incoming.attributes, { ...burial, messageId, publishedAtMs: publishedAt.getTime() });
    const { body, orderingKey } = incoming;
    await this.#publish(deadNameOf(subscription), {
      data: Buffer.from(body),
      attributes,
      ...(orderingKey !== undefined && { orderingKey }),
    });
  }

  #open(intake: Intake): PullSource {
    const { spec } = intake;
    return new PullSource(this.client, {
      subscription: spec.name,
      maxMessages: inHandFor(spec),
      accept: (incoming) => intake.accept(incoming),
      onFault: (error) => this.options.onFault?.(`the stream of ${spec.name} broke`, error),
    });
  }

  #shut(consumed: Consumed): void {
    const closing = consumed.source?.close();
    consumed.source = undefined;
    if (closing === undefined) return;
    this.#closingSources.add(closing);
    void closing.finally(() => this.#closingSources.delete(closing));
  }

  #existing(subscription: string): Consumed {
    const consumed = this.#consumed.get(subscription);
    if (consumed === undefined) throw new NotFound(`there is no subscription ${subscription}`);
    return consumed;
  }

  #mustBeOpen(): void {
    if (this.#closing !== undefined) throw new RockpoolError('unavailable', 'the message bus is closed');
  }
}

function checkSpec(spec: SubscriptionSpec): void {
  const { name, maxAttempts, minBackoffMs, maxBackoffMs, maxConcurrency } = spec;
  if (name === '' || spec.topic.length === 0) throw new InvalidInput('a subscription needs a name and a topic');
  if (!Number.isInteger(maxAttempts) || maxAttempts < 1) throw new InvalidInput(`${name}: maxAttempts must be at least 1`);
  if (!Number.isInteger(maxConcurrency) || maxConcurrency < 1) throw new InvalidInput(`${name}: maxConcurrency must be at least 1`);
  if (!(minBackoffMs >= 0 && maxBackoffMs >= minBackoffMs)) {
    throw new InvalidInput(`${name}: backoff must be 0 ≤ minBackoffMs ≤ maxBackoffMs`);
  }
}

async function withinMs(promise: Promise<unknown>, limitMs: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, limitMs);
  await Promise.race([promise, late]);
  clearTimeout(timer);
}
