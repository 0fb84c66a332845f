import type { Documents } from '@rockpool/cloud';
import type { Clock } from './clock.js';
import type { ScheduleFiring } from './schedule-firing.js';
import type { ScheduleRecord } from './schedule-records.js';

/** A task that is not here by then is lost, or about to come: then one of the two finds nothing to do. */
const graceMs = 15_000;
const pageSize = 200;

/** Mends what a crash left between schedules and tasks. Made every minute by any number of processes. */
export class ScheduleSweep {
  constructor(
    private readonly documents: Documents,
    private readonly firing: ScheduleFiring,
    private readonly options: {
      readonly clock: Clock;
      readonly onWarning: (message: string, error: unknown, schedule: ScheduleRecord) => void;
    },
  ) {}

  /** Resolves with how many schedules were given a new task. One that cannot be mended now is left to the next sweep, with a warning. */
  async run(signal?: AbortSignal): Promise<number> {
    const before = this.options.clock.now() - graceMs;
    let mended = 0;
    let cursor: string | undefined;
    do {
      const page = await this.documents.query<ScheduleRecord>({
        from: { group: 'schedules' },
        where: { state: 'active' },
        range: { field: 'armedAt', lt: before },
        orderBy: { field: 'armedAt' },
        limit: pageSize,
        ...(cursor && { cursor }),
      });
      for (const { data } of page.items) {
        if (signal?.aborted) return mended;
        try {
          if (await this.firing.rearm(data)) mended++;
        } catch (error) {
          this.options.onWarning('a schedule could not be mended', error, data);
        }
      }
      cursor = page.nextCursor;
    } while (cursor);
    return mended;
  }
}
