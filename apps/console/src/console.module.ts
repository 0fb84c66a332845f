import { Inject, Module, type DynamicModule } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { ADMIN_TOKEN, AdminGuard } from './admin.guard.js';
import { adminToken } from './admin-token.js';
import { InboxController } from './inbox.controller.js';
import { PlatformController } from './platform.controller.js';
import { TenantsController } from './tenants.controller.js';

export interface ConsoleOptions {
  /** Where the operators' token lies; it is made there when there is none. */
  readonly dataDir: string;
}

/** Room for ten thousands of tenants in one file. */
const applyLimitBytes = 32 * 1024 * 1024;

/** The control plane over HTTP, below `/api/v1`, for operators only. Needs, from outside: `ControlPlane`. */
@Module({})
export class ConsoleModule {
  constructor(@Inject(HttpAdapterHost) host: HttpAdapterHost, @Inject(AdminGuard) guard: AdminGuard) {
    // A body this large is read only once its sender is known, which is before any guard of Nest's is asked.
    host.httpAdapter.getInstance<FastifyInstance>().addHook('onRoute', (route) => {
      if (route.url !== '/api/v1/apply') return;
      route.bodyLimit = applyLimitBytes;
      route.onRequest = (request, reply, done) => {
        guard.admit(request, reply);
        done();
      };
    });
  }

  static register({ dataDir }: ConsoleOptions): DynamicModule {
    return {
      module: ConsoleModule,
      controllers: [TenantsController, InboxController, PlatformController],
      providers: [{ provide: ADMIN_TOKEN, useFactory: () => adminToken(dataDir) }, AdminGuard],
    };
  }
}
