import { ChannelReplies, WebFeed } from '@rockpool/channels';
import type { Cloud, SpanExporter, TraceReader } from '@rockpool/cloud';
import type { AppName } from '@rockpool/contracts';
import { Inbox, type ReplyChannels, type Wakes } from '@rockpool/conversations';
import type { JobPlatform, Jobs, ScheduleFiring, Schedules } from '@rockpool/jobs';
import { EventPublisher, type Logger, type PlatformConfig } from '@rockpool/service';
import { Credentials, Routes, Tenants } from '@rockpool/tenancy';
import { audiencesOf, type Audiences } from './audiences.js';
import { BusWakes } from './bus-wakes.js';
import { openEngine, type Engine } from './engine.js';
import { jobsOf, type JobsOfProcess } from './jobs.js';
import { schedulesOf, type Upkeep } from './schedules.js';

/** The open engine and the parts that apps share. Whoever opened it closes it. */
export interface Platform {
  readonly config: PlatformConfig;
  readonly cloud: Cloud;
  readonly tenants: Tenants;
  readonly routes: Routes;
  readonly credentials: Credentials;
  readonly inbox: Inbox;
  readonly wakes: Wakes;
  readonly channels: ReplyChannels;
  readonly audiences: Audiences;
  readonly schedules: Schedules;
  readonly firing: ScheduleFiring;
  /** For the scheduler: it alone does upkeep. */
  upkeepOf(process: { readonly log: Pick<Logger, 'info' | 'warn'> }): Upkeep;
  readonly jobs: Jobs;
  jobsOf(process: JobsOfProcess): JobPlatform;
  /** Where the latest traces are kept; absent where they are exported only. */
  readonly traces?: SpanExporter & TraceReader;
  /** Where this process answers; a guess until it listens. */
  readonly url: string;
  /** To be called once this process listens, with where. */
  listensAt(url: string): void;
  /** Ends what follows tenants. {@link close} does so, too. */
  unfollow(): void;
  close(): Promise<void>;
}

/**
 * Opens the engine for this app. Rejects with `unavailable` when another process holds the embedded one's data folder, naming that process.
 */
export async function openPlatform(config: PlatformConfig, service: AppName, log?: Pick<Logger, 'warn'>): Promise<Platform> {
  const baseUrl = () => config.ROCKPOOL_PUBLIC_URL ?? platform.url;
  const listening = Promise.withResolvers<string>();
  const engine = await openEngine(config, { service, baseUrl, ownUrl: listening.promise, log });
  const platform = platformOver(engine, config, service, listening.resolve);
  return platform;
}

/** What this app shares with others, over an engine that is open. `onListening` is told where this process answers, once it does. */
export function platformOver(
  { cloud, traces }: Engine,
  config: PlatformConfig,
  service: AppName,
  onListening: (url: string) => void = () => undefined,
): Platform {
  const tenants = new Tenants(cloud.documents);
  const routes = new Routes(cloud.documents);
  const unfollow = () => {
    tenants.close();
    routes.close();
  };
  const inbox = new Inbox(cloud.documents);
  const wakes = new BusWakes(new EventPublisher(cloud.bus), `/${service}`);
  const audiences = audiencesOf(config);
  const credentials = new Credentials(tenants, cloud.secrets, cloud.documents);
  const channels = new ChannelReplies(credentials, {
    telegramApiUrl: config.ROCKPOOL_TELEGRAM_API_URL,
    slackApiUrl: config.ROCKPOOL_SLACK_API_URL,
    feed: new WebFeed(cloud.documents),
  });
  const parts = { config, cloud, tenants, credentials, inbox, wakes, channels, audiences };
  const jobs = jobsOf(parts);
  let url = `http://127.0.0.1:${config.PORT}`;
  return {
    config,
    cloud,
    tenants,
    routes,
    credentials,
    inbox,
    wakes,
    channels,
    audiences,
    ...schedulesOf(parts),
    jobs: jobs().jobs,
    jobsOf: jobs,
    ...(traces && { traces }),
    get url() {
      return url;
    },
    listensAt(own) {
      url = own;
      onListening(own);
    },
    unfollow,
    async close() {
      unfollow();
      await traces?.close();
      await cloud.close();
    },
  };
}
