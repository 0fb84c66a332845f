import {
  type DeadLetter,
  type DeliveryHandler,
  MessageBus,
  type OutgoingMessage,
  type Subscription,
  type SubscriptionStats,
} from '@rockpool/cloud';
import { InvalidInput, NotFound, RockpoolError, type SubscriptionSpec, TerminalError } from '@rockpool/contracts';
import { MessageStore } from './bus/message-store.js';
import { SubscriptionQueue } from './bus/subscription-queue.js';
import type { Database } from './database.js';

const maxBodyBytes = 9 * 2 ** 20;
const maxKeyBytes = 1_024;
const maxAttributes = 98;
const maxAttributeNameBytes = 256;
const maxAttributeValueBytes = 1_024;

/** Dead letters put back by one write, so that replaying many does not hold up what is published meanwhile. */
const replayChunk = 200;

/**
 * The bus on one machine: messages are rows, deliveries happen in this process.
 *
 * A subscription exists when it is in the catalogue given at opening, or once somebody subscribed. A later opening whose catalogue lacks it
 * gives it no new messages; those it has stay until somebody subscribes again. A handler that ignores its aborted signal keeps its key
 * until it ends.
 */
export class SqliteMessageBus extends MessageBus {
  readonly #store: MessageStore;
  readonly #queues = new Map<string, SubscriptionQueue>();
  readonly #byTopic = new Map<string, SubscriptionQueue[]>();
  #closing: Promise<void> | undefined;

  private constructor(private readonly database: Database) {
    super();
    this.#store = new MessageStore(database);
  }

  /** Opens the bus over a database of which it uses the tables named `bus_…`. The database outlives it. */
  static async open(database: Database, catalogue: readonly SubscriptionSpec[]): Promise<SqliteMessageBus> {
    const bus = new SqliteMessageBus(database);
    for (const spec of catalogue) await bus.#queueFor(spec);
    return bus;
  }

  override async publish(message: OutgoingMessage): Promise<string> {
    this.#mustBeOpen();
    checkMessage(message);
    const orderingKey = message.orderingKey === '' ? undefined : message.orderingKey;
    const attributes = { ...message.attributes };
    const queues = (this.#byTopic.get(message.topic) ?? []).filter((queue) => queue.matches(attributes));
    const messageId = this.database.uniqueNumber();
    const publishedAt = Date.now();
    // The caller may reuse its buffer, and a small one would keep the pool it was cut from alive.
    const body = new Uint8Array(message.body);
    const row = { messageId, orderingKey, publishedAt, attributes: JSON.stringify(attributes), body };
    const numbers = queues.map((queue) => queue.number);
    const positions = await this.database.write(() => this.#store.append(numbers, row));
    const stored = { messageId: String(messageId), orderingKey, attempts: 0, publishedAt, attributes, body };
    for (const [index, queue] of queues.entries()) queue.accept(positions[index]!, orderingKey, stored);
    return stored.messageId;
  }

  override async subscribe(spec: SubscriptionSpec, handler: DeliveryHandler): Promise<Subscription> {
    const queue = await this.#queueFor(spec);
    this.#mustBeOpen();
    return queue.consume(handler);
  }

  override async stats(subscription: string): Promise<SubscriptionStats> {
    const { backlog, oldestPublishedAt, deadLetters } = await this.#existing(subscription).figures();
    const oldestAgeMs = oldestPublishedAt === undefined ? 0 : Math.max(0, Date.now() - oldestPublishedAt);
    return { backlog, oldestAgeMs, deadLetters };
  }

  override async deadLetters(
    subscription: string,
    page: { limit?: number; cursor?: string } = {},
  ): Promise<{ items: DeadLetter[]; nextCursor?: string }> {
    const { number } = this.#existing(subscription);
    const limit = page.limit ?? 100;
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000) throw new InvalidInput('a page of dead letters has 1 to 1000 of them');
    const after = page.cursor === undefined ? 0 : Number(page.cursor);
    if (!Number.isSafeInteger(after)) throw new InvalidInput(`${page.cursor} is no cursor of this bus`);
    const rows = this.#store.deadLettersAfter(number, after, limit + 1);
    const items = rows.slice(0, limit).map(({ letter }) => letter);
    return rows.length > limit ? { items, nextCursor: String(rows[limit - 1]!.number) } : { items };
  }

  override async replayDeadLetters(subscription: string, messageIds?: readonly string[]): Promise<number> {
    const queue = this.#existing(subscription);
    if (messageIds !== undefined) return this.#replay(queue, numbersOf(messageIds));
    // Those that die again while this runs are not replayed twice.
    const latest = this.#store.latestDeadNumber(queue.number);
    let replayed = 0;
    for (;;) {
      const chunk = this.#store.deadMessageIds(queue.number, latest, replayChunk);
      if (chunk.length === 0) return replayed;
      replayed += await this.#replay(queue, chunk);
    }
  }

  override async purgeDeadLetters(subscription: string, messageIds: readonly string[]): Promise<number> {
    const { number } = this.#existing(subscription);
    return this.database.write(() => numbersOf(messageIds).filter((id) => this.#store.purge(number, id)).length);
  }

  override close(drainMs?: number): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  async #close(drainMs: number | undefined): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close(drainMs)));
    // Commits come in order: when this one is on disk, so is every publish before it.
    await this.database.write(() => undefined);
  }

  async #replay(queue: SubscriptionQueue, messageIds: readonly number[]): Promise<number> {
    const replayed = await this.database.write(() => messageIds.map((id) => this.#store.exhume(queue.number, id)));
    let count = 0;
    for (const message of replayed) {
      if (message === undefined) continue;
      queue.accept(message.position, message.orderingKey);
      count++;
    }
    return count;
  }

  async #queueFor(spec: SubscriptionSpec): Promise<SubscriptionQueue> {
    this.#mustBeOpen();
    checkSpec(spec);
    if (!this.#queues.has(spec.name)) {
      const number = await this.database.write(() => this.#store.register(spec));
      // Somebody else may have registered it in the same commit.
      if (!this.#queues.has(spec.name)) this.#add(new SubscriptionQueue(this.database, this.#store, number, spec));
    }
    const queue = this.#queues.get(spec.name)!;
    if (queue.spec.topic !== spec.topic) throw new InvalidInput(`the subscription ${spec.name} is one of the topic ${queue.spec.topic}`);
    queue.spec = spec;
    return queue;
  }

  #add(queue: SubscriptionQueue): void {
    this.#queues.set(queue.spec.name, queue);
    this.#byTopic.set(queue.spec.topic, [...(this.#byTopic.get(queue.spec.topic) ?? []), queue]);
  }

  #existing(subscription: string): SubscriptionQueue {
    const queue = this.#queues.get(subscription);
    if (queue === undefined) throw new NotFound(`there is no subscription ${subscription}`);
    return queue;
  }

  #mustBeOpen(): void {
    if (this.#closing !== undefined) throw new RockpoolError('unavailable', 'the message bus is closed');
  }
}

function checkMessage(message: OutgoingMessage): void {
  if (message.topic.length === 0) throw new InvalidInput('a message needs a topic');
  if (message.body.length > maxBodyBytes) throw new TerminalError('the body of a message has at most 9 MiB', { code: 'too_large' });
  if (longer(message.orderingKey ?? '', maxKeyBytes)) throw new InvalidInput('an ordering key has at most 1,024 bytes');
  const attributes = Object.entries(message.attributes);
  if (attributes.length > maxAttributes) throw new InvalidInput('a message has at most 98 attributes');
  for (const [name, value] of attributes) {
    if (name === '' || longer(name, maxAttributeNameBytes)) throw new InvalidInput(`an attribute's name has 1 to 256 bytes: ${name}`);
    if (typeof value !== 'string' || longer(value, maxAttributeValueBytes))
      throw new InvalidInput(`the attribute ${name} must be a string of at most 1,024 bytes`);
  }
}

/** UTF-8 has at most three bytes for each UTF-16 unit, so most strings need not be measured. */
function longer(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
}

function checkSpec(spec: SubscriptionSpec): void {
  const { name, maxAttempts, minBackoffMs, maxBackoffMs, maxConcurrency } = spec;
  if (name === '' || spec.topic.length === 0) throw new InvalidInput('a subscription needs a name and a topic');
  if (!Number.isInteger(maxAttempts) || maxAttempts < 1) throw new InvalidInput(`${name}: maxAttempts must be at least 1`);
  if (!Number.isInteger(maxConcurrency) || maxConcurrency < 1) throw new InvalidInput(`${name}: maxConcurrency must be at least 1`);
  if (!(minBackoffMs >= 0 && maxBackoffMs >= minBackoffMs))
    throw new InvalidInput(`${name}: backoff must be 0 ≤ minBackoffMs ≤ maxBackoffMs`);
}

/** Message ids are numbers here; what is not one names no message. */
function numbersOf(messageIds: readonly string[]): number[] {
  return messageIds.map(Number).filter(Number.isSafeInteger);
}
