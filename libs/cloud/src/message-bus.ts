import type { SubscriptionSpec, Topic } from '@rockpool/contracts';

/**
 * A message as a publisher gives it. Body ≤ 9 MiB, ordering key ≤ 1 KiB (an empty one is none). At most 98 attributes (Pub/Sub's 100, less two that an
 * engine needs), names ≤ 256 bytes, values ≤ 1 KiB; `traceparent` and `ce-*` travel there.
 */
export interface OutgoingMessage {
  readonly topic: Topic;
  readonly body: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly orderingKey?: string;
}

/** One delivery of a message to one subscription. */
export interface Delivery {
  /** Given by the bus at publish; the same on every redelivery. */
  readonly messageId: string;
  readonly body: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly orderingKey?: string;
  /** 1 on the first delivery. */
  readonly attempt: number;
  readonly publishedAt: Date;
  /** Aborted when the subscription is closed and its drain time is over. */
  readonly signal: AbortSignal;
}

/** What the handler makes of a delivery. A handler that throws is a `retry` with the subscription's backoff. */
export type Verdict = { kind: 'ack' } | { kind: 'retry'; afterMs?: number; reason?: string } | { kind: 'dead-letter'; reason: string };

export type DeliveryHandler = (delivery: Delivery) => Promise<Verdict>;

/** A running consumer. */
export interface Subscription {
  /**
   * Stops taking messages, waits up to `drainMs` (default 5,000) for those being handled, then aborts their signals. What is unfinished is
   * redelivered, once its handler has ended or the process has: two deliveries of one key do not overlap even then.
   */
  close(drainMs?: number): Promise<void>;
}

/** What an operator wants to know of a subscription. Ages in milliseconds. */
export interface SubscriptionStats {
  /** Waiting or being handled. */
  backlog: number;
  oldestAgeMs: number;
  deadLetters: number;
}

export interface DeadLetter {
  readonly messageId: string;
  readonly body: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly orderingKey?: string;
  readonly attempts: number;
  readonly reason: string;
  readonly publishedAt: Date;
  readonly deadAt: Date;
}

/**
 * At least once, ordered per key.
 * - `publish` resolves only when the message is durable; it then reaches every subscription of its topic that exists, once the handler acks
 *   it.
 * - Two deliveries of one (subscription, ordering key) never overlap, and first deliveries come in publish order. A message that is retried
 *   holds back the later ones of its key until it is acked or dead. Other keys, and messages without key, are not held back.
 * - A message being handled when the process dies comes back.
 * - A failed delivery comes back after `minBackoffMs · 2^(attempt-1)`, at most `maxBackoffMs`, or after the verdict's `afterMs`; after
 *   `maxAttempts` deliveries it is a dead letter, kept until replayed or purged.
 */
export abstract class MessageBus {
  /**
   * Resolves with the message id. Rejects with `unavailable` when it cannot be made durable: the message is then not published; with
   * `too_large` or `invalid` when it breaks a limit of {@link OutgoingMessage}. The body may be reused at once.
   */
  abstract publish(message: OutgoingMessage): Promise<string>;

  /** Begins to deliver, and makes the subscription if it does not exist. Several subscribers to one name share its messages. */
  abstract subscribe(spec: SubscriptionSpec, handler: DeliveryHandler): Promise<Subscription>;

  /** This and what follows rejects with `not_found` for a subscription that does not exist. */
  abstract stats(subscription: string): Promise<SubscriptionStats>;

  /** Oldest first. `cursor` is the `nextCursor` of the page before. */
  abstract deadLetters(
    subscription: string,
    page?: { limit?: number; cursor?: string },
  ): Promise<{ items: DeadLetter[]; nextCursor?: string }>;

  /** Puts dead letters back, attempt count at zero, with their message ids. Without ids: all of them. Resolves with how many. */
  abstract replayDeadLetters(subscription: string, messageIds?: readonly string[]): Promise<number>;

  /** Removes dead letters for good. Resolves with how many. */
  abstract purgeDeadLetters(subscription: string, messageIds: readonly string[]): Promise<number>;

  /** Closes every subscription, makes what was accepted durable, frees the resources. Publishing afterwards rejects with `unavailable`. */
  abstract close(drainMs?: number): Promise<void>;
}
