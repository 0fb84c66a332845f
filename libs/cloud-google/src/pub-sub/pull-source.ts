import { Duration, SubscriptionCloseBehaviors, type Message, type PubSub, type Subscription } from '@google-cloud/pubsub';
import type { Incoming } from './incoming.js';

/**
 * The client renews a message's lease for as long as it is being handled, each time for so long, which is the least there is: after so long the messages of a process that
 * was killed come again. By itself it would make leases as long as handlers take.
 */
const renewedFor = Duration.from({ seconds: 10 });
/** A handler may take so long. */
const maxLease = Duration.from({ hours: 24 });
/** How long acks and nacks are collected. */
const answerEveryMs = 10;
const maxBytes = 100 * 2 ** 20;
const reopenMs = { first: 250, most: 30_000 };

/** Everything a stream of messages needs to know. */
export interface PullOptions {
  readonly subscription: string;
  /** Messages in hand at most. */
  readonly maxMessages: number;
  accept(incoming: Incoming): void;
  /** The stream broke for good; another is opened after a while. */
  onFault(error: unknown): void;
}

/** One streaming pull of one subscription, opened again whenever it breaks. */
export class PullSource {
  /** Messages given back whose time has not come: their leases are kept until then. */
  readonly #held = new Map<Message, NodeJS.Timeout>();
  #subscription: Subscription;
  #reopening: NodeJS.Timeout | undefined;
  #lastFault = '';
  #waitMs = reopenMs.first;
  #closing: Promise<void> | undefined;

  constructor(
    private readonly client: PubSub,
    private readonly options: PullOptions,
  ) {
    this.#subscription = this.#open();
  }

  /** What broke the stream, while it is not open again. */
  get fault(): string | undefined {
    return this.#reopening === undefined ? undefined : this.#lastFault;
  }

  /** Takes no more messages and gives back those that are held. Resolves when what is being handled is answered too. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#reopening);
    for (const [message, timer] of this.#held) {
      clearTimeout(timer);
      message.nack();
    }
    this.#held.clear();
    await this.#subscription.close();
  }

  #open(): Subscription {
    const subscription = this.client.subscription(this.options.subscription, {
      flowControl: { maxMessages: this.options.maxMessages, maxBytes, allowExcessMessages: true },
      batching: { maxMilliseconds: answerEveryMs },
      streamingOptions: { maxStreams: 1 },
      minAckDeadline: renewedFor,
      maxAckDeadline: renewedFor,
      maxExtensionTime: maxLease,
      closeOptions: { behavior: SubscriptionCloseBehaviors.WaitForProcessing, timeout: maxLease },
    });
    subscription.on('message', (message: Message) => {
      this.#waitMs = reopenMs.first;
      this.options.accept(this.#incoming(message));
    });
    subscription.on('error', (error: unknown) => {
      this.#lastFault = error instanceof Error ? error.message : String(error);
      this.options.onFault(error);
      this.#reopenLater();
    });
    return subscription;
  }

  #reopenLater(): void {
    if (this.#closing !== undefined || this.#reopening !== undefined) return;
    this.#reopening = setTimeout(() => {
      this.#reopening = undefined;
      this.#subscription = this.#open();
    }, this.#waitMs);
    this.#waitMs = Math.min(reopenMs.most, this.#waitMs * 2);
  }

  #incoming(message: Message): Incoming {
    return {
      messageId: message.id,
      body: message.data,
      attributes: message.attributes,
      ...(message.orderingKey && { orderingKey: message.orderingKey }),
      publishedAt: message.publishTime,
      ...(message.deliveryAttempt > 0 && { deliveryAttempt: message.deliveryAttempt }),
      ack: () => message.ack(),
      release: (afterMs) => this.#release(message, afterMs),
    };
  }

  #release(message: Message, afterMs: number): void {
    if (afterMs === 0 || this.#closing !== undefined) {
      message.nack();
      return;
    }
    const timer = setTimeout(() => {
      this.#held.delete(message);
      message.nack();
    }, afterMs);
    this.#held.set(message, timer);
  }
}
