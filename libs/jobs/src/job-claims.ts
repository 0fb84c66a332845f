import type { Documents, Transaction } from '@rockpool/cloud';
import { crashPoint, StaleLease, type RunJobSlice } from '@rockpool/contracts';
import type { Clock } from './clock.js';
import { lineOf, type JobPlaces } from './job-places.js';
import { jobPaths, type JobLease, type JobRecord, type Place } from './job-records.js';
import { isWaitOver, readyNow, waitingFor } from './job-states.js';
import type { JobTasks } from './job-tasks.js';

/** How jobs are held. */
export interface JobLeaseOptions {
  /** This process, unique to this start of it. */
  readonly holder: string;
  /** A holder that was not heard of for so long has lost the job; it is heard of three times as often. Default 90 s. */
  readonly leaseMs?: number;
  /** Whether the holder of an unexpired lease can still be alive. An engine that only one process can open knows that all others are dead. Default: yes. */
  readonly mayBeAlive?: (holder: string) => boolean;
}

/** A job held by this process. */
export interface JobClaim {
  readonly job: JobRecord;
  readonly lease: JobLease;
}

/** What came of asking for a job. */
export type JobClaimResult =
  | { readonly kind: 'claimed'; readonly claim: JobClaim }
  /** The job is gone or ended, or waits for another slice's task. */
  | { readonly kind: 'duplicate' }
  /** It is not time yet; a task for then exists. */
  | { readonly kind: 'waiting' }
  /** Somebody holds it, or somebody who died did. */
  | { readonly kind: 'held'; readonly retryAfterMs: number }
  /** It waits in line for a place. */
  | { readonly kind: 'parked' };

const defaultLeaseMs = 90_000;
/** Looks for a place before the job goes back into the line: those that looked at the same moment may have taken what it saw. */
const placeTries = 4;

/** Claims of jobs: one holder at a time, fenced by a token that grows with every claim, in a place among those that run. */
export class JobClaims {
  constructor(
    private readonly documents: Documents,
    private readonly places: JobPlaces,
    private readonly tasks: JobTasks,
    private readonly options: JobLeaseOptions,
    private readonly clock: Clock,
  ) {}

  get leaseMs(): number {
    return this.options.leaseMs ?? defaultLeaseMs;
  }

  async claim(task: RunJobSlice): Promise<JobClaimResult> {
    let parked = false;
    for (let tries = 1; tries <= placeTries; tries++) {
      const refusal = this.refusalOf(task, await this.read(this.documents, task));
      if (refusal) return refusal.kind === 'waiting' ? this.waitOn(task) : refusal;
      const place = await this.places.find(task.tenantId, task.jobId);
      if (place) {
        const claimed = await this.take(task, place);
        if (claimed) return claimed;
      } else {
        if (parked) return { kind: 'parked' };
        // Before it stood in the line nobody who left a place could let it in: hence one more look.
        parked = await this.park(task);
      }
    }
    await this.park(task);
    return { kind: 'parked' };
  }

  /** Keeps the lease. Rejects with `stale_lease` when it was taken or the job has ended. */
  async renew(claim: JobClaim): Promise<void> {
    await this.fenced(claim, (transaction, job, lease) => {
      const expiresAt = this.clock.now() + this.leaseMs;
      transaction.set(this.path(job), { ...job, lease: { ...lease, expiresAt }, dueAt: expiresAt });
    });
  }

  /** Runs `write` in a transaction that fails with `stale_lease` unless this claim still holds the job. Reads come before writes. */
  async fenced<Result>(
    claim: JobClaim,
    write: (transaction: Transaction, job: JobRecord, lease: JobLease) => Result | Promise<Result>,
  ): Promise<Result> {
    return this.documents.transaction(async (transaction) => {
      const job = await this.read(transaction, claim.job);
      if (!job?.lease || job.lease.token !== claim.lease.token) {
        throw new StaleLease(`job ${claim.job.jobId} is no longer ours: lease ${claim.lease.token} is not valid any more`);
      }
      return write(transaction, job, job.lease);
    });
  }

  /**
   * Lets go of the job as `amend` says, its place included, in one transaction; then has the next one in line begin, and makes the job's own next task when there is
   * to be one. `amend` reads before `write` writes.
   */
  async release(
    claim: JobClaim,
    amend: (job: JobRecord, transaction: Transaction) => JobRecord | Promise<JobRecord>,
    write: (transaction: Transaction) => void = () => undefined,
  ): Promise<JobRecord> {
    const [before, after] = await this.fenced(claim, async (transaction, job) => {
      const leave = await this.places.leave(transaction, job);
      const { lease: _, place: __, ...free } = job;
      const amended = await amend(free, transaction);
      transaction.set(this.path(job), { ...amended, updatedAt: this.clock.now() });
      leave();
      write(transaction);
      return [job, amended];
    });
    crashPoint('after-job-before-task');
    if (after.open && after.slice !== before.slice) await this.tasks.create(after);
    if (before.place) await this.letInNext(before, before.place);
    return after;
  }

  /** Has the first who may take that place begin. */
  async letInNext({ tenantId }: Pick<JobRecord, 'tenantId'>, place: Place): Promise<void> {
    const next = await this.places.nextFor(tenantId, place);
    if (next) await this.letIn(next);
  }

  /** Takes the job out of the line, with a task that runs it now. False when it is not in the line any more. */
  async letIn(waiting: JobRecord): Promise<boolean> {
    const ready = await this.documents.transaction(async (transaction) => {
      const job = await this.read(transaction, waiting);
      if (!job?.open || job.line === undefined || job.line !== waiting.line) return undefined;
      // Should another be faster, it comes back to where it stood.
      const next: JobRecord = { ...readyNow(job, this.clock.now()), stood: job.line };
      transaction.set(this.path(job), next);
      return next;
    });
    if (ready) await this.tasks.create(ready);
    return ready !== undefined;
  }

  private refusalOf(task: RunJobSlice, job: JobRecord | undefined): Exclude<JobClaimResult, { kind: 'claimed' }> | undefined {
    if (!job?.open || job.blocked || job.slice !== task.slice) return { kind: 'duplicate' };
    const now = this.clock.now();
    if (job.lease && job.lease.expiresAt > now && (this.options.mayBeAlive?.(job.lease.holder) ?? true)) {
      return { kind: 'held', retryAfterMs: job.lease.expiresAt - now };
    }
    return isWaitOver(job, now) ? undefined : { kind: 'waiting' };
  }

  private async take(task: RunJobSlice, place: Place): Promise<JobClaimResult | undefined> {
    return this.documents.transaction(async (transaction) => {
      const job = await this.read(transaction, task);
      const refusal = this.refusalOf(task, job);
      if (refusal || !job) return refusal;
      const take = await this.places.take(transaction, job, place);
      if (!take) return undefined;
      // Of a holder that died since the place was looked for.
      const leave = await this.places.leave(transaction, job);
      const now = this.clock.now();
      const token = job.fence + 1;
      const lease: JobLease = { holder: this.options.holder, token, expiresAt: now + this.leaseMs };
      const { line: _, stood: __, ...rest } = job;
      const held: JobRecord = {
        ...rest,
        state: 'running',
        fence: token,
        lease,
        place,
        dueAt: lease.expiresAt,
        startedAt: job.startedAt ?? now,
        updatedAt: now,
      };
      leave();
      take();
      transaction.set(this.path(job), held);
      return { kind: 'claimed', claim: { job: held, lease } };
    });
  }

  /** Puts the job into the line. False when it is not this slice's any more. */
  private async park(task: RunJobSlice): Promise<boolean> {
    return this.documents.transaction(async (transaction) => {
      const job = await this.read(transaction, task);
      if (!job || this.refusalOf(task, job)) return false;
      const now = this.clock.now();
      const { lease: _, place: __, ...free } = job;
      const line = job.line ?? job.stood ?? lineOf(job, now);
      transaction.set(this.path(job), { ...free, state: 'queued', line, dueAt: job.deadlineAt, updatedAt: now });
      return true;
    });
  }

  /** A task came before its time: it bridged a part of the wait, or the clock was set back. */
  private async waitOn(task: RunJobSlice): Promise<JobClaimResult> {
    const again = await this.documents.transaction(async (transaction) => {
      const job = await this.read(transaction, task);
      if (!job?.waiting || this.refusalOf(task, job)?.kind !== 'waiting') return undefined;
      const next = waitingFor(job, job.waiting, this.clock.now());
      transaction.set(this.path(job), next);
      return next;
    });
    if (again) await this.tasks.create(again);
    return { kind: 'waiting' };
  }

  private async read(from: Documents | Transaction, { tenantId, jobId }: Pick<JobRecord, 'tenantId' | 'jobId'>) {
    return (await from.get<JobRecord>(jobPaths.job(tenantId, jobId)))?.data;
  }

  private path({ tenantId, jobId }: JobRecord): string {
    return jobPaths.job(tenantId, jobId);
  }
}
