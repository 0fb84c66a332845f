import type { Documents, Transaction } from '@rockpool/cloud';
import { codeOf, StaleLease } from '@rockpool/contracts';
import type { Clock } from './clock.js';
import type { JobClaim, JobClaims } from './job-claims.js';
import { jobPaths, type JobProgress, type JobRecord } from './job-records.js';

const progressEveryMs = 1_000;
const longestProgress = 1_000;

/** A claimed job while a slice works on it: kept by a heartbeat, given up the moment it is cancelled or taken over. */
export class JobHold {
  /** Aborts with `stale_lease` once the job is not ours any more. */
  readonly signal: AbortSignal;
  #job: JobRecord;
  #ended = false;
  #callOffHeartbeat: () => void = () => undefined;
  #unwatch: () => void = () => undefined;
  #progress: JobProgress | undefined;
  #writingProgress: Promise<void> = Promise.resolve();
  #callOffProgress: (() => void) | undefined;
  #progressAgainAt = 0;
  readonly #lost = new AbortController();

  private constructor(
    readonly claim: JobClaim,
    private readonly claims: JobClaims,
    private readonly clock: Clock,
    private readonly onWarning: (message: string, error: unknown, job: JobRecord) => void,
  ) {
    this.#job = claim.job;
    this.signal = this.#lost.signal;
  }

  static async begin(
    claim: JobClaim,
    claims: JobClaims,
    documents: Documents,
    clock: Clock,
    onWarning: (message: string, error: unknown, job: JobRecord) => void,
  ): Promise<JobHold> {
    const hold = new JobHold(claim, claims, clock, onWarning);
    const { tenantId, jobId } = claim.job;
    hold.#unwatch = await documents.watch<{ fence: number }>({ from: { collection: jobPaths.signals(tenantId, jobId) } }, ({ items }) => {
      // One that is left from before a retry was for an earlier holder.
      if (items.some(({ data }) => data.fence >= claim.lease.token)) hold.#lose(new StaleLease('the job was cancelled'));
    });
    hold.#beat(clock.now() + claims.leaseMs);
    return hold;
  }

  /** The job as this hold last wrote it. */
  get job(): JobRecord {
    return this.#job;
  }

  /** Writes for the job, fenced: `change` gets it as it is and says how it is to be. Rejects with `stale_lease` when it is not ours any more. */
  async write(change: (job: JobRecord, transaction: Transaction) => JobRecord): Promise<void> {
    this.#job = await this.claims.fenced(this.claim, (transaction, job) => {
      const changed = { ...change(job, transaction), updatedAt: this.clock.now() };
      transaction.set(jobPaths.job(job.tenantId, job.jobId), changed);
      return changed;
    });
  }

  /** Stores the newest, once a second at most: what comes in between replaces what waits. */
  progress(text: string, fraction?: number): void {
    const now = this.clock.now();
    this.#progress = { text: text.slice(0, longestProgress), ...(fraction !== undefined && { fraction }), at: now };
    if (this.#callOffProgress || this.#ended) return;
    this.#callOffProgress = this.clock.wake(Math.max(now, this.#progressAgainAt), () => {
      this.#callOffProgress = undefined;
      this.#progressAgainAt = this.clock.now() + progressEveryMs;
      this.#writingProgress = this.#writeProgress();
    });
  }

  async end(): Promise<void> {
    this.#ended = true;
    this.#callOffHeartbeat();
    this.#callOffProgress?.();
    this.#unwatch();
    await this.#writingProgress;
  }

  async #writeProgress(): Promise<void> {
    const progress = this.#progress;
    if (!progress || this.#ended) return;
    try {
      await this.write((job) => ({ ...job, progress }));
    } catch (error) {
      if (codeOf(error) !== 'stale_lease') this.onWarning('progress could not be stored', error, this.#job);
    }
  }

  #beat(validUntil: number): void {
    this.#callOffHeartbeat = this.clock.wake(this.clock.now() + this.claims.leaseMs / 3, () => void this.#renew(validUntil));
  }

  async #renew(validUntil: number): Promise<void> {
    const renewedAt = this.clock.now();
    try {
      await this.claims.renew(this.claim);
      if (!this.#ended) this.#beat(renewedAt + this.claims.leaseMs);
    } catch (error) {
      if (this.#ended) return;
      if (codeOf(error) === 'stale_lease') return this.#lose(error);
      this.onWarning('the lease of a job could not be renewed', error, this.#job);
      // Who cannot show that the job is still ours behaves as if it were not.
      if (this.clock.now() >= validUntil) return this.#lose(new StaleLease('the lease ran out'));
      this.#beat(validUntil);
    }
  }

  #lose(reason: unknown): void {
    this.#lost.abort(reason);
  }
}
