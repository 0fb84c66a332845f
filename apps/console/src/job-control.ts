import type { TenantId } from '@rockpool/contracts';
import type { JobBudget, JobFilter, JobRecord, StepRecord } from '@rockpool/jobs';

export interface JobPage {
  readonly items: readonly JobRecord[];
  readonly nextCursor?: string;
}

/** A job with those it delegated to, in the order they were made; every try of a builder is a job. */
export interface JobTree {
  readonly job: JobRecord;
  readonly builders: readonly JobTree[];
}

/** A job with what it did: the latest 200 steps, oldest first. Of values longer than 4,000 bytes the beginning is there, if they are text. */
export interface JobDetails extends JobTree {
  readonly steps: readonly StepRecord[];
}

/** What operators do with jobs. A job is named by its id or as people do (`jobName` of the contracts); one that the tenant does not have rejects with `not_found`. */
export abstract class JobControl {
  /** Newest first, builders among them; of all tenants when none is named. */
  abstract list(filter: JobFilter): Promise<JobPage>;
  abstract show(tenantId: TenantId, job: string): Promise<JobDetails>;
  /** The job as it is now, and after each change of it or its builders, until it has ended or the signal is given. */
  abstract follow(tenantId: TenantId, job: string, signal: AbortSignal): AsyncIterable<JobDetails>;
  /** Ends it with its builders. One that has ended is left as it is. */
  abstract cancel(tenantId: TenantId, job: string, reason: string): Promise<JobRecord>;
  /** Has it go on where it ended, with so much more than it has used up. Rejects with `conflict` when it is open, has succeeded or is a builder. */
  abstract retry(tenantId: TenantId, job: string, budget: JobBudget): Promise<JobRecord>;
  /**
   * Tells a job what it waits for: any words where it asks; `done`, `repeat` or `failed` where nobody knows whether a step was done, else it rejects with `invalid`.
   * Rejects with `conflict` when it waits for no answer.
   */
  abstract answer(tenantId: TenantId, job: string, words: string): Promise<JobRecord>;
}
