import { Global, Module, type DynamicModule } from '@nestjs/common';
import { Inbox, ReplyChannels, Wakes } from '@rockpool/conversations';
import { Jobs, ScheduleFiring, Schedules } from '@rockpool/jobs';
import { Credentials, Routes, Tenants } from '@rockpool/tenancy';
import type { Platform } from './platform.js';

/** What the apps share, by class. */
@Global()
@Module({})
export class PlatformModule {
  static forRoot(platform: Platform): DynamicModule {
    const providers = [
      { provide: Tenants, useValue: platform.tenants },
      { provide: Routes, useValue: platform.routes },
      { provide: Credentials, useValue: platform.credentials },
      { provide: Inbox, useValue: platform.inbox },
      { provide: Wakes, useValue: platform.wakes },
      { provide: ReplyChannels, useValue: platform.channels },
      { provide: Schedules, useValue: platform.schedules },
      { provide: ScheduleFiring, useValue: platform.firing },
      { provide: Jobs, useValue: platform.jobs },
    ];
    return { module: PlatformModule, providers, exports: providers.map(({ provide }) => provide) };
  }
}
