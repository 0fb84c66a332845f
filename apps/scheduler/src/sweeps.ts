import type { ScheduleSweep } from '@rockpool/jobs';
import type { BulkSweep } from './bulk-sweep.js';
import type { StrandedSweep } from './stranded-sweep.js';

/** Less than the minute between two sweeps, and than a request to the scheduler may take. */
const bulkForMs = 45_000;

export interface Swept {
  /** Conversations. */
  readonly woken: number;
  /** Schedules whose task was lost, and that have one again. */
  readonly rearmed: number;
}

/** What is done once a minute. */
export class Sweeps {
  private running: Promise<Swept> | undefined;

  constructor(
    private readonly stranded: StrandedSweep,
    private readonly schedules: ScheduleSweep,
    /** Absent where a console in this process does that work. */
    private readonly bulk: BulkSweep | undefined,
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
    const parts = [this.stranded.sweep(), this.schedules.run(until), this.bulk?.sweep(until)] as const;
    await Promise.allSettled(parts);
    const [woken, rearmed] = await Promise.all(parts);
    return { woken, rearmed };
  }
}
