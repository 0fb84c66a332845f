import { Module, type DynamicModule } from '@nestjs/common';
import { ADMIN_TOKEN } from './admin.guard.js';
import { adminToken } from './admin-token.js';
import { InboxController } from './inbox.controller.js';
import { PlatformController } from './platform.controller.js';
import { TenantsController } from './tenants.controller.js';

export interface ConsoleOptions {
  /** Where the operators' token lies; it is made there when there is none. */
  readonly dataDir: string;
}

/** The control plane over HTTP, below `/api/v1`, for operators only. Needs, from outside: `ControlPlane`. */
@Module({})
export class ConsoleModule {
  static register({ dataDir }: ConsoleOptions): DynamicModule {
    return {
      module: ConsoleModule,
      controllers: [TenantsController, InboxController, PlatformController],
      providers: [{ provide: ADMIN_TOKEN, useFactory: () => adminToken(dataDir) }],
    };
  }
}
