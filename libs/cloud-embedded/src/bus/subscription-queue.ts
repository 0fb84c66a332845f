import type { DeliveryHandler, Subscription } from '@rockpool/cloud';
import { codeOf, type SubscriptionSpec } from '@rockpool/contracts';
import { setImmediate, setTimeout } from 'node:timers';
import type { Database } from '../database.js';
import { Consumer, type Settled } from './consumer.js';
import { type Lane, Lanes } from './lanes.js';
import type { MessageStore, StoredMessage } from './message-store.js';

/**
 * Below this many deliverable lines the table is read on, a page at a time. Above `plenty` of them what is published stays on disk for the
 * while.
 */
const scarce = 256;
const plenty = 4_096;
const pageSize = 512;

/** Deliveries begun in one turn of the event loop, so that a backlog of quick messages leaves room for sockets and commits. */
const deliveriesPerTurn = 512;

/** Bodies kept in memory from their publish to their first delivery. */
const freshBytesLimit = 16 * 2 ** 20;

/** An ack that is lost in a crash costs a redelivery, nothing more: it may wait for a commit that happens anyway. */
const ackWithinMs = 5;

const storageRetryMs = 1_000;

/**
 * The messages of one subscription on their way to its consumers.
 *
 * Every message is a row until it is acked. Memory knows the positions of a stretch of the table, from the oldest message up to
 * `#readThrough`; while that stretch reaches the end of the table (`#caughtUp`), a published message joins it directly and no query is
 * made. Which messages are being handled is known to memory only, so after a crash all that were not acked are simply there again.
 */
export class SubscriptionQueue {
  readonly #lanes = new Lanes(() => this.#pump());
  readonly #consumers: Consumer[] = [];
  readonly #fresh = new Map<number, StoredMessage>();
  #freshBytes = 0;
  #readThrough = 0;
  #caughtUp = false;
  #deliveriesLeft = deliveriesPerTurn;
  #nextTurnScheduled = false;
  #nextConsumer = 0;
  readonly #acked: number[] = [];
  #forgetting: Promise<void> | undefined;
  /** Rows of this subscription, counted when somebody first asks and kept up to date from then on. */
  #backlog: number | undefined;
  #closed = false;

  constructor(
    private readonly database: Database,
    private readonly store: MessageStore,
    readonly number: number,
    public spec: SubscriptionSpec,
  ) {}

  /** True when a message with these attributes belongs here. */
  matches(attributes: Readonly<Record<string, string>>): boolean {
    for (const [name, value] of Object.entries(this.spec.filter ?? {})) if (attributes[name] !== value) return false;
    return true;
  }

  consume(handler: DeliveryHandler): Subscription {
    const consumer = new Consumer(this.spec.maxConcurrency, handler, (closed) => {
      const index = this.#consumers.indexOf(closed);
      if (index >= 0) this.#consumers.splice(index, 1);
    });
    this.#consumers.push(consumer);
    this.#pump();
    return consumer;
  }

  /** Takes note of a message that was just committed. Called in the order of positions. `message` spares reading it back. */
  accept(position: number, orderingKey: string | undefined, message?: StoredMessage): void {
    if (this.#backlog !== undefined) this.#backlog++;
    // A page that was read since the commit may have brought it already.
    if (!this.#caughtUp || position <= this.#readThrough) return;
    if (this.#lanes.readyCount >= plenty) {
      this.#caughtUp = false;
      return;
    }
    this.#readThrough = position;
    if (message !== undefined && this.#freshBytes + message.body.length <= freshBytesLimit) {
      this.#fresh.set(position, message);
      this.#freshBytes += message.body.length;
    }
    this.#lanes.add(position, orderingKey, 0);
    this.#pump();
  }

  /** What the table says at one moment; messages acked but not yet deleted are taken off. */
  async figures(): Promise<{ backlog: number; oldestPublishedAt: number | undefined; deadLetters: number }> {
    // Read in the queue of writes: what was committed before has been counted here by the time this resolves, and nothing that comes after.
    const { counted, ...figures } = await this.database.write(() => ({
      counted: this.#backlog === undefined ? this.store.count(this.number) : 0,
      oldestPublishedAt: this.store.oldestPublishedAt(this.number),
      deadLetters: this.store.countDeadLetters(this.number),
    }));
    this.#backlog ??= counted;
    const backlog = this.#backlog - this.#acked.length;
    return backlog > 0 ? { ...figures, backlog } : { ...figures, backlog, oldestPublishedAt: undefined };
  }

  /** Stops the consumers; resolves when they are drained and every ack is on disk. */
  async close(drainMs: number | undefined): Promise<void> {
    this.#closed = true;
    this.#lanes.close();
    await Promise.all([...this.#consumers].map((consumer) => consumer.close(drainMs)));
    await this.#forgetting;
  }

  #pump(): void {
    while (!this.#closed) {
      const consumer = this.#freeConsumer();
      if (consumer === undefined) return;
      if (!this.#caughtUp && this.#lanes.readyCount < scarce && !this.#readPage()) return;
      if (this.#deliveriesLeft === 0) return this.#continueNextTurn();
      const lane = this.#lanes.take();
      if (lane === undefined) {
        if (!this.#caughtUp) this.#continueNextTurn();
        return;
      }
      this.#deliveriesLeft--;
      void this.#deliver(lane, consumer);
    }
  }

  /** Goes on when the event loop has looked after everything else. */
  #continueNextTurn(): void {
    if (this.#nextTurnScheduled) return;
    this.#nextTurnScheduled = true;
    setImmediate(() => {
      this.#nextTurnScheduled = false;
      this.#deliveriesLeft = deliveriesPerTurn;
      this.#pump();
    });
  }

  #freeConsumer(): Consumer | undefined {
    for (let tried = 0; tried < this.#consumers.length; tried++) {
      const consumer = this.#consumers[this.#nextConsumer++ % this.#consumers.length]!;
      if (consumer.hasRoom) return consumer;
    }
    return undefined;
  }

  /** False when the table cannot be read now. */
  #readPage(): boolean {
    let page;
    try {
      page = this.store.positionsAfter(this.number, this.#readThrough, pageSize);
    } catch (error) {
      this.#expectStorageFault(error);
      setTimeout(() => this.#pump(), storageRetryMs).unref();
      return false;
    }
    for (const { position, orderingKey, notBefore } of page) this.#lanes.add(position, orderingKey, notBefore);
    this.#readThrough = page.at(-1)?.position ?? this.#readThrough;
    this.#caughtUp = page.length < pageSize;
    return true;
  }

  async #deliver(lane: Lane, consumer: Consumer): Promise<void> {
    let message;
    try {
      message = this.#take(lane.head);
    } catch (error) {
      this.#expectStorageFault(error);
      return this.#lanes.hold(lane, Date.now() + storageRetryMs);
    }
    if (message === undefined) return this.#lanes.advance(lane);
    const attempt = (lane.attempts ?? message.attempts) + 1;
    await consumer.handle(message, attempt, (settled) => this.#settle(lane, attempt, settled));
    this.#pump();
  }

  #take(position: number): StoredMessage | undefined {
    const fresh = this.#fresh.get(position);
    if (fresh === undefined) return this.store.message(position);
    this.#fresh.delete(position);
    this.#freshBytes -= fresh.body.length;
    return fresh;
  }

  /**
   * Does what the verdict says. It returns without waiting for an ack to be on disk, so that the next message of the key need not wait
   * either.
   */
  #settle(lane: Lane, attempt: number, settled: Settled): Promise<void> | undefined {
    switch (settled.kind) {
      case 'ack':
        this.#forget(lane.head);
        this.#lanes.advance(lane);
        return undefined;
      case 'unfinished':
        lane.attempts = attempt - 1;
        this.#lanes.hold(lane, 0);
        return undefined;
      case 'dead-letter':
        return this.#bury(lane, attempt, settled.reason);
      case 'retry':
        if (attempt >= this.spec.maxAttempts) return this.#bury(lane, attempt, settled.reason ?? 'it was asked for again too often');
        this.#retry(lane, attempt, settled.afterMs);
        return undefined;
    }
  }

  #retry(lane: Lane, attempt: number, afterMs: number | undefined): void {
    const backoffMs = Math.min(this.spec.minBackoffMs * 2 ** Math.min(attempt - 1, 52), this.spec.maxBackoffMs);
    const waitMs = afterMs !== undefined && Number.isFinite(afterMs) ? Math.max(0, afterMs) : backoffMs;
    const notBefore = Math.ceil(Date.now() + waitMs);
    const position = lane.head;
    lane.attempts = attempt;
    this.#lanes.hold(lane, notBefore);
    // Only a restart reads this back, and what is lost by a failed write is one attempt not counted; the fault itself shows in `check`.
    this.database
      .write(() => this.store.postpone(position, attempt, notBefore), { withinMs: ackWithinMs })
      .catch((error: unknown) => this.#expectStorageFault(error));
  }

  async #bury(lane: Lane, attempt: number, reason: string): Promise<void> {
    try {
      await this.database.write(() => this.store.bury(this.number, lane.head, attempt, reason, Date.now()));
    } catch (error) {
      this.#expectStorageFault(error);
      lane.attempts = attempt - 1;
      this.#lanes.hold(lane, Date.now() + storageRetryMs);
      return;
    }
    if (this.#backlog !== undefined) this.#backlog--;
    this.#lanes.advance(lane);
  }

  #forget(position: number): void {
    this.#acked.push(position);
    this.#forgetting ??= this.#forgetAcked().finally(() => (this.#forgetting = undefined));
  }

  async #forgetAcked(): Promise<void> {
    while (this.#acked.length > 0) {
      try {
        const removed = await this.database.write(
          () => {
            for (const position of this.#acked) this.store.remove(position);
            return this.#acked.length;
          },
          { withinMs: ackWithinMs },
        );
        this.#acked.splice(0, removed);
        if (this.#backlog !== undefined) this.#backlog -= removed;
      } catch (error) {
        this.#expectStorageFault(error);
        // The rows are still there: after a restart these messages come again, which at-least-once allows.
        if (this.#closed) return;
        await new Promise((resolve) => setTimeout(resolve, storageRetryMs));
      }
    }
  }

  /**
   * Storage that fails leaves the messages where they are, and `check` tells the operator; anything else is a fault of ours and must be
   * seen.
   */
  #expectStorageFault(error: unknown): void {
    if (codeOf(error) !== 'unavailable') throw error;
  }
}
