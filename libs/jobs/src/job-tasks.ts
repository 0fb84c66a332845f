import { createHash } from 'node:crypto';
import type { QueueSpec, Tasks } from '@rockpool/cloud';
import { codeOf, queues, type RunJobSlice } from '@rockpool/contracts';
import type { JobRecord } from './job-records.js';

/** Longest request that Cloud Tasks makes. */
export const longestSliceMs = 30 * 60_000;

/** A task lies at most 30 days ahead; a longer wait is bridged by tasks that find it not over. */
export const longestAheadMs = 29 * 86_400_000;

/** The queues of slices. Each priority has its own, and low ones cannot take what the others need. */
export const jobQueues: readonly QueueSpec[] = [queues['job-slices-high'], queues['job-slices-normal'], queues['job-slices-low']];

export interface JobTaskOptions {
  /** Where slices are run: an absolute URL that takes a POST of `RunJobSlice` as JSON. */
  readonly url: string;
  readonly audience: string;
}

/** The tasks that run slices. */
export class JobTasks {
  constructor(
    private readonly tasks: Tasks,
    private readonly options: JobTaskOptions,
  ) {}

  /** Makes the task of the job's slice, at `dueAt`. Again is no error, also after it ran: its name is a pure function of job and slice. */
  async create({ tenantId, jobId, slice, dueAt, priority, traceparent }: JobRecord): Promise<void> {
    const body: RunJobSlice = { tenantId, jobId, slice };
    try {
      await this.tasks.create({
        queue: queues[`job-slices-${priority}`].name,
        name: nameOf(body),
        url: this.options.url,
        audience: this.options.audience,
        headers: { 'content-type': 'application/json', ...(traceparent && { traceparent }) },
        body: new TextEncoder().encode(JSON.stringify(body)),
        scheduleAt: new Date(dueAt),
        deadlineMs: longestSliceMs,
      });
    } catch (error) {
      if (codeOf(error) !== 'already_exists') throw error;
    }
  }
}

/** Hashed: neighbouring names would fall on one machine of the queue. */
function nameOf({ tenantId, jobId, slice }: RunJobSlice): string {
  return createHash('sha256')
    .update(JSON.stringify([tenantId, jobId, slice]))
    .digest('hex')
    .slice(0, 40);
}
