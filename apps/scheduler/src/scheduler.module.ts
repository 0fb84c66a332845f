import { Inject, Module, type DynamicModule, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Documents } from '@rockpool/cloud';
import { Inbox, Wakes } from '@rockpool/conversations';
import { ScheduleFiring, type JobSweep } from '@rockpool/jobs';
import { BulkWorker, type Upkeep } from '@rockpool/platform';
import { Alerts, AUDIENCE, LOGGER, Shutdown, type Logger } from '@rockpool/service';
import { AuditLog } from '@rockpool/tenancy';
import { BulkSweep } from './bulk-sweep.js';
import { FireController } from './fire.controller.js';
import { StrandedSweep } from './stranded-sweep.js';
import { SweepController } from './sweep.controller.js';
import { Sweeps } from './sweeps.js';

export interface SchedulerOptions {
  /** Audience of the tokens it accepts. */
  readonly audience: string;
  readonly jobSweep: (log: Logger) => JobSweep;
  readonly upkeep: (log: Logger) => Upkeep;
  /** How often it sweeps by itself. Absent where a clock outside calls `POST /internal/sweep`, since a process that is asleep has no timer. */
  readonly sweepEveryMs?: number;
  /** Whether it works on operations in bulk: where the console is another process, which may be asleep. */
  readonly worksInBulk: boolean;
}

const OPTIONS = Symbol('rockpool.scheduler-options');
const UPKEEP = Symbol('rockpool.upkeep');

/** What happens at its time. Needs, from outside: `Documents`, `Identity`, `Inbox`, `Wakes`, `Shutdown` and `LOGGER`. */
@Module({})
export class SchedulerModule implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private made: Promise<void> | undefined;

  constructor(
    private readonly sweeps: Sweeps,
    @Inject(OPTIONS) private readonly options: SchedulerOptions,
    @Inject(UPKEEP) private readonly upkeep: Upkeep,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  static register(options: SchedulerOptions): DynamicModule {
    return {
      module: SchedulerModule,
      controllers: [SweepController, FireController],
      providers: [
        { provide: OPTIONS, useValue: options },
        { provide: AUDIENCE, useValue: options.audience },
        { provide: UPKEEP, useFactory: (log: Logger) => options.upkeep(log), inject: [LOGGER] },
        { provide: ScheduleFiring, useFactory: (upkeep: Upkeep) => upkeep.firing, inject: [UPKEEP] },
        {
          provide: Sweeps,
          useFactory: (inbox: Inbox, wakes: Wakes, documents: Documents, upkeep: Upkeep, shutdown: Shutdown, log: Logger) => {
            const alerts = new Alerts(documents);
            const stranded = new StrandedSweep(inbox, wakes, () => alerts.lasting('agent-host-'));
            const newWorker = () =>
              new BulkWorker(documents, inbox, wakes, new AuditLog(documents), (error, operation) =>
                log.warn({ error, operation }, 'a batch of a bulk operation failed and is taken again'),
              );
            const bulk = options.worksInBulk ? new BulkSweep(documents, newWorker) : undefined;
            return new Sweeps({ stranded, schedules: upkeep.sweep, jobs: options.jobSweep(log), upkeep, bulk }, shutdown.signal);
          },
          inject: [Inbox, Wakes, Documents, UPKEEP, Shutdown, LOGGER],
        },
      ],
    };
  }

  /** Nobody waits for the schedules of the platform. Where they cannot be made now, the next sweep makes them. */
  onApplicationBootstrap(): void {
    this.made = this.upkeep
      .ensure()
      .catch((error: unknown) => this.log.warn({ error }, 'the schedules of the platform could not be made, and are tried again'));
    const { sweepEveryMs } = this.options;
    if (sweepEveryMs === undefined) return;
    // What the process left undone that ended before need not wait for a minute.
    const sweep = (): void =>
      void this.sweeps.sweep().catch((error: unknown) => this.log.warn({ error }, 'a sweep failed, and is made again'));
    this.timer = setInterval(sweep, sweepEveryMs);
    this.timer.unref();
    sweep();
  }

  /** Waits for what is under way. */
  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.made;
    await this.sweeps.idle();
  }
}
