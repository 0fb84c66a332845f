import type { JobSweep, JobSweepResult, ScheduleSweep } from '@rockpool/jobs';
import type { Upkeep } from '@rockpool/platform';
import type { BulkSweep } from './bulk-sweep.js';
import type { StrandedSweep } from './stranded-sweep.js';

/** Less than the minute between two sweeps, and than a request to the scheduler may take. */
const bulkForMs = 45_000;

export interface Swept {
  /** Conversations. */
  readonly woken: number;
  /** Schedules whose task was lost, and that have one again. */
  readonly rearmed: number;
  readonly jobs: JobSweepResult;
}

interface Parts {
  readonly stranded: StrandedSweep;
  readonly schedules: ScheduleSweep;
  readonly jobs: JobSweep;
  readonly upkeep: Pick<Upkeep, 'ensure'>;
  /** Absent where a console in this process does that work. */
  readonly bulk: BulkSweep | undefined;
}

/** What is done once a minute. */
export class Sweeps {
  private running: Promise<Swept> | undefined;

  constructor(
    private readonly parts: Parts,
    private readonly stopping: AbortSignal,
  ) {}

  /** Whoever asks while one is under way gets the outcome of that one. Rejects when a part failed, after the others have ended. */
  sweep(): Promise<Swept> {
    return (this.running ??= this.all().finally(() => (this.running = undefined)));
  }

  /** Resolves when none is under way. */
  async idle(): Promise<void> {
    await this.running?.catch(() => undefined);
  }

  private async all(): Promise<Swept> {
    const until = AbortSignal.any([this.stopping, AbortSignal.timeout(bulkForMs)]);
    const { stranded, schedules, jobs, upkeep, bulk } = this.parts;
    const sweeps = [stranded.sweep(), schedules.run(until), jobs.run(until), upkeep.ensure(), bulk?.sweep(until)] as const;
    await Promise.allSettled(sweeps);
    const [woken, rearmed, mended] = await Promise.all(sweeps);
    return { woken, rearmed, jobs: mended };
  }
}
