import { Inject, Module, type DynamicModule, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Documents } from '@rockpool/cloud';
import { Inbox, Wakes } from '@rockpool/conversations';
import { BulkWorker } from '@rockpool/platform';
import { LOGGER, Shutdown, type Logger } from '@rockpool/service';
import { AuditLog } from '@rockpool/tenancy';
import type { FastifyInstance } from 'fastify';
import { ADMIN_TOKEN, AdminGuard } from './admin.guard.js';
import { ControlPlane } from './control-plane.js';
import { InboxController } from './inbox.controller.js';
import { JobsController } from './jobs.controller.js';
import { OperationsController } from './operations.controller.js';
import { PlatformController } from './platform.controller.js';
import { SchedulesController } from './schedules.controller.js';
import { TenantsController } from './tenants.controller.js';

export interface ConsoleOptions {
  readonly controlPlane: ControlPlane;
  /** Resolves with the operators' token. */
  readonly token: () => Promise<string>;
}

/** Room for ten thousands of tenants in one file. */
const applyLimitBytes = 32 * 1024 * 1024;

/**
 * The control plane over HTTP, below `/api/v1`, for operators only, and the worker of what they begin in bulk. Needs, from outside: `Inbox`, `Wakes`,
 * the cloud's ports, `Shutdown` and `LOGGER`.
 */
@Module({})
export class ConsoleModule implements OnApplicationBootstrap {
  constructor(
    @Inject(HttpAdapterHost) host: HttpAdapterHost,
    @Inject(AdminGuard) guard: AdminGuard,
    private readonly worker: BulkWorker,
    shutdown: Shutdown,
  ) {
    shutdown.onShutdown('stop bulk operations', () => this.worker.stop());
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

  static register({ controlPlane, token }: ConsoleOptions): DynamicModule {
    return {
      module: ConsoleModule,
      controllers: [TenantsController, InboxController, OperationsController, PlatformController, SchedulesController, JobsController],
      providers: [
        { provide: ControlPlane, useValue: controlPlane },
        { provide: ADMIN_TOKEN, useFactory: token },
        AdminGuard,
        {
          provide: BulkWorker,
          useFactory: (documents: Documents, inbox: Inbox, wakes: Wakes, log: Logger) =>
            new BulkWorker(documents, inbox, wakes, new AuditLog(documents), (error, operation) =>
              log.warn({ error, operation }, 'a batch of a bulk operation failed and is taken again'),
            ),
          inject: [Documents, Inbox, Wakes, LOGGER],
        },
      ],
    };
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.worker.start();
  }
}
