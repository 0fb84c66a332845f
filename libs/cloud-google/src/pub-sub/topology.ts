import type { PubSub } from '@google-cloud/pubsub';
import { topics, type SubscriptionSpec } from '@rockpool/contracts';
import { codeOfCall, grpcCode } from '../api-calls.js';

/** The longest the emulator keeps what nobody acknowledges. */
const keptS = 7 * 86_400;
const deadLeaseS = 60;
/** Pub/Sub takes 5 to 100. */
const clamp = (attempts: number): number => Math.min(100, Math.max(5, attempts));

/** The name of a subscription's dead-letter topic, and of the subscription on it that keeps the letters. */
export function deadNameOf(subscription: string): string {
  return `${subscription}.dead`;
}

/** True for a subscription whose topic is published with ordering keys. */
export function isOrdered(spec: SubscriptionSpec): boolean {
  return topics[spec.topic].ordered;
}

/** Makes what is missing: for emulators and first steps. In production Terraform does, from the same catalogue. */
export class Topology {
  readonly #made = new Map<string, Promise<void>>();

  constructor(private readonly client: PubSub) {}

  topic(name: string): Promise<void> {
    return this.#once(`topic ${name}`, () => this.client.createTopic(name));
  }

  /** The topic, the subscription, and both for its dead letters. */
  async subscription(spec: SubscriptionSpec): Promise<void> {
    const dead = deadNameOf(spec.name);
    await Promise.all([this.topic(spec.topic), this.topic(dead)]);
    await Promise.all([
      this.#once(`subscription ${spec.name}`, () =>
        this.client.createSubscription(spec.topic, spec.name, {
          enableMessageOrdering: isOrdered(spec),
          // Backoff is this driver's own, exact to the millisecond; Pub/Sub redelivers at once what it is given back.
          deadLetterPolicy: { deadLetterTopic: this.client.topic(dead).name, maxDeliveryAttempts: clamp(spec.maxAttempts) },
          messageRetentionDuration: { seconds: keptS },
          expirationPolicy: {},
          ...(spec.filter !== undefined && { filter: filterText(spec.filter) }),
        }),
      ),
      this.#once(`subscription ${dead}`, () =>
        this.client.createSubscription(dead, dead, {
          ackDeadlineSeconds: deadLeaseS,
          messageRetentionDuration: { seconds: keptS },
          expirationPolicy: {},
        }),
      ),
    ]);
  }

  #once(what: string, make: () => Promise<unknown>): Promise<void> {
    const making =
      this.#made.get(what) ??
      make().then(
        () => undefined,
        (error: unknown) => {
          if (codeOfCall(error) === grpcCode.alreadyExists) return;
          this.#made.delete(what);
          throw error;
        },
      );
    this.#made.set(what, making);
    return making;
  }
}

/** The filter in Pub/Sub's language. https://cloud.google.com/pubsub/docs/subscription-message-filter */
function filterText(filter: Readonly<Record<string, string>>): string {
  return Object.entries(filter)
    .map(([name, value]) => `attributes.${JSON.stringify(name)} = ${JSON.stringify(value)}`)
    .join(' AND ');
}
