import { join } from 'node:path';
import { agentIndexes } from '@rockpool/agent';
import { webIndexes } from '@rockpool/channels';
import type { Cloud, IndexDeclaration, SpanExporter, TraceReader } from '@rockpool/cloud';
import { apps, queues, subscriptions, type AppName } from '@rockpool/contracts';
import { conversationIndexes } from '@rockpool/conversations';
import { jobIndexes, scheduleIndexes } from '@rockpool/jobs';
import type { Logger, PlatformConfig } from '@rockpool/service';
import { tenancyIndexes } from '@rockpool/tenancy';

/** An open engine. Whoever opened it closes it. */
export interface Engine {
  readonly cloud: Cloud;
  /** Where the latest traces are kept; absent where they are exported only. */
  readonly traces?: SpanExporter & TraceReader;
}

export interface EngineUse {
  /** The app that opens it: its messages, tokens and rights are this one's. */
  readonly service: AppName;
  /** Where this process answers. */
  readonly baseUrl: () => string;
  /** Resolves with where this process answers, once it does: an engine that delivers tasks by itself begins then. Default: at once. */
  readonly ownUrl?: Promise<string>;
  /** Told what breaks and is repeated. Default: nobody. */
  readonly log?: Pick<Logger, 'warn'>;
}

/** Every index that a query of the platform needs. */
export const indexes: readonly IndexDeclaration[] = [
  ...tenancyIndexes,
  ...conversationIndexes,
  ...agentIndexes,
  ...webIndexes,
  ...jobIndexes,
  ...scheduleIndexes,
];

/**
 * Opens the engine that the configuration names, and loads no other. Rejects with `unavailable` when another process holds the embedded one's data folder, naming that
 * process.
 */
export function openEngine(config: PlatformConfig, use: EngineUse): Promise<Engine> {
  return config.ROCKPOOL_ENGINE === 'google' ? openGoogle(config, use) : openEmbedded(config, use);
}

async function openEmbedded(config: PlatformConfig, { baseUrl, ownUrl }: EngineUse): Promise<Engine> {
  const { openEmbeddedCloud, SqliteSpanStore } = await import('@rockpool/cloud-embedded');
  const cloud = await openEmbeddedCloud({
    dataDir: config.ROCKPOOL_DATA_DIR,
    keyFile: config.ROCKPOOL_KEY_FILE,
    baseUrl,
    subscriptions: Object.values(subscriptions),
    indexes,
    queues: Object.values(queues),
    ...(ownUrl && { ownUrl }),
  });
  return { cloud, traces: SqliteSpanStore.open(join(config.ROCKPOOL_DATA_DIR, 'traces.db')) };
}

async function openGoogle(config: PlatformConfig, { service, log }: EngineUse): Promise<Engine> {
  const { openGoogleCloud } = await import('@rockpool/cloud-google');
  const cloud = await openGoogleCloud({
    // Both are there, or the configuration would have been refused.
    projectId: config.GOOGLE_CLOUD_PROJECT!,
    bucket: config.ROCKPOOL_BUCKET!,
    region: config.ROCKPOOL_REGION,
    databaseId: config.ROCKPOOL_FIRESTORE_DATABASE,
    service,
    subscriptions: Object.values(subscriptions),
    indexes,
    queues: Object.values(queues),
    // Nobody but the dispatcher consumes.
    delivery: service === 'dispatcher' ? config.ROCKPOOL_BUS_DELIVERY : 'pull',
    pushAudience: config.ROCKPOOL_DISPATCHER_URL,
    createTopology: config.ROCKPOOL_CREATE_TOPOLOGY,
    // Nobody is let in to a private service whose token Cloud Run has not checked; a public one is open to anybody.
    signaturesCheckedByCloudRun: config.K_SERVICE !== undefined && !apps[service].public,
    log,
    endpoints: {
      pubsub: config.PUBSUB_EMULATOR_HOST,
      firestore: config.FIRESTORE_EMULATOR_HOST,
      storage: config.STORAGE_EMULATOR_HOST,
      tasks: config.ROCKPOOL_TASKS_ENDPOINT,
      secrets: config.ROCKPOOL_SECRETS_ENDPOINT,
      certs: config.ROCKPOOL_CERTS_URL,
    },
  });
  return { cloud };
}
