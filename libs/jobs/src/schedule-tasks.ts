import { createHash } from 'node:crypto';
import type { QueueSpec, Tasks } from '@rockpool/cloud';
import { codeOf, queues, type FireSchedule } from '@rockpool/contracts';
import type { JobTaskOptions } from './job-tasks.js';
import type { ScheduleRecord } from './schedule-records.js';

/** Upkeep may take so long; a prompt takes milliseconds. */
export const longestFiringMs = 5 * 60_000;

/** Everything that fires at a time. */
export const scheduleQueue: QueueSpec = queues.schedules;

/** The tasks that fire schedules. */
export class ScheduleTasks {
  constructor(
    private readonly tasks: Tasks,
    /** Takes a POST of `FireSchedule` as JSON. */
    private readonly options: JobTaskOptions,
  ) {}

  /** Makes the task for the schedule's next occurrence, or for a part of the way to it. Again is no error. */
  async create({ tenantId, scheduleId, nextAt, armedAt, hop }: ScheduleRecord): Promise<void> {
    if (nextAt === undefined || armedAt === undefined) return;
    const body: FireSchedule = { tenantId, scheduleId, plannedAt: nextAt, hop };
    try {
      await this.tasks.create({
        queue: scheduleQueue.name,
        name: createHash('sha256').update(JSON.stringify(body)).digest('hex').slice(0, 40),
        url: this.options.url,
        audience: this.options.audience,
        headers: { 'content-type': 'application/json' },
        body: new TextEncoder().encode(JSON.stringify(body)),
        scheduleAt: new Date(armedAt),
        deadlineMs: longestFiringMs,
      });
    } catch (error) {
      if (codeOf(error) !== 'already_exists') throw error;
    }
  }
}
