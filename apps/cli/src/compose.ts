import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Global, Module, type DynamicModule } from '@nestjs/common';
import { agentIndexes } from '@rockpool/agent';
import { AgentHostModule } from '@rockpool/agent-host';
import {
  ChannelReplies,
  HttpWebhookChannel,
  SlackWebhookChannel,
  TelegramWebhookChannel,
  WebFeed,
  webIndexes,
  WebSessions,
} from '@rockpool/channels';
import { openEmbeddedCloud, SqliteSpanStore, type EmbeddedCloud } from '@rockpool/cloud-embedded';
import { ConsoleModule, ControlPlane, LocalControlPlane } from '@rockpool/console';
import { subscriptions } from '@rockpool/contracts';
import { conversationIndexes, Inbox, ReplyChannels, Wakes, type LeaseOptions } from '@rockpool/conversations';
import { BusWakes, DispatcherModule, type DispatcherOptions } from '@rockpool/dispatcher';
import { IngressModule } from '@rockpool/ingress';
import { EventPublisher, Shutdown, startService, type PlatformConfig, type RunningService } from '@rockpool/service';
import { Credentials, Routes, tenancyIndexes, Tenants } from '@rockpool/tenancy';
import { version } from './version.js';

const sweepEveryMs = 60_000;
const pulseEveryMs = 2_500;

/** The open engine and the parts that all apps share. Whoever opened it closes it. */
export interface Platform {
  readonly config: PlatformConfig;
  readonly cloud: EmbeddedCloud;
  readonly tenants: Tenants;
  readonly routes: Routes;
  readonly credentials: Credentials;
  readonly inbox: Inbox;
  readonly wakes: Wakes;
  readonly traces: SqliteSpanStore;
  readonly controlPlane: ControlPlane;
  /** Where this installation answers; set once it listens. */
  url: string;
  close(): Promise<void>;
}

/**
 * Opens the data folder. Rejects with `unavailable` when another process holds it, naming that process. `actor` is who the audit log says it was.
 */
export async function openPlatform(config: PlatformConfig, actor: string): Promise<Platform> {
  const cloud = await openEmbeddedCloud({
    dataDir: config.ROCKPOOL_DATA_DIR,
    keyFile: config.ROCKPOOL_KEY_FILE,
    baseUrl: () => config.ROCKPOOL_PUBLIC_URL ?? platform.url,
    subscriptions: Object.values(subscriptions),
    indexes: [...tenancyIndexes, ...conversationIndexes, ...agentIndexes, ...webIndexes],
    queues: [],
  });
  const tenants = new Tenants(cloud.documents);
  const routes = new Routes(cloud.documents);
  const credentials = new Credentials(tenants, cloud.secrets, cloud.documents);
  const inbox = new Inbox(cloud.documents);
  const wakes = new BusWakes(new EventPublisher(cloud.bus), `/${actor}`);
  const traces = SqliteSpanStore.open(join(config.ROCKPOOL_DATA_DIR, 'traces.db'));
  const controlPlane = new LocalControlPlane({
    cloud,
    tenants,
    credentials,
    inbox,
    wakes,
    sessions: new WebSessions(cloud.secrets),
    traces,
    config,
    version,
    startedAt: new Date(),
    actor,
  });
  const platform: Platform = {
    config,
    cloud,
    tenants,
    routes,
    credentials,
    inbox,
    wakes,
    traces,
    controlPlane,
    url: `http://127.0.0.1:${config.PORT}`,
    async close() {
      tenants.close();
      routes.close();
      await traces.close();
      await cloud.close();
    },
  };
  return platform;
}

/** Starts every app of the platform in this process, on one port. The service closes the engine when it ends. */
export async function startPlatform(platform: Platform): Promise<RunningService> {
  const { config, cloud } = platform;
  const service = await startService({
    name: 'rockpool',
    config,
    cloud,
    spanExporters: [platform.traces],
    module: platformModule(platform, {
      leases: soleProcess(config.ROCKPOOL_LEASE_MS),
      hostUrl: () => config.ROCKPOOL_AGENT_HOST_URL ?? platform.url,
      ...(config.ROCKPOOL_AGENT_HOST_URL !== undefined && { pulseEveryMs }),
    }),
    onListening: (url) => (platform.url = url),
  });
  service.app.get(Shutdown).onShutdown('stop following tenants', () => {
    platform.tenants.close();
    platform.routes.close();
  });
  return service;
}

type PlatformModuleOptions = Omit<DispatcherOptions, 'sweepEveryMs'> & { readonly leases: LeaseOptions };

/** All apps over one engine. `hostUrl` is the agent host that this copy's dispatcher pushes to. */
export function platformModule(platform: Platform, { leases, ...dispatcher }: PlatformModuleOptions): DynamicModule {
  const { config } = platform;
  return {
    module: Rockpool,
    imports: [
      PlatformModule.forRoot(platform),
      IngressModule.register({
        channels: [new TelegramWebhookChannel(), new SlackWebhookChannel(), new HttpWebhookChannel()],
        spoolFolder: config.ROCKPOOL_SPOOL_DIR,
      }),
      DispatcherModule.register({ ...dispatcher, sweepEveryMs }),
      AgentHostModule.register({
        models: {
          anthropicApiKey: config.ANTHROPIC_API_KEY,
          openaiApiKey: config.OPENAI_API_KEY,
          geminiApiKey: config.GEMINI_API_KEY,
          openaiBaseUrl: config.OPENAI_BASE_URL,
          openaiCompatibleModel: config.ROCKPOOL_OPENAI_COMPATIBLE_MODEL,
        },
        leases,
        turnTimeoutMs: config.ROCKPOOL_TURN_TIMEOUT_MS,
      }),
      ConsoleModule.register({ dataDir: config.ROCKPOOL_DATA_DIR }),
    ],
  };
}

/** Only one process can hold a data folder, so every holder but this one is dead, and a restart need not wait for its leases. */
function soleProcess(leaseMs: number): LeaseOptions {
  const holder = `embedded-${randomUUID()}`;
  return { holder, leaseMs, mayBeAlive: (other: string) => other === holder };
}

/** All apps in one process. */
@Module({})
class Rockpool {}

/** What the apps share, by class. */
@Global()
@Module({})
class PlatformModule {
  static forRoot(platform: Platform): DynamicModule {
    const { config, cloud, credentials } = platform;
    const channels = new ChannelReplies(credentials, {
      telegramApiUrl: config.ROCKPOOL_TELEGRAM_API_URL,
      slackApiUrl: config.ROCKPOOL_SLACK_API_URL,
      feed: new WebFeed(cloud.documents),
    });
    const providers = [
      { provide: Tenants, useValue: platform.tenants },
      { provide: Routes, useValue: platform.routes },
      { provide: Credentials, useValue: platform.credentials },
      { provide: Inbox, useValue: platform.inbox },
      { provide: Wakes, useValue: platform.wakes },
      { provide: ReplyChannels, useValue: channels },
      { provide: ControlPlane, useValue: platform.controlPlane },
    ];
    return { module: PlatformModule, providers, exports: providers.map(({ provide }) => provide) };
  }
}
