import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GrpcCaller } from '../testing/grpc-caller.js';

/** Of the generated catalogue, what the topology of the bus is made of. */
interface Catalogue {
  readonly topics: Readonly<Record<string, unknown>>;
  readonly subscriptions: Readonly<
    Record<
      string,
      {
        readonly topic: string;
        readonly app: string;
        readonly deadLetter: string;
        readonly ordered: boolean;
        readonly filter: string;
        readonly maxDeliveryAttempts: number;
        readonly minimumBackoff: string;
        readonly maximumBackoff: string;
        readonly ackDeadlineSeconds: number;
      }
    >
  >;
}

export interface PushTopologyOptions {
  /** The workspace, for its `infra/catalogue.json`. */
  readonly root: string;
  /** `host:port` of the fake of Pub/Sub. */
  readonly host: string;
  readonly projectId: string;
  /** Where an app answers; also the audience of the tokens of pushes to it. */
  readonly urlOf: (app: string) => string;
  readonly accountOf: (app: string) => string;
}

/** Makes topics and subscriptions as Terraform does for delivery by push (infra/modules/pubsub), from the same catalogue. */
export async function createPushTopology({ root, host, projectId, urlOf, accountOf }: PushTopologyOptions): Promise<void> {
  const { topics, subscriptions } = JSON.parse(await readFile(join(root, 'infra/catalogue.json'), 'utf8')) as Catalogue;
  const publisher = new GrpcCaller('@google-cloud/pubsub', 'google.pubsub.v1.Publisher', host);
  const subscriber = new GrpcCaller('@google-cloud/pubsub', 'google.pubsub.v1.Subscriber', host);
  const topicName = (id: string) => `projects/${projectId}/topics/${id}`;
  const subscriptionName = (id: string) => `projects/${projectId}/subscriptions/${id}`;
  try {
    for (const topic of Object.keys(topics)) await publisher.call('CreateTopic', { name: topicName(topic) });
    for (const [id, spec] of Object.entries(subscriptions)) {
      await publisher.call('CreateTopic', { name: topicName(spec.deadLetter) });
      await subscriber.call('CreateSubscription', { name: subscriptionName(spec.deadLetter), topic: topicName(spec.deadLetter) });
      await subscriber.call('CreateSubscription', {
        name: subscriptionName(id),
        topic: topicName(spec.topic),
        ackDeadlineSeconds: spec.ackDeadlineSeconds,
        enableMessageOrdering: spec.ordered,
        filter: spec.filter,
        retryPolicy: { minimumBackoff: durationOf(spec.minimumBackoff), maximumBackoff: durationOf(spec.maximumBackoff) },
        deadLetterPolicy: { deadLetterTopic: topicName(spec.deadLetter), maxDeliveryAttempts: spec.maxDeliveryAttempts },
        pushConfig: {
          pushEndpoint: `${urlOf(spec.app)}/pubsub/${id}`,
          oidcToken: { serviceAccountEmail: accountOf(spec.app), audience: urlOf(spec.app) },
        },
      });
    }
  } finally {
    publisher.close();
    subscriber.close();
  }
}

/** `0.1s` */
function durationOf(text: string): { seconds: number; nanos: number } {
  const seconds = Number(text.slice(0, -1));
  return { seconds: Math.floor(seconds), nanos: Math.round((seconds % 1) * 1e9) };
}
