/** A message as Pub/Sub hands it over, by pull or push, with the ways to answer. Every copy of a redelivered message is one of its own. */
export interface Incoming {
  /** Pub/Sub's; the same on every redelivery. */
  readonly messageId: string;
  readonly body: Uint8Array;
  /** As they travelled, with the engine's own. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly orderingKey?: string;
  readonly publishedAt: Date;
  /** Counted by Pub/Sub where there is a dead-letter policy: 1 on the first delivery. */
  readonly deliveryAttempt?: number;
  ack(): void;
  /** Gives it back, to come again after so many milliseconds. */
  release(afterMs: number): void;
}
