import type { Documents, Transaction } from '@rockpool/cloud';
import { codeOf, StaleLease } from '@rockpool/contracts';
import type { Clock } from './clock.js';
import type { JobClaim, JobClaims } from './job-claims.js';
import type { JobOutcomes } from './job-outcomes.js';
import { jobPaths, type JobProgress, type JobRecord } from './job-records.js';
import { isShownAt, shownEveryMs } from './job-states.js';
import type { OnJobWarning } from './settlement.js';

const progressEveryMs = 1_000;
const longestProgress = 1_000;

/** What a hold needs besides its claim. */
export interface JobHoldNeeds {
  readonly claims: JobClaims;
  readonly documents: Documents;
  readonly outcomes: JobOutcomes;
  readonly clock: Clock;
  readonly onWarning: OnJobWarning;
}

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
  #showing: Promise<void> = Promise.resolve();
  /** What was stored and not shown yet. */
  #unshown: JobProgress | undefined;
  #callOffShow: (() => void) | undefined;
  readonly #lost = new AbortController();

  private constructor(
    readonly claim: JobClaim,
    private readonly needs: JobHoldNeeds,
  ) {
    this.#job = claim.job;
    this.signal = this.#lost.signal;
  }

  static async begin(claim: JobClaim, needs: JobHoldNeeds): Promise<JobHold> {
    const { claims, documents, clock } = needs;
    const hold = new JobHold(claim, needs);
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
    this.#job = await this.needs.claims.fenced(this.claim, (transaction, job) => {
      const changed = { ...change(job, transaction), updatedAt: this.needs.clock.now() };
      transaction.set(jobPaths.job(job.tenantId, job.jobId), changed);
      return changed;
    });
  }

  /** Stores the newest, once a second at most: what comes in between replaces what waits. */
  progress(text: string, fraction?: number): void {
    const now = this.needs.clock.now();
    this.#progress = { text: text.slice(0, longestProgress), ...(fraction !== undefined && { fraction }), at: now };
    if (this.#callOffProgress || this.#ended) return;
    this.#callOffProgress = this.needs.clock.wake(Math.max(now, this.#progressAgainAt), () => {
      this.#callOffProgress = undefined;
      this.#progressAgainAt = this.needs.clock.now() + progressEveryMs;
      this.#writingProgress = this.#writeProgress();
    });
  }

  /** The newest that was said of its progress and is not on record yet: to be put there by whoever lets go of the job. */
  get unstored(): Pick<JobRecord, 'progress'> {
    return this.#callOffProgress && this.#progress ? { progress: this.#progress } : {};
  }

  /** Whether people were not shown the newest. */
  get isBehind(): boolean {
    return this.#callOffProgress !== undefined || this.#unshown !== undefined;
  }

  async end(): Promise<void> {
    this.#ended = true;
    this.#callOffHeartbeat();
    this.#callOffProgress?.();
    this.#callOffShow?.();
    this.#unwatch();
    await this.#writingProgress;
    await this.#showing;
  }

  async #writeProgress(): Promise<void> {
    const progress = this.#progress;
    if (!progress || this.#ended) return;
    const now = this.needs.clock.now();
    try {
      // Also over slices: a job that waits a little and goes on is not shown more often for that.
      await this.write((job) => ({ ...job, progress, ...(isShownAt(job, now) && { shownAt: now }) }));
    } catch (error) {
      if (codeOf(error) !== 'stale_lease') this.needs.onWarning('progress could not be stored', error, this.#job);
      return;
    }
    this.#unshown = progress;
    if (this.#job.shownAt === now) this.#show();
    else this.#callOffShow ??= this.needs.clock.wake((this.#job.shownAt ?? 0) + shownEveryMs, () => this.#showLater());
  }

  /** Shows what came too soon after what was shown before. */
  #showLater(): void {
    this.#callOffShow = undefined;
    if (this.#unshown && !this.#callOffProgress) this.progress(this.#unshown.text, this.#unshown.fraction);
  }

  /** Beside the work, one at a time. */
  #show(): void {
    if (this.#ended) return;
    const { outcomes, onWarning } = this.needs;
    this.#unshown = undefined;
    this.#showing = this.#showing
      .then(() => outcomes.changed(this.#job))
      .catch((error: unknown) => onWarning('progress could not be shown', error, this.#job));
  }

  #beat(validUntil: number): void {
    this.#callOffHeartbeat = this.needs.clock.wake(
      this.needs.clock.now() + this.needs.claims.leaseMs / 3,
      () => void this.#renew(validUntil),
    );
  }

  async #renew(validUntil: number): Promise<void> {
    const renewedAt = this.needs.clock.now();
    try {
      await this.needs.claims.renew(this.claim);
      if (!this.#ended) this.#beat(renewedAt + this.needs.claims.leaseMs);
    } catch (error) {
      if (this.#ended) return;
      if (codeOf(error) === 'stale_lease') return this.#lose(error);
      this.needs.onWarning('the lease of a job could not be renewed', error, this.#job);
      // Who cannot show that the job is still ours behaves as if it were not.
      if (this.needs.clock.now() >= validUntil) return this.#lose(new StaleLease('the lease ran out'));
      this.#beat(validUntil);
    }
  }

  #lose(reason: unknown): void {
    this.#lost.abort(reason);
  }
}
