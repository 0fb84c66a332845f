import type { Delivery, DeliveryHandler, Subscription, Verdict } from '@rockpool/cloud';
import { clearTimeout, setTimeout } from 'node:timers';
import type { StoredMessage } from './message-store.js';

const defaultDrainMs = 5_000;

/** What became of a delivery: the handler's verdict, or nothing, because the subscription was closed before there was one. */
export type Settled = Verdict | { kind: 'unfinished' };

/** One subscriber: a handler, how much of it runs, and how it is brought to an end. */
export class Consumer implements Subscription {
  readonly #running = new Set<StoredDelivery>();
  #closed = false;
  #whenOver: (() => void)[] = [];

  constructor(
    private readonly maxConcurrency: number,
    private readonly handler: DeliveryHandler,
    private readonly onClose: (consumer: Consumer) => void,
  ) {}

  get hasRoom(): boolean {
    return !this.#closed && this.#running.size < this.maxConcurrency;
  }

  /**
   * Runs the handler and passes what came of it to `settle`; the delivery is over when both are. A handler that throws asks for a retry.
   */
  async handle(message: StoredMessage, attempt: number, settle: (settled: Settled) => Promise<void> | void): Promise<void> {
    const delivery = new StoredDelivery(message, attempt);
    this.#running.add(delivery);
    try {
      const verdict = await this.#verdictOn(delivery);
      await settle(verdict.kind === 'retry' && delivery.wasAborted ? { kind: 'unfinished' } : verdict);
    } finally {
      this.#running.delete(delivery);
      if (this.#closed && this.#running.size === 0) this.#over();
    }
  }

  close(drainMs = defaultDrainMs): Promise<void> {
    this.#closed = true;
    this.onClose(this);
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        for (const delivery of this.#running) delivery.abort();
        this.#over();
      }, drainMs);
      this.#whenOver.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  async #verdictOn(delivery: StoredDelivery): Promise<Verdict> {
    try {
      // Whatever the types say, a handler may forget to return a verdict; its message must not get lost over that.
      const verdict = (await this.handler(delivery)) as Verdict | undefined;
      return verdict ?? { kind: 'retry', reason: 'the handler gave no verdict' };
    } catch (error) {
      return { kind: 'retry', reason: error instanceof Error ? error.message : String(error) };
    }
  }

  #over(): void {
    const waiting = this.#whenOver;
    this.#whenOver = [];
    for (const tell of waiting) tell();
  }
}

class StoredDelivery implements Delivery {
  readonly messageId: string;
  readonly body: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly orderingKey?: string;
  readonly publishedAt: Date;
  /** Made when it is asked for: most handlers never look at their signal, and a controller costs more than the rest of a delivery. */
  #controller: AbortController | undefined;
  #aborted = false;

  constructor(
    message: StoredMessage,
    readonly attempt: number,
  ) {
    this.messageId = message.messageId;
    this.body = message.body;
    this.attributes = message.attributes;
    if (message.orderingKey !== undefined) this.orderingKey = message.orderingKey;
    this.publishedAt = new Date(message.publishedAt);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted) this.abort();
    }
    return this.#controller.signal;
  }

  get wasAborted(): boolean {
    return this.#aborted;
  }

  abort(): void {
    this.#aborted = true;
    this.#controller?.abort(new Error('the subscription was closed'));
  }
}
