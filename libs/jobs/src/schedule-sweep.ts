import type { Documents } from '@rockpool/cloud';
import type { Clock } from './clock.js';
import type { ScheduleFiring } from './schedule-firing.js';
import type { ScheduleRecord } from './schedule-records.js';
import type { ScheduleTasks } from './schedule-tasks.js';

/** A task that is not here by then is lost, or about to come: then one of the two finds nothing to do. */
const graceMs = 15_000;
/** Until the next sweep has been: what comes before that is seen to now, so that a lost task makes nothing late. */
const aheadMs = 90_000;
const pageSize = 200;

/** Mends what a crash left between schedules and tasks. Made every minute by any number of processes. */
export class ScheduleSweep {
  constructor(
    private readonly documents: Documents,
    private readonly firing: ScheduleFiring,
    private readonly tasks: ScheduleTasks,
    private readonly options: {
      readonly clock: Clock;
      readonly onWarning: (message: string, error: unknown, schedule: ScheduleRecord) => void;
    },
  ) {}

  /**
   * Makes sure that what comes before the next sweep has its task, and gives what is overdue another. Resolves with how many were overdue. One that cannot be mended now is left
   * to the next sweep, with a warning.
   */
  async run(signal?: AbortSignal): Promise<number> {
    const now = this.options.clock.now();
    let mended = 0;
    let cursor: string | undefined;
    do {
      const page = await this.documents.query<ScheduleRecord>({
        from: { group: 'schedules' },
        where: { state: 'active' },
        range: { field: 'armedAt', lt: now + aheadMs },
        orderBy: { field: 'armedAt' },
        limit: pageSize,
        ...(cursor && { cursor }),
      });
      for (const { data } of page.items) {
        if (signal?.aborted) return mended;
        try {
          // A task that is there is made no second time: it has a name.
          if (data.armedAt! >= now - graceMs) await this.tasks.create(data);
          else if (await this.firing.rearm(data)) mended++;
        } catch (error) {
          this.options.onWarning('a schedule could not be mended', error, data);
        }
      }
      cursor = page.nextCursor;
    } while (cursor);
    return mended;
  }
}
