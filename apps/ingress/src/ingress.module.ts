import { Inject, Module, type DynamicModule } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { WebhookChannel } from '@rockpool/channels';
import { Documents } from '@rockpool/cloud';
import { Inbox } from '@rockpool/conversations';
import { EventPublisher, LOGGER, provide, type Logger } from '@rockpool/service';
import { Credentials } from '@rockpool/tenancy';
import type { FastifyInstance } from 'fastify';
import { AnswerWait } from './answer-wait.js';
import { WebController, webProviders } from './web/index.js';
import { WebhookIntake } from './webhook-intake.js';
import { WebhooksController } from './webhooks.controller.js';

export interface IngressOptions {
  readonly channels: readonly WebhookChannel[];
}

const CHANNELS = Symbol('rockpool.webhook-channels');

/** The front door. Needs, from outside: the cloud's ports, `Tenants`, `Credentials`, `Inbox`, `EventPublisher` and `LOGGER`. */
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
          provide: WebhookIntake,
          useFactory: (credentials: Credentials, publisher: EventPublisher, log: Logger) =>
            new WebhookIntake(options.channels, credentials, publisher, log),
          inject: [Credentials, EventPublisher, LOGGER],
        },
        { provide: CHANNELS, useValue: options.channels },
      ],
    };
  }
}
