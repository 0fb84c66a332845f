import type { Blobs, Cloud, Documents, IndexDeclaration, PushEndpoint, QueueSpec, Secrets, Tasks } from '@rockpool/cloud';
import { InvalidInput, type SubscriptionSpec } from '@rockpool/contracts';
import { GoogleIdentity } from './google-identity/google-identity.js';
import { serviceAccountOf } from './google-identity/service-account.js';
import { PubSubMessageBus } from './pub-sub/pub-sub-message-bus.js';
import { PubSubPush } from './pub-sub/pub-sub-push.js';
import { Reachability, type Service } from './reachability.js';

/** Where services are that are not Google's own: fakes, emulators. Plaintext, so on the loopback or in a private network. Absent: the real service. */
export interface GoogleEndpoints {
  /** `host:port`. */
  readonly pubsub?: string | undefined;
  readonly firestore?: string | undefined;
  readonly tasks?: string | undefined;
  readonly secrets?: string | undefined;
  /** URLs. */
  readonly storage?: string | undefined;
  readonly certs?: string | undefined;
}

/** What the Google engine is opened over. */
export interface GoogleCloudOptions {
  readonly projectId: string;
  /** `europe-west1` */
  readonly region: string;
  /** Firestore's; `(default)` when absent. */
  readonly databaseId?: string | undefined;
  readonly bucket: string;
  /** The app that opens it. Its service account is `<service>@<projectId>.iam.gserviceaccount.com`. */
  readonly service: string;
  readonly subscriptions: readonly SubscriptionSpec[];
  readonly indexes: readonly IndexDeclaration[];
  readonly queues: readonly QueueSpec[];
  /** How this process gets its messages. */
  readonly delivery: 'pull' | 'push';
  /** What Pub/Sub's tokens are made for; needed for `push`. */
  readonly pushAudience?: string | undefined;
  /** Makes topics, subscriptions, queues and the bucket when they are missing: for emulators and first steps. In production Terraform does. */
  readonly createTopology: boolean;
  readonly endpoints: GoogleEndpoints;
  /** See {@link GoogleIdentity}: for private services on Cloud Run. */
  readonly signaturesCheckedByCloudRun?: boolean | undefined;
  /** Told what breaks and is repeated: a stream of messages, a dead letter that could not be written. */
  readonly log?: { warn(fields: object, message: string): void } | undefined;
}

/** The Google engine, with what its drivers offer beyond their ports. */
export interface GoogleCloud extends Cloud {
  readonly bus: PubSubMessageBus;
  readonly identity: GoogleIdentity;
}

/**
 * Opens the engine on Google Cloud. Clients connect at their first use, so it opens while a service is away, unless there is topology to make; `check` says which.
 * Rejects with `invalid` when options contradict each other.
 */
export async function openGoogleCloud(options: GoogleCloudOptions): Promise<GoogleCloud> {
  if (options.delivery === 'push' && !options.pushAudience) throw new InvalidInput('delivery by push needs the audience of its tokens');
  const closers: (() => Promise<void>)[] = [];
  try {
    return await open(options, closers);
  } catch (error) {
    await Promise.allSettled(closers.map((close) => close()));
    throw error;
  }
}

async function open(options: GoogleCloudOptions, closers: (() => Promise<void>)[]): Promise<GoogleCloud> {
  const { projectId, service, endpoints } = options;
  const opened = <Driver extends { close(drainMs?: number): Promise<void> }>(driver: Driver): Driver => {
    closers.push(() => driver.close());
    return driver;
  };
  const identity = new GoogleIdentity({
    projectId,
    service,
    ...(endpoints.certs !== undefined && { certsUrl: endpoints.certs }),
    ...(options.signaturesCheckedByCloudRun && { signaturesCheckedByCloudRun: true }),
  });
  const opening = [
    openBus(options).then(opened),
    openDocuments(options).then(opened),
    openTasks(options).then(opened),
    openBlobs(options).then(opened),
    openSecrets(options).then(opened),
  ] as const;
  // All have to be through before one that failed is told, or those that came later would not be closed.
  await Promise.allSettled(opening);
  const [bus, documents, tasks, blobs, secrets] = await Promise.all(opening);
  const push: PushEndpoint | undefined =
    options.delivery === 'push'
      ? new PubSubPush({ projectId, identity, audience: options.pushAudience!, service, intakeOf: (name) => bus.intakeOf(name) })
      : undefined;
  const reachability = new Reachability(servicesOf(options));
  let closing: Promise<void> | undefined;

  async function close(drainMs: number | undefined): Promise<void> {
    const drained = await Promise.allSettled([bus.close(drainMs), tasks.close(drainMs)]);
    const closed = await Promise.allSettled([documents.close(), blobs.close(), secrets.close()]);
    for (const result of [...drained, ...closed]) if (result.status === 'rejected') throw result.reason;
  }

  return {
    ...{ bus, documents, tasks, blobs, secrets, identity },
    ...(push !== undefined && { push }),
    async check() {
      if (closing !== undefined) return 'the engine is closed';
      return (await reachability.problem()) ?? bus.fault;
    },
    close: (drainMs) => (closing ??= close(drainMs)),
  };
}

async function openBus({
  projectId,
  subscriptions,
  createTopology,
  delivery,
  endpoints,
  log,
}: GoogleCloudOptions): Promise<PubSubMessageBus> {
  const monitor =
    endpoints.pubsub === undefined ? new (await import('./pub-sub/monitored-backlog.js')).MonitoredBacklog({ projectId }) : undefined;
  return PubSubMessageBus.open({
    ...{ projectId, subscriptions, createTopology, delivery },
    ...(endpoints.pubsub !== undefined && { endpoint: endpoints.pubsub }),
    ...(monitor !== undefined && { monitor }),
    onFault: (what, error) => log?.warn({ error }, what),
  });
}

async function openDocuments({ projectId, databaseId, indexes, endpoints }: GoogleCloudOptions): Promise<Documents & Closable> {
  const { FirestoreDocuments } = await import('./firestore/firestore-documents.js');
  return FirestoreDocuments.open({
    ...{ projectId, indexes },
    ...(databaseId !== undefined && { databaseId }),
    ...(endpoints.firestore !== undefined && { endpoint: endpoints.firestore }),
  });
}

async function openTasks({ projectId, region, queues, service, createTopology, endpoints }: GoogleCloudOptions): Promise<Tasks & Closable> {
  const { CloudTasks } = await import('./cloud-tasks/cloud-tasks.js');
  return CloudTasks.open({
    ...{ projectId, region, queues, createTopology },
    serviceAccount: serviceAccountOf(projectId, service),
    ...(endpoints.tasks !== undefined && { endpoint: endpoints.tasks }),
  });
}

async function openSecrets({ projectId, region, endpoints }: GoogleCloudOptions): Promise<Secrets & Closable> {
  const { SecretManagerSecrets } = await import('./secret-manager/secret-manager-secrets.js');
  return SecretManagerSecrets.open({ projectId, region, ...(endpoints.secrets !== undefined && { endpoint: endpoints.secrets }) });
}

async function openBlobs({ projectId, region, bucket, service, createTopology, endpoints }: GoogleCloudOptions): Promise<Blobs & Closable> {
  const { StorageBlobs } = await import('./storage/storage-blobs.js');
  return StorageBlobs.open({
    ...{ projectId, region, bucket, createTopology },
    serviceAccount: serviceAccountOf(projectId, service),
    ...(endpoints.storage !== undefined && { endpoint: endpoints.storage }),
  });
}

interface Closable {
  close(drainMs?: number): Promise<void>;
}

function servicesOf({ endpoints }: GoogleCloudOptions): Service[] {
  return [
    { name: 'Pub/Sub', address: endpoints.pubsub ?? 'pubsub.googleapis.com:443' },
    { name: 'Firestore', address: endpoints.firestore ?? 'firestore.googleapis.com:443' },
    { name: 'Cloud Tasks', address: endpoints.tasks ?? 'cloudtasks.googleapis.com:443' },
    { name: 'Cloud Storage', address: endpoints.storage ?? 'storage.googleapis.com:443' },
    { name: 'Secret Manager', address: endpoints.secrets ?? 'secretmanager.googleapis.com:443' },
    { name: "Google's token issuer", address: endpoints.certs ?? 'www.googleapis.com:443' },
  ];
}
