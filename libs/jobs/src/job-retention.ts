import type { Document, Documents } from '@rockpool/cloud';
import type { TenantId } from '@rockpool/contracts';
import { jobPaths, type JobNumberRecord, type JobRecord } from './job-records.js';

const pageSize = 200;
const atOnce = 8;

/**
 * Deletes jobs that ended before a tenant's plan keeps them, each with its steps and its number, or not at all. What is open stays, as does what has not said its result
 * yet, and a builder whose manager is open. Repeats do no harm, and what a crash left is found again.
 */
export class JobRetention {
  constructor(private readonly documents: Documents) {}

  /** Resolves with how many jobs were deleted that ended before that time (epoch milliseconds), or those it came to before the signal. */
  async run(tenantId: TenantId, before: number, signal: AbortSignal): Promise<number> {
    let forgotten = 0;
    let cursor: string | undefined;
    do {
      const page = await this.documents.query<JobRecord>({
        from: { collection: jobPaths.jobs(tenantId) },
        where: { open: false },
        range: { field: 'createdAt', lt: before },
        orderBy: { field: 'createdAt' },
        limit: pageSize,
        ...(cursor && { cursor }),
      });
      const waiting = page.items.filter(({ data }) => isOver(data, before));
      const work = async () => {
        for (let job = waiting.shift(); job && !signal.aborted; job = waiting.shift()) if (await this.forget(job, before)) forgotten++;
      };
      await Promise.all(Array.from({ length: atOnce }, work));
      cursor = page.nextCursor;
    } while (cursor !== undefined && !signal.aborted);
    return forgotten;
  }

  /** False when somebody has it go on, or it is needed still. */
  private forget({ path }: Document<JobRecord>, before: number): Promise<boolean> {
    return this.documents.transaction(async (transaction) => {
      const job = (await transaction.get<JobRecord>(path))?.data;
      if (!job || !isOver(job, before)) return false;
      const { tenantId, jobId, label, parent } = job;
      if (parent && (await transaction.get<JobRecord>(jobPaths.job(tenantId, parent.jobId)))?.data.open) return false;
      const number = parent ? undefined : await this.numberOf(tenantId, Number(label));
      // Their paths follow from how many there are: no need to read what may be large.
      for (let n = 1; n <= job.steps; n++) transaction.delete(jobPaths.step(tenantId, jobId, n));
      transaction.delete(jobPaths.signal(tenantId, jobId));
      if (number !== undefined) transaction.delete(number);
      transaction.delete(path);
      return true;
    });
  }

  /** Where its number stands; `undefined` for the highest, which stays so that the next job has another. */
  private async numberOf(tenantId: TenantId, n: number): Promise<string | undefined> {
    const { items } = await this.documents.query<JobNumberRecord>({
      from: { collection: jobPaths.numbers(tenantId) },
      orderBy: { field: 'n', direction: 'desc' },
      limit: 1,
    });
    return (items[0]?.data.n ?? 0) > n ? jobPaths.number(tenantId, n) : undefined;
  }
}

function isOver({ open, unsettled, finishedAt, createdAt }: JobRecord, before: number): boolean {
  return !open && !unsettled && (finishedAt ?? createdAt) < before;
}
