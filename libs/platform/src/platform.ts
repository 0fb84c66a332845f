import type { Cloud, SpanExporter, TraceReader } from '@rockpool/cloud';
import type { AppName } from '@rockpool/contracts';
import { Inbox, type Wakes } from '@rockpool/conversations';
import { EventPublisher, type Logger, type PlatformConfig } from '@rockpool/service';
import { Credentials, Routes, Tenants } from '@rockpool/tenancy';
import { audiencesOf, type Audiences } from './audiences.js';
import { BusWakes } from './bus-wakes.js';
import { openEngine, type Engine } from './engine.js';

/** The open engine and the parts that apps share. Whoever opened it closes it. */
export interface Platform {
  readonly config: PlatformConfig;
  readonly cloud: Cloud;
  readonly tenants: Tenants;
  readonly routes: Routes;
  readonly credentials: Credentials;
  readonly inbox: Inbox;
  readonly wakes: Wakes;
  readonly audiences: Audiences;
  /** Where the latest traces are kept; absent where they are exported only. */
  readonly traces?: SpanExporter & TraceReader;
  /** Where this process answers; set once it listens. */
  url: string;
  /** Ends what follows tenants. {@link close} does so, too. */
  unfollow(): void;
  close(): Promise<void>;
}

/**
 * Opens the engine for this app. Rejects with `unavailable` when another process holds the embedded one's data folder, naming that process.
 */
export async function openPlatform(config: PlatformConfig, service: AppName, log?: Pick<Logger, 'warn'>): Promise<Platform> {
  const baseUrl = () => config.ROCKPOOL_PUBLIC_URL ?? platform.url;
  const engine = await openEngine(config, { service, baseUrl, log });
  const platform = platformOver(engine, config, service);
  return platform;
}

/** What this app shares with others, over an engine that is open. */
export function platformOver({ cloud, traces }: Engine, config: PlatformConfig, service: AppName): Platform {
  const tenants = new Tenants(cloud.documents);
  const routes = new Routes(cloud.documents);
  const unfollow = () => {
    tenants.close();
    routes.close();
  };
  return {
    config,
    cloud,
    tenants,
    routes,
    credentials: new Credentials(tenants, cloud.secrets, cloud.documents),
    inbox: new Inbox(cloud.documents),
    wakes: new BusWakes(new EventPublisher(cloud.bus), `/${service}`),
    audiences: audiencesOf(config),
    ...(traces && { traces }),
    url: `http://127.0.0.1:${config.PORT}`,
    unfollow,
    async close() {
      unfollow();
      await traces?.close();
      await cloud.close();
    },
  };
}
