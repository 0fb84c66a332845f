/**
 * The topics and subscriptions of the platform. Engines create their topology from this; Terraform and the emulator set-up are generated
 * from it. The environment (dev, prod) is never part of a name.
 */
export const topics = {
  'inbound-messages': { ordered: true, description: 'Validated events of the channels, ordered by conversation.' },
  'conversation-wakes': { ordered: false, description: 'A conversation has something in its inbox. Held until it is drained.' },
} as const satisfies Record<string, { ordered: boolean; description: string }>;

export type Topic = keyof typeof topics;

/** How one app consumes one topic. */
export interface SubscriptionSpec {
  /** `<topic>.<app>` */
  readonly name: string;
  readonly topic: Topic;
  /** After this many failed deliveries the message becomes a dead letter of `<topic>.<app>.dead`. Pub/Sub allows 5 to 100. */
  readonly maxAttempts: number;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  /** Messages (ordered: keys) handled at once by one subscriber. */
  readonly maxConcurrency: number;
  /** Only messages whose attributes equal all of these are delivered. */
  readonly filter?: Readonly<Record<string, string>>;
}

export const subscriptions = {
  receive: {
    name: 'inbound-messages.dispatcher',
    topic: 'inbound-messages',
    maxAttempts: 20,
    minBackoffMs: 100,
    maxBackoffMs: 60_000,
    maxConcurrency: 100,
  },
  drive: {
    name: 'conversation-wakes.dispatcher',
    topic: 'conversation-wakes',
    maxAttempts: 100,
    minBackoffMs: 200,
    maxBackoffMs: 60_000,
    // 400 conversations that are driven, and wakes that wait for a place or for their host.
    maxConcurrency: 1_000,
  },
} as const satisfies Record<string, SubscriptionSpec>;
