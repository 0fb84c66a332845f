import { platformOwner, type ScheduleId } from '@rockpool/contracts';
import type { Schedules } from '@rockpool/jobs';

/** The platform's own schedules, in UTC: what is looked after, when, and by which of its functions. The minute of those that come seldom is one at which little else happens. */
export const upkeepSchedules = [
  { id: 'leases-and-ledger', title: 'leases and ledger', cron: '* * * * *', upkeep: 'leases-and-ledger' },
  { id: 'watchdog', title: 'watchdog', cron: '* * * * *', upkeep: 'watchdog' },
  { id: 'alerts', title: 'telling operators', cron: '* * * * *', upkeep: 'alerts' },
  { id: 'usage', title: 'usage by day', cron: '7 * * * *', upkeep: 'usage' },
  { id: 'retention', title: 'retention', cron: '23 3 * * *', upkeep: 'retention' },
] as const;

/** Name of a function that a schedule of the platform runs. */
export type UpkeepName = (typeof upkeepSchedules)[number]['upkeep'];

/** Makes those that are missing or changed. Bears being repeated, by any number of processes. One that is paused stays paused. */
export async function ensureUpkeep(schedules: Schedules): Promise<void> {
  for (const { id, title, cron, upkeep } of upkeepSchedules) {
    await schedules.put(platformOwner, id as string as ScheduleId, {
      title,
      when: { kind: 'cron', expression: cron, timeZone: 'UTC' },
      effect: { kind: 'upkeep', name: upkeep },
      missed: 'fire-late',
      createdBy: 'platform',
    });
  }
}
