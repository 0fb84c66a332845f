import { Module, type DynamicModule } from '@nestjs/common';
import { ADMIN_TOKEN } from './admin.guard.js';
import { ControlPlane } from './control-plane.js';
import { InboxController } from './inbox.controller.js';
import { PlatformController } from './platform.controller.js';
import { TenantsController } from './tenants.controller.js';

export interface ConsoleOptions {
  readonly controlPlane: ControlPlane;
  /** Whoever has it can do everything an operator can. */
  readonly adminToken: string;
}

/** The control plane over HTTP, below `/api/v1`, for operators only. */
@Module({})
export class ConsoleModule {
  static register({ controlPlane, adminToken }: ConsoleOptions): DynamicModule {
    return {
      module: ConsoleModule,
      controllers: [TenantsController, InboxController, PlatformController],
      providers: [
        { provide: ControlPlane, useValue: controlPlane },
        { provide: ADMIN_TOKEN, useValue: adminToken },
      ],
    };
  }
}
