import type { Delivery, DeliveryHandler, Subscription, Verdict } from '@rockpool/cloud';

const defaultDrainMs = 5_000;

/** A delivery without what only its consumer knows. */
export type Delivered = Omit<Delivery, 'signal'>;

/** What became of a delivery: the handler's verdict, or nothing, because the subscription was closed before there was one. */
export type Settled = Verdict | { kind: 'unfinished' };

/** One subscriber: a handler, how much of it runs at once, and how it is brought to an end. */
export class Consumer implements Subscription {
  readonly #running = new Set<AbortController>();
  readonly #whenIdle: (() => void)[] = [];
  #closed = false;

  constructor(
    private readonly maxConcurrency: number,
    private readonly handler: DeliveryHandler,
    private readonly onClose: (consumer: Consumer) => void,
  ) {}

  get hasRoom(): boolean {
    return !this.#closed && this.#running.size < this.maxConcurrency;
  }

  /** Runs the handler; the place is free again once `settle` is done with what came of it. A handler that throws asks for a retry. */
  async handle(delivered: Delivered, settle: (settled: Settled) => Promise<void>): Promise<void> {
    const controller = new AbortController();
    this.#running.add(controller);
    try {
      const verdict = await this.#verdictOn({ ...delivered, signal: controller.signal });
      await settle(verdict.kind === 'retry' && controller.signal.aborted ? { kind: 'unfinished' } : verdict);
    } finally {
      this.#running.delete(controller);
      if (this.#running.size === 0) for (const tell of this.#whenIdle.splice(0)) tell();
    }
  }

  async close(drainMs = defaultDrainMs): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.onClose(this);
    }
    if (this.#running.size === 0) return;
    const { promise: drainOver, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, drainMs);
    await Promise.race([drainOver, new Promise<void>((idle) => this.#whenIdle.push(idle))]);
    clearTimeout(timer);
    for (const controller of this.#running) controller.abort(new Error('the subscription was closed'));
  }

  async #verdictOn(delivery: Delivery): Promise<Verdict> {
    try {
      // Whatever the types say, a handler may forget to return a verdict; its message must not get lost over that.
      const verdict = (await this.handler(delivery)) as Verdict | undefined;
      return verdict ?? { kind: 'retry', reason: 'the handler gave no verdict' };
    } catch (error) {
      return { kind: 'retry', reason: error instanceof Error ? error.message : String(error) };
    }
  }
}
