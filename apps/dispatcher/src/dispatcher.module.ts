import { Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { Documents, Identity } from '@rockpool/cloud';
import { Admissions, Commands, FairPlaces, ImmediateAnswers, Inbox, Receiver, ReplyChannels, Wakes } from '@rockpool/conversations';
import { Jobs, Schedules } from '@rockpool/jobs';
import { Alerts, LOGGER, provide, Readiness, Shutdown, type Logger } from '@rockpool/service';
import { Routes, Tenants } from '@rockpool/tenancy';
import { AgentHost } from './agent-host.js';
import { ChatCommands } from './chat-commands.js';
import { ConversationDriver } from './conversation-driver.js';
import { DispatcherController } from './dispatcher.controller.js';
import type { BreakerLimits } from './host-breaker.js';
import { HostClient } from './host-client.js';

export interface DispatcherOptions {
  /** Base URL of the pooled agent host; asked for at each push, since an embedded one is known only once it listens. */
  readonly hostUrl: () => string;
  /** Audience of the tokens that the host accepts. */
  readonly hostAudience: string;
  /** How often the host's health is asked after while it works; for a host that is another process and may hang while this one does not. Default: never. */
  readonly pulseEveryMs?: number;
  /** Default: five failures, or ten seconds of them; a probe every ten seconds. */
  readonly breakerLimits?: BreakerLimits;
}

/** Conversations driven at once, of the thousand wakes that the bus delivers at once. */
const places = { total: 400, perTenant: 40, waitingPerTenant: 50 };

/** The dispatcher. Needs, from outside: the cloud's ports, `Tenants`, `Routes`, `Inbox`, `ReplyChannels`, `Wakes`, `Jobs`, `Schedules`, `Readiness`, `Shutdown` and `LOGGER`. */
@Module({})
export class DispatcherModule implements OnApplicationShutdown {
  constructor(
    private readonly client: HostClient,
    host: AgentHost,
    readiness: Readiness,
  ) {
    // What comes in is still taken and kept, so this process is ready.
    readiness.inform({ name: 'agent host', check: () => host.problem() });
  }

  static register(options: DispatcherOptions): DynamicModule {
    return {
      module: DispatcherModule,
      controllers: [DispatcherController],
      providers: [
        {
          provide: HostClient,
          useFactory: (identity: Identity) => new HostClient(identity, options.hostUrl, options.hostAudience),
          inject: [Identity],
        },
        {
          provide: Admissions,
          useFactory: (documents: Documents, tenants: Tenants, routes: Routes) => new Admissions(documents, tenants, routes),
          inject: [Documents, Tenants, Routes],
        },
        provide(ImmediateAnswers, Documents, ReplyChannels),
        {
          provide: Commands,
          useFactory: (inbox: Inbox, answers: ImmediateAnswers, jobs: Jobs, schedules: Schedules) =>
            new Commands(inbox, answers, Date.now, new ChatCommands(jobs, schedules)),
          inject: [Inbox, ImmediateAnswers, Jobs, Schedules],
        },
        provide(Receiver, Admissions, Inbox, Commands, ImmediateAnswers, ReplyChannels, Wakes),
        {
          provide: AgentHost,
          useFactory: (client: HostClient, documents: Documents, log: Logger) =>
            new AgentHost(client, new Alerts(documents), log, {
              url: options.hostUrl,
              ...(options.pulseEveryMs !== undefined && { pulseEveryMs: options.pulseEveryMs }),
              ...(options.breakerLimits && { limits: options.breakerLimits }),
            }),
          inject: [HostClient, Documents, LOGGER],
        },
        {
          provide: ConversationDriver,
          useFactory: (host: AgentHost, wakes: Wakes, shutdown: Shutdown) =>
            new ConversationDriver(host, new FairPlaces(places), wakes, shutdown.signal),
          inject: [AgentHost, Wakes, Shutdown],
        },
      ],
    };
  }

  onApplicationShutdown(): void {
    this.client.close();
  }
}
