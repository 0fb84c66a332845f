import type { Documents, Json, Transaction } from '@rockpool/cloud';
import { crashPoint, RetryLater, type ConversationId, type JobId, type JobPriority, type TenantId } from '@rockpool/contracts';
import type { Clock } from './clock.js';
import { jobPaths, type JobBudget, type JobNumberRecord, type JobRecord, type ParentLink } from './job-records.js';
import type { JobTasks } from './job-tasks.js';

/** A job to be. */
export interface NewJob {
  readonly tenantId: TenantId;
  readonly jobId: JobId;
  readonly kind: string;
  readonly title: string;
  readonly preface?: string;
  readonly input: Json;
  readonly priority: JobPriority;
  readonly allowedMs: number;
  readonly budget: JobBudget;
  readonly conversationId?: ConversationId;
  readonly traceparent?: string;
  readonly parent?: ParentLink;
  readonly after?: readonly string[];
  readonly blocked?: boolean;
  readonly dependencies?: Readonly<Record<string, Json>>;
}

const numberTries = 20;

/** Makes jobs, each once: a second call with the same id finds the first one's job. */
export class JobCreation {
  constructor(
    private readonly documents: Documents,
    private readonly tasks: JobTasks,
    private readonly clock: Clock,
  ) {}

  /**
   * Makes a job with the tenant's next number. Numbers are taken by creating a document each, so no document is written by everybody; when many start at one
   * moment some numbers may stay unused.
   */
  async numbered(job: NewJob): Promise<JobRecord> {
    const { tenantId, jobId } = job;
    for (let tries = 0; tries < numberTries; tries++) {
      const n = (await this.highest(tenantId)) + 1 + Math.floor(Math.random() * tries * 2);
      const made = await this.make(job, String(n), async (transaction) => {
        if (await transaction.get(jobPaths.number(tenantId, n))) return false;
        transaction.create(jobPaths.number(tenantId, n), { n, jobId } satisfies JobNumberRecord);
        return true;
      });
      if (made) return made;
    }
    throw new RetryLater(1_000, 'too many jobs are being started at this moment');
  }

  /** Makes a job that people know by its manager. */
  async labelled(job: NewJob, label: string): Promise<JobRecord> {
    return (await this.make(job, label, () => true))!;
  }

  private async make(
    { tenantId, jobId, allowedMs, ...given }: NewJob,
    label: string,
    alsoWrite: (transaction: Transaction) => boolean | Promise<boolean>,
  ): Promise<JobRecord | undefined> {
    const path = jobPaths.job(tenantId, jobId);
    const made = await this.documents.transaction(async (transaction) => {
      const existing = await transaction.get<JobRecord>(path);
      if (existing) return existing.data;
      if (!(await alsoWrite(transaction))) return undefined;
      const now = this.clock.now();
      const deadlineAt = now + allowedMs;
      const record: JobRecord = {
        ...given,
        tenantId,
        jobId,
        label,
        state: 'queued',
        open: true,
        slice: 1,
        dueAt: given.blocked ? deadlineAt : now,
        fence: 0,
        steps: 0,
        deadlineAt,
        allowedMs,
        spent: { tokens: 0, costUsd: 0, steps: 0 },
        stumbles: 0,
        retries: 0,
        unsettled: false,
        createdAt: now,
        updatedAt: now,
      };
      transaction.create(path, record);
      return record;
    });
    crashPoint('after-job-before-task');
    // Also when it existed: whoever made it may have died right here.
    if (made && made.slice === 1 && made.state === 'queued' && !made.blocked) await this.tasks.create(made);
    return made;
  }

  private async highest(tenantId: TenantId): Promise<number> {
    const page = await this.documents.query<JobNumberRecord>({
      from: { collection: jobPaths.numbers(tenantId) },
      orderBy: { field: 'n', direction: 'desc' },
      limit: 1,
    });
    return page.items[0]?.data.n ?? 0;
  }
}
