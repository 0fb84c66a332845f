import { Global, Module, type DynamicModule } from '@nestjs/common';
import { ChannelReplies, WebFeed } from '@rockpool/channels';
import { Inbox, ReplyChannels, Wakes } from '@rockpool/conversations';
import { ScheduleFiring, Schedules } from '@rockpool/jobs';
import { Credentials, Routes, Tenants } from '@rockpool/tenancy';
import type { Platform } from './platform.js';

/** What the apps share, by class. */
@Global()
@Module({})
export class PlatformModule {
  static forRoot({ config, cloud, ...platform }: Platform): DynamicModule {
    const channels = new ChannelReplies(platform.credentials, {
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
      { provide: Schedules, useValue: platform.schedules },
      { provide: ScheduleFiring, useValue: platform.firing },
    ];
    return { module: PlatformModule, providers, exports: providers.map(({ provide }) => provide) };
  }
}
