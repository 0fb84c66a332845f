import { Module, type DynamicModule, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Documents, Identity } from '@rockpool/cloud';
import { Admissions, Commands, ImmediateAnswers, Inbox, Receiver, ReplyChannels, Wakes } from '@rockpool/conversations';
import { EventPublisher, LOGGER, provide, type Logger } from '@rockpool/service';
import { Routes, Tenants } from '@rockpool/tenancy';
import { BusWakes } from './bus-wakes.js';
import { ConversationDriver } from './conversation-driver.js';
import { DispatcherController } from './dispatcher.controller.js';
import { HostClient } from './host-client.js';
import { StrandedSweep } from './stranded-sweep.js';

export interface DispatcherOptions {
  /** Base URL of the pooled agent host; asked for at each push, since an embedded one is known only once it listens. */
  readonly hostUrl: () => string;
  readonly sweepEveryMs: number;
}

/** The dispatcher. Needs, from outside: the cloud's ports, `Tenants`, `Routes`, `Inbox`, `ReplyChannels`, `EventPublisher` and `LOGGER`. */
@Module({})
export class DispatcherModule implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    private readonly sweep: StrandedSweep,
    private readonly hosts: HostClient,
  ) {}

  static register(options: DispatcherOptions): DynamicModule {
    return {
      module: DispatcherModule,
      controllers: [DispatcherController],
      providers: [
        { provide: HostClient, useFactory: (identity: Identity) => new HostClient(identity, options.hostUrl), inject: [Identity] },
        { provide: Wakes, useFactory: (publisher: EventPublisher) => new BusWakes(publisher, '/dispatcher'), inject: [EventPublisher] },
        {
          provide: Admissions,
          useFactory: (documents: Documents, tenants: Tenants, routes: Routes) => new Admissions(documents, tenants, routes),
          inject: [Documents, Tenants, Routes],
        },
        provide(ImmediateAnswers, Documents, ReplyChannels),
        {
          provide: Commands,
          useFactory: (inbox: Inbox, answers: ImmediateAnswers) => new Commands(inbox, answers),
          inject: [Inbox, ImmediateAnswers],
        },
        provide(Receiver, Admissions, Inbox, Commands, ImmediateAnswers, ReplyChannels, Wakes),
        provide(ConversationDriver, HostClient),
        {
          provide: StrandedSweep,
          useFactory: (inbox: Inbox, wakes: Wakes, log: Logger) =>
            new StrandedSweep(inbox, wakes, {
              everyMs: options.sweepEveryMs,
              onError: (error) => log.warn({ error }, 'the sweep for stranded conversations failed'),
            }),
          inject: [Inbox, Wakes, LOGGER],
        },
      ],
    };
  }

  onApplicationBootstrap(): void {
    this.sweep.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.sweep.stop();
    this.hosts.close();
  }
}
