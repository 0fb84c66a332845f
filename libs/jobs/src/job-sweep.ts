import type { Documents } from '@rockpool/cloud';
import type { Clock } from './clock.js';
import type { JobClaims } from './job-claims.js';
import type { JobPlaces } from './job-places.js';
import { jobPaths, type JobRecord } from './job-records.js';
import { readyNow } from './job-states.js';
import type { JobTasks } from './job-tasks.js';
import type { OnJobWarning, Settlement } from './settlement.js';

/** What a sweep mended. */
export interface JobSweepResult {
  /** Open jobs whose time had come and nothing happened: given a new task, or ended when their deadline has passed. */
  readonly overdue: number;
  /** Ended jobs whose result, and waiting ones whose question, had not arrived. */
  readonly unsettled: number;
  /** Jobs in line although there was a place. */
  readonly letIn: number;
}

/** What is younger is with somebody. Longer than a task or a settlement takes to get under way. */
const graceMs = 15_000;
/** Until the next sweep has been: what comes before that is seen to now, so that a lost task makes nothing late. */
const aheadMs = 90_000;
const pageSize = 200;

/** Mends what a crash left between documents and tasks. Made every minute by any number of processes; harmless beside running jobs. */
export class JobSweep {
  constructor(
    private readonly documents: Documents,
    private readonly claims: JobClaims,
    private readonly places: JobPlaces,
    private readonly tasks: JobTasks,
    private readonly settlement: Settlement,
    private readonly options: { readonly clock: Clock; readonly onWarning: OnJobWarning },
  ) {}

  /** A job that cannot be mended now is left to the next sweep, with a warning. Rejects when storage cannot be read. */
  async run(signal?: AbortSignal): Promise<JobSweepResult> {
    const now = this.options.clock.now();
    const before = now - graceMs;
    const overdue = await this.each(
      'open',
      'dueAt',
      now + aheadMs,
      (job) => (job.dueAt < before ? this.takeUp(job) : this.ensure(job)),
      signal,
    );
    const unsettled = await this.each('unsettled', 'updatedAt', before, async (job) => (await this.settlement.settle(job), true), signal);
    let letIn = 0;
    for (const job of await this.places.line()) {
      if (signal?.aborted) break;
      if ((await this.places.find(job.tenantId, job.jobId)) && (await this.claims.letIn(job))) letIn++;
    }
    return { overdue, unsettled, letIn };
  }

  /** Makes the task of what is not overdue, should it be lost: it has a name, so one that is there is made no second time. */
  private async ensure(job: JobRecord): Promise<false> {
    if (!job.lease && !job.blocked && job.line === undefined) await this.tasks.create(job);
    return false;
  }

  private async takeUp(found: JobRecord): Promise<boolean> {
    const { clock } = this.options;
    if (clock.now() >= found.deadlineAt) {
      const ending = { state: 'failed', reason: 'it was not done by its deadline' } as const;
      const live = (job: JobRecord) => job.lease !== undefined && job.lease.expiresAt > clock.now();
      await this.settlement.end(found, ending, { unless: (job) => live(job) || clock.now() < job.deadlineAt });
      return true;
    }
    const path = jobPaths.job(found.tenantId, found.jobId);
    const ready = await this.documents.transaction(async (transaction) => {
      const job = (await transaction.get<JobRecord>(path))?.data;
      if (!job?.open || job.slice !== found.slice || job.dueAt > clock.now() - graceMs) return undefined;
      const next = readyNow(job, clock.now());
      transaction.set(path, next);
      return next;
    });
    if (ready) await this.tasks.create(ready);
    return ready !== undefined;
  }

  /** Goes through all jobs with that flag whose moment is before `before`. Resolves with how many were mended. */
  private async each(
    flag: 'open' | 'unsettled',
    moment: 'dueAt' | 'updatedAt',
    before: number,
    mend: (job: JobRecord) => Promise<boolean>,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    let mended = 0;
    let cursor: string | undefined;
    do {
      const page = await this.documents.query<JobRecord>({
        from: { group: 'jobs' },
        where: { [flag]: true },
        range: { field: moment, lt: before },
        orderBy: { field: moment },
        limit: pageSize,
        ...(cursor && { cursor }),
      });
      for (const { data } of page.items) {
        if (signal?.aborted) return mended;
        try {
          if (await mend(data)) mended++;
        } catch (error) {
          this.options.onWarning('a job could not be mended', error, data);
        }
      }
      cursor = page.nextCursor;
    } while (cursor);
    return mended;
  }
}
