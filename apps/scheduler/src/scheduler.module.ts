import { Inject, Module, type DynamicModule, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Documents } from '@rockpool/cloud';
import { Inbox, Wakes } from '@rockpool/conversations';
import { Alerts, AUDIENCE, LOGGER, type Logger } from '@rockpool/service';
import { StrandedSweep } from './stranded-sweep.js';
import { SweepController } from './sweep.controller.js';

export interface SchedulerOptions {
  /** Audience of the tokens it accepts. */
  readonly audience: string;
  /** How often it sweeps by itself. Absent where a clock outside calls `POST /internal/sweep`, since a process that is asleep has no timer. */
  readonly sweepEveryMs?: number;
}

const OPTIONS = Symbol('rockpool.scheduler-options');

/** What happens at its time. Needs, from outside: `Documents`, `Identity`, `Inbox`, `Wakes` and `LOGGER`. */
@Module({})
export class SchedulerModule implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly stranded: StrandedSweep,
    @Inject(OPTIONS) private readonly options: SchedulerOptions,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  static register(options: SchedulerOptions): DynamicModule {
    return {
      module: SchedulerModule,
      controllers: [SweepController],
      providers: [
        { provide: OPTIONS, useValue: options },
        { provide: AUDIENCE, useValue: options.audience },
        {
          provide: StrandedSweep,
          useFactory: (inbox: Inbox, wakes: Wakes, documents: Documents) => {
            const alerts = new Alerts(documents);
            return new StrandedSweep(inbox, wakes, () => alerts.lasting('agent-host-'));
          },
          inject: [Inbox, Wakes, Documents],
        },
      ],
    };
  }

  onApplicationBootstrap(): void {
    const { sweepEveryMs } = this.options;
    if (sweepEveryMs === undefined) return;
    this.timer = setInterval(() => {
      this.stranded.sweep().catch((error: unknown) => this.log.warn({ error }, 'the sweep for stranded conversations failed'));
    }, sweepEveryMs);
    this.timer.unref();
  }

  /** Waits for a sweep that is under way. */
  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.stranded.idle();
  }
}
