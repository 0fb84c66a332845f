import { appNames, apps, queues, subscriptions, topics, type AppName, type AppSpec, type SubscriptionSpec } from '@rockpool/contracts';

/** A subscription as Pub/Sub is told of it. Durations are written the way Google's APIs write them: `0.1s`. */
interface CataloguedSubscription {
  readonly topic: string;
  /** The app that consumes it. */
  readonly app: AppName;
  /** Name of the dead-letter topic, and of the subscription that keeps what comes there. */
  readonly deadLetter: string;
  readonly ordered: boolean;
  readonly filter: string;
  readonly maxDeliveryAttempts: number;
  readonly minimumBackoff: string;
  readonly maximumBackoff: string;
  readonly ackDeadlineSeconds: number;
}

interface CataloguedQueue {
  readonly maxDispatchesPerSecond: number;
  readonly maxConcurrentDispatches: number;
  readonly maxAttempts: number;
  readonly maxRetryDuration: string;
  readonly minBackoff: string;
  readonly maxBackoff: string;
}

/** What Terraform reads: everything about the topology that the code decides. */
export interface Catalogue {
  readonly apps: Readonly<Record<string, AppSpec>>;
  readonly queues: Readonly<Record<string, CataloguedQueue>>;
  readonly subscriptions: Readonly<Record<string, CataloguedSubscription>>;
  readonly topics: Readonly<Record<string, { readonly ordered: boolean; readonly description: string }>>;
}

/** Pub/Sub waits at most so long for the answer to a push. */
const longestAckDeadlineSeconds = 600;

/** The catalogue of the code as it is. Throws when a subscription is consumed by no app, or by two. */
export function catalogue(): Catalogue {
  return {
    apps: Object.fromEntries(appNames.map((name) => [name, apps[name]])),
    queues: Object.fromEntries(
      Object.values(queues).map(({ name, maxRetryDurationMs, minBackoffMs, maxBackoffMs, ...limits }) => [
        name,
        {
          ...limits,
          maxRetryDuration: seconds(maxRetryDurationMs),
          minBackoff: seconds(minBackoffMs),
          maxBackoff: seconds(maxBackoffMs),
        },
      ]),
    ),
    subscriptions: Object.fromEntries(Object.values(subscriptions).map((spec: SubscriptionSpec) => [spec.name, subscription(spec)])),
    topics,
  };
}

function subscription(spec: SubscriptionSpec): CataloguedSubscription {
  const [app, ...others] = appNames.filter((name) => (apps[name].consumes as readonly string[]).includes(spec.name));
  if (app === undefined || others.length > 0) throw new Error(`${spec.name} has to be consumed by exactly one app`);
  return {
    topic: spec.topic,
    app,
    deadLetter: `${spec.name}.dead`,
    ordered: topics[spec.topic].ordered,
    filter: filter(spec.filter ?? {}),
    maxDeliveryAttempts: spec.maxAttempts,
    minimumBackoff: seconds(spec.minBackoffMs),
    maximumBackoff: seconds(spec.maxBackoffMs),
    ackDeadlineSeconds: Math.min(longestAckDeadlineSeconds, apps[app].scaling.timeoutSeconds),
  };
}

/** https://cloud.google.com/pubsub/docs/subscription-message-filter */
function filter(attributes: Readonly<Record<string, string>>): string {
  return Object.entries(attributes)
    .map(([name, value]) => `attributes.${JSON.stringify(name)} = ${JSON.stringify(value)}`)
    .join(' AND ');
}

function seconds(milliseconds: number): string {
  return `${milliseconds / 1000}s`;
}
