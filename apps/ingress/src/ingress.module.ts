import { Inject, Module, type DynamicModule } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { WebhookChannel } from '@rockpool/channels';
import { Documents } from '@rockpool/cloud';
import { Inbox } from '@rockpool/conversations';
import { EventPublisher, LOGGER, provide, Readiness, Shutdown, type Logger } from '@rockpool/service';
import { Credentials } from '@rockpool/tenancy';
import type { FastifyInstance } from 'fastify';
import { AnswerWait } from './answer-wait.js';
import type { EventSpool } from './event-spool.js';
import { FileSpool } from './file-spool.js';
import { InboundPublisher, publishSpooled } from './inbound-publisher.js';
import { WebController, webProviders } from './web/index.js';
import { WebhookIntake } from './webhook-intake.js';
import { WebhooksController } from './webhooks.controller.js';

export interface IngressOptions {
  readonly channels: readonly WebhookChannel[];
  /** Where events of senders that may never retry are kept while the bus takes none. Without it such senders get 503, like all others. */
  readonly spoolFolder?: string;
}

/** Some ten thousand messages; read as a whole when they leave. */
const maxSpoolBytes = 64 * 2 ** 20;
const spoolRetryMs = 1_000;

const CHANNELS = Symbol('rockpool.webhook-channels');

/** The front door. Needs, from outside: the cloud's ports, `Tenants`, `Credentials`, `Inbox`, `EventPublisher`, `Readiness`, `Shutdown` and `LOGGER`. */
@Module({})
export class IngressModule {
  constructor(@Inject(HttpAdapterHost) host: HttpAdapterHost, @Inject(CHANNELS) channels: readonly WebhookChannel[]) {
    // A channel's own cap, as the limit of its routes: a body over it is refused before it is read, or at the first byte too many.
    host.httpAdapter.getInstance<FastifyInstance>().addHook('onRoute', (route) => {
      const [, prefix, name] = route.url.split('/');
      const channel = prefix === 'webhooks' ? channels.find((candidate) => candidate.name === name) : undefined;
      if (channel) route.bodyLimit = channel.maxBodyBytes;
    });
  }

  static register(options: IngressOptions): DynamicModule {
    return {
      module: IngressModule,
      controllers: [WebhooksController, WebController],
      providers: [
        ...webProviders,
        provide(AnswerWait, Documents, Inbox),
        {
          provide: InboundPublisher,
          useFactory: async (publisher: EventPublisher, readiness: Readiness, shutdown: Shutdown, log: Logger) => {
            const folder = options.spoolFolder;
            const spool = folder === undefined ? undefined : await openSpool(folder, publisher, log);
            if (spool) {
              readiness.inform({ name: 'spool', check: () => (spool.isEmpty ? undefined : 'events wait in the spool for the bus') });
              shutdown.onShutdown('stop the spool', () => spool.stop());
            }
            return new InboundPublisher(publisher, spool);
          },
          inject: [EventPublisher, Readiness, Shutdown, LOGGER],
        },
        {
          provide: WebhookIntake,
          useFactory: (credentials: Credentials, publisher: InboundPublisher, log: Logger) =>
            new WebhookIntake(options.channels, credentials, publisher, log),
          inject: [Credentials, InboundPublisher, LOGGER],
        },
        { provide: CHANNELS, useValue: options.channels },
      ],
    };
  }
}

function openSpool(folder: string, publisher: EventPublisher, log: Logger): Promise<EventSpool> {
  return FileSpool.open({
    folder,
    maxBytes: maxSpoolBytes,
    retryMs: spoolRetryMs,
    deliver: (line) => publishSpooled(publisher, line),
    onChange: (what) => {
      if (what === 'filling') log.error({ folder }, 'events wait in the spool: the bus did not take them');
      else log.info({ folder }, 'the spool is empty: the bus has everything');
    },
    onRefused: (error) => log.error({ folder, error }, 'an event of the spool cannot be published; it is kept in refused.jsonl'),
  });
}
