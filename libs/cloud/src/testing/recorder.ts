import type { Delivery, DeliveryHandler, Verdict } from '../message-bus.js';

/** A handler that notes what it is given, in order, and lets a test wait for the n-th delivery. */
export class Recorder {
  readonly deliveries: Delivery[] = [];
  /** Most deliveries that were ever being handled at once. */
  mostAtOnce = 0;
  #running = 0;
  #waiting: { count: number; resolve: () => void }[] = [];

  /** `decide` is the rest of the handler; it gets the delivery and its number, counted from 1. Default: ack. */
  constructor(private readonly decide: (delivery: Delivery, number: number) => Promise<Verdict> | Verdict = () => ({ kind: 'ack' })) {}

  readonly handle: DeliveryHandler = async (delivery) => {
    this.deliveries.push(delivery);
    const number = this.deliveries.length;
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#running);
    this.#waiting = this.#waiting.filter(({ count, resolve }) => {
      if (count > number) return true;
      resolve();
      return false;
    });
    try {
      return await this.decide(delivery, number);
    } finally {
      this.#running--;
    }
  };

  get bodies(): string[] {
    return this.deliveries.map(textOf);
  }

  /** Resolves when so many deliveries have begun. */
  began(count: number): Promise<void> {
    if (this.deliveries.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }
}

export function textOf(message: { body: Uint8Array }): string {
  return new TextDecoder().decode(message.body);
}

/** A promise to be resolved by hand: what a test lets a handler wait for. */
export function gate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: () => resolve() };
}
