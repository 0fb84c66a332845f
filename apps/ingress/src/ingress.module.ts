import { Module, type DynamicModule } from '@nestjs/common';
import type { WebhookChannel } from '@rockpool/channels';
import { Documents } from '@rockpool/cloud';
import { Inbox } from '@rockpool/conversations';
import { EventPublisher, provide } from '@rockpool/service';
import { Credentials } from '@rockpool/tenancy';
import { AnswerWait } from './answer-wait.js';
import { WebController, webProviders } from './web/index.js';
import { WebhookIntake } from './webhook-intake.js';
import { WebhooksController } from './webhooks.controller.js';

export interface IngressOptions {
  readonly channels: readonly WebhookChannel[];
}

/** The front door. Needs, from outside: the cloud's ports, `Tenants`, `Credentials`, `Inbox` and `EventPublisher`. */
@Module({})
export class IngressModule {
  static register(options: IngressOptions): DynamicModule {
    return {
      module: IngressModule,
      controllers: [WebhooksController, WebController],
      providers: [
        ...webProviders,
        provide(AnswerWait, Documents, Inbox),
        {
          provide: WebhookIntake,
          useFactory: (credentials: Credentials, publisher: EventPublisher) => new WebhookIntake(options.channels, credentials, publisher),
          inject: [Credentials, EventPublisher],
        },
      ],
    };
  }
}
