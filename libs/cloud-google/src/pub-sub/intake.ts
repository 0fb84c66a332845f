import type { SubscriptionSpec } from '@rockpool/contracts';
import type { DeliveryHandler, Subscription } from '@rockpool/cloud';
import { consumedAttributes, originOf, replayOf } from './attributes.js';
import { Consumer, type Delivered, type Settled } from './consumer.js';
import type { Incoming } from './incoming.js';
import { Memory } from './memory.js';

/**
 * A message that was given back and does not return in this time, after its backoff, has gone to another process: its key is not held back for it any longer. What
 * waited behind it goes back too, and Pub/Sub keeps its order.
 */
const returnsWithinMs = 5_000;
const sweepEveryMs = 1_000;

/** Acked messages of ordered subscriptions are known for so long, so many of them: redelivering a message brings all later ones of its key again. */
const rememberedMs = 600_000;
const remembered = 50_000;

/** Deliveries begun in one turn of the event loop, so that quick handlers leave room for what else comes in. */
const deliveriesPerTurn = 50;

interface Item {
  readonly messageId: string;
  readonly publishedAtMs: number;
  /** All deliveries of it that are not answered yet: one, but for redeliveries that overtake an answer. */
  copies: Incoming[];
  state: 'waiting' | 'running' | 'away';
  attempts: number;
}

/** The messages of one key, first published first; of a message without key, it alone. */
interface Line {
  readonly name: string;
  readonly items: Item[];
  awayUntil: number;
}

export interface IntakeOptions {
  /** A message that is given back comes back to this process, so that its key waits for it. */
  readonly keepsPlace: boolean;
  /** Writes to the dead-letter topic; the message is acknowledged afterwards. */
  bury(incoming: Incoming, burial: { attempts: number; reason: string }): Promise<void>;
  /** A message that needs no more deliveries: acknowledged, or dead. */
  onDone(messageId: string): void;
  /** Writing to the dead-letter topic failed; the message is tried again. */
  onFault(error: unknown): void;
}

/**
 * What one process does with the messages of one subscription, wherever they come from.
 *
 * Pub/Sub gives out the messages of a key in order, but a client handles them side by side, and a message that is given back arrives again after later ones,
 * which arrive again too. So each key has a line here. It remembers the order of first arrival; its head is handled alone; while the head is away the others
 * keep their leases and wait; a copy of a message that is in the line joins it, and one of a message acknowledged lately is acknowledged unseen.
 */
export class Intake {
  readonly #lines = new Map<string, Line>();
  /** Lines whose head can be handled, longest waiting first. */
  readonly #ready = new Set<Line>();
  readonly #consumers: Consumer[] = [];
  readonly #done = new Memory(remembered, rememberedMs);
  #nextConsumer = 0;
  #deliveriesLeft = deliveriesPerTurn;
  #sweep: NodeJS.Timeout | undefined;

  constructor(
    public spec: SubscriptionSpec,
    private readonly options: IntakeOptions,
  ) {}

  get isConsumed(): boolean {
    return this.#consumers.length > 0;
  }

  /** Ids of the messages in hand, with the times they were published. */
  *inHand(): Generator<[messageId: string, publishedAtMs: number]> {
    for (const { items } of this.#lines.values()) for (const { messageId, publishedAtMs } of items) yield [messageId, publishedAtMs];
  }

  /** `onLast` is called when the last consumer closes, before its drain: the source of messages is to be shut then. */
  consume(handler: DeliveryHandler, onLast: () => void): Subscription {
    const consumer = new Consumer(this.spec.maxConcurrency, handler, (closed) => {
      this.#consumers.splice(this.#consumers.indexOf(closed), 1);
      if (this.isConsumed) return;
      // What the source holds until its time is the head of its line: it goes back before what waits behind it.
      onLast();
      this.#releaseWaiting();
    });
    this.#consumers.push(consumer);
    this.#sweep ??= setInterval(() => this.#giveUpWaiting(), sweepEveryMs).unref();
    this.#pump();
    return consumer;
  }

  /** Takes a delivery. It is answered once its message is handled. */
  accept(incoming: Incoming): void {
    const { messageId, orderingKey } = incoming;
    if (!this.wants(incoming.attributes) || this.#done.has(messageId)) {
      incoming.ack();
      this.options.onDone(messageId);
      return;
    }
    if (!this.isConsumed) {
      incoming.release(0);
      return;
    }
    const name = orderingKey === undefined ? `message ${messageId}` : `key ${orderingKey}`;
    const line = this.#lines.get(name) ?? { name, items: [], awayUntil: Infinity };
    this.#lines.set(name, line);
    const known = line.items.find((item) => item.messageId === messageId);
    if (known === undefined) {
      place(line, { messageId, publishedAtMs: incoming.publishedAt.getTime(), copies: [incoming], state: 'waiting', attempts: 0 });
    } else {
      known.copies.push(incoming);
      if (known.state === 'away') known.state = 'waiting';
    }
    this.#offer(line);
    this.#pump();
  }

  /** Closes every consumer; see {@link Subscription.close}. */
  async close(drainMs?: number): Promise<void> {
    clearInterval(this.#sweep);
    this.#sweep = undefined;
    await Promise.all([...this.#consumers].map((consumer) => consumer.close(drainMs)));
  }

  /** False for what other subscriptions of the topic are to get. */
  wants(attributes: Readonly<Record<string, string>>): boolean {
    const replay = replayOf(attributes);
    if (replay !== undefined && replay.subscription !== this.spec.name) return false;
    // Pub/Sub filters by itself; its emulator does not.
    return Object.entries(this.spec.filter ?? {}).every(([name, value]) => attributes[name] === value);
  }

  #offer(line: Line): void {
    if (line.items[0]?.state === 'waiting') this.#ready.add(line);
  }

  #pump(): void {
    for (const line of this.#ready) {
      if (this.#deliveriesLeft <= 0) return this.#pumpNextTurn();
      const consumer = this.#freeConsumer();
      if (consumer === undefined) return;
      this.#deliveriesLeft--;
      this.#ready.delete(line);
      void this.#handle(consumer, line, line.items[0]!);
    }
  }

  #pumpNextTurn(): void {
    if (this.#deliveriesLeft < 0) return;
    this.#deliveriesLeft = -1; // until the next turn has come
    setImmediate(() => {
      this.#deliveriesLeft = deliveriesPerTurn;
      this.#pump();
    });
  }

  /** In turns, so that several subscribers share. */
  #freeConsumer(): Consumer | undefined {
    for (let step = 0; step < this.#consumers.length; step++) {
      const consumer = this.#consumers[(this.#nextConsumer + step) % this.#consumers.length]!;
      if (!consumer.hasRoom) continue;
      this.#nextConsumer = (this.#nextConsumer + step + 1) % this.#consumers.length;
      return consumer;
    }
    return undefined;
  }

  async #handle(consumer: Consumer, line: Line, item: Item): Promise<void> {
    item.state = 'running';
    const incoming = item.copies.at(-1)!;
    item.attempts = incoming.deliveryAttempt ?? item.attempts + 1;
    const delivered = deliveredFrom(incoming, item.attempts);
    await consumer.handle(delivered, (settled) => this.#settle(line, item, settled));
    this.#pump();
  }

  async #settle(line: Line, item: Item, settled: Settled): Promise<void> {
    if (settled.kind === 'ack') this.#finish(line, item);
    else if (settled.kind === 'unfinished') this.#release(line, item, 0);
    else if (settled.kind === 'retry' && item.attempts < this.spec.maxAttempts) {
      this.#release(line, item, delayOf(settled.afterMs) ?? this.#backoffMs(item.attempts));
    } else {
      await this.#bury(line, item, settled.reason ?? 'the handler asked for a retry');
    }
  }

  async #bury(line: Line, item: Item, reason: string): Promise<void> {
    try {
      await this.options.bury(item.copies.at(-1)!, { attempts: item.attempts, reason });
      this.#finish(line, item);
    } catch (error) {
      this.options.onFault(error);
      this.#release(line, item, this.#backoffMs(item.attempts));
    }
  }

  #finish(line: Line, item: Item): void {
    for (const copy of item.copies) copy.ack();
    if (item.copies[0]!.orderingKey !== undefined) this.#done.add(item.messageId);
    this.options.onDone(item.messageId);
    line.items.shift();
    this.#afterHead(line);
  }

  #release(line: Line, item: Item, afterMs: number): void {
    item.state = 'away';
    // The subscription may have a retry policy besides.
    line.awayUntil = Date.now() + afterMs + 2 * this.#backoffMs(item.attempts) + returnsWithinMs;
    // All but the newest copy have lost their lease already; what they answer changes nothing.
    for (const copy of item.copies.splice(0)) copy.release(afterMs);
    if (!this.options.keepsPlace) this.#releaseAll(line);
    else if (!this.isConsumed) line.items.shift();
    this.#afterHead(line);
  }

  #afterHead(line: Line): void {
    if (!this.isConsumed) this.#releaseAll(line);
    if (line.items.length === 0) this.#lines.delete(line.name);
    else this.#offer(line);
  }

  #backoffMs(attempt: number): number {
    return Math.min(this.spec.maxBackoffMs, this.spec.minBackoffMs * 2 ** (attempt - 1));
  }

  /** What nobody is going to handle here goes back at once; what is being handled keeps its lease until its handler ends. */
  #releaseWaiting(): void {
    this.#ready.clear();
    for (const line of [...this.#lines.values()]) {
      if (line.items[0]!.state === 'running') continue;
      this.#releaseAll(line);
      this.#lines.delete(line.name);
    }
  }

  #giveUpWaiting(): void {
    const now = Date.now();
    for (const line of [...this.#lines.values()]) {
      if (line.items[0]!.state !== 'away' || line.awayUntil > now) continue;
      this.#releaseAll(line);
      this.#lines.delete(line.name);
    }
  }

  #releaseAll(line: Line): void {
    for (const item of line.items.splice(0)) for (const copy of item.copies) copy.release(0);
  }
}

/** Behind everything that was published before it, and never before the message that is being handled. */
function place(line: Line, item: Item): void {
  let index = line.items.length;
  while (index > 0) {
    const { state, publishedAtMs } = line.items[index - 1]!;
    if (state !== 'waiting' || publishedAtMs <= item.publishedAtMs) break;
    index--;
  }
  line.items.splice(index, 0, item);
}

function deliveredFrom(incoming: Incoming, attempt: number): Delivered {
  const { body, attributes, orderingKey } = incoming;
  return {
    ...originOf(incoming),
    body,
    attributes: consumedAttributes(attributes),
    ...(orderingKey !== undefined && { orderingKey }),
    attempt,
  };
}

/** A senseless delay is none. */
function delayOf(afterMs: number | undefined): number | undefined {
  return afterMs !== undefined && afterMs >= 0 ? afterMs : undefined;
}
