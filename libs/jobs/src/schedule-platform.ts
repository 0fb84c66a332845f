import type { Documents } from '@rockpool/cloud';
import { systemClock, type Clock } from './clock.js';
import { ScheduleFiring, type SchedulePrompts, type UpkeepFunction } from './schedule-firing.js';
import type { ScheduleRecord } from './schedule-records.js';
import { ScheduleSweep } from './schedule-sweep.js';
import type { ScheduleTasks } from './schedule-tasks.js';
import { Schedules } from './schedules.js';

/** What schedules need of the process they live in. */
export interface SchedulePlatformNeeds {
  readonly documents: Documents;
  readonly tasks: ScheduleTasks;
  readonly prompts: SchedulePrompts;
  /** The platform's functions, by the name that schedules know them by. */
  readonly upkeep?: ReadonlyMap<string, UpkeepFunction>;
  /** Active and paused schedules of one tenant, at most. Default 500. */
  readonly perTenant?: number;
  readonly clock?: Clock;
  readonly onWarning: (message: string, error: unknown, schedule: ScheduleRecord) => void;
}

/** Schedules as a process has them: the commands take `schedules`, the endpoint of tasks `firing`, whoever looks after things each minute `sweep`. */
export interface SchedulePlatform {
  readonly schedules: Schedules;
  readonly firing: ScheduleFiring;
  readonly sweep: ScheduleSweep;
}

/** Puts the parts together. Opens nothing, starts nothing. */
export function schedulePlatform(needs: SchedulePlatformNeeds): SchedulePlatform {
  const { documents, tasks, prompts, upkeep = new Map(), clock = systemClock, onWarning } = needs;
  const firing = new ScheduleFiring(documents, tasks, prompts, upkeep, clock);
  const perTenant = needs.perTenant;
  return {
    schedules: new Schedules(documents, tasks, firing, clock, { ...(perTenant !== undefined && { perTenant }) }),
    firing,
    sweep: new ScheduleSweep(documents, firing, tasks, { clock, onWarning }),
  };
}
