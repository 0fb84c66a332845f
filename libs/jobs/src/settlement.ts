import type { Documents } from '@rockpool/cloud';
import { crashPoint, isTerminal } from '@rockpool/contracts';
import type { Builders } from './builders.js';
import type { Clock } from './clock.js';
import type { JobClaims } from './job-claims.js';
import type { JobOutcomes } from './job-outcomes.js';
import type { JobPlaces } from './job-places.js';
import { jobPaths, type JobRecord } from './job-records.js';
import { ended, type Ending } from './job-states.js';
import { cutOpenStep } from './open-step.js';

/** Told of what went wrong without anybody failing for it. */
export type OnJobWarning = (message: string, error: unknown, job: JobRecord) => void;

/** A cancelled job's signal is read within moments or never. */
const signalKeptMs = 3_600_000;

/** Ends jobs from outside, and sees to what follows from the end of any. */
export class Settlement {
  constructor(
    private readonly documents: Documents,
    private readonly claims: JobClaims,
    private readonly places: JobPlaces,
    private readonly builders: Builders,
    private readonly outcomes: JobOutcomes,
    private readonly options: { readonly clock: Clock; readonly onWarning: OnJobWarning },
  ) {}

  /**
   * Ends an open job, whoever holds it: that one can write nothing any more, and its step is told to stop. `unless` is asked in the transaction. Resolves with the
   * job as it is then; `undefined` when there is none.
   */
  async end(
    { tenantId, jobId }: Pick<JobRecord, 'tenantId' | 'jobId'>,
    ending: Ending,
    options: { readonly quiet?: boolean; readonly unless?: (job: JobRecord) => boolean } = {},
  ): Promise<JobRecord | undefined> {
    const path = jobPaths.job(tenantId, jobId);
    const [before, after] = await this.documents.transaction(async (transaction) => {
      const job = (await transaction.get<JobRecord>(path))?.data;
      if (!job?.open || options.unless?.(job)) return [job, job];
      const leave = await this.places.leave(transaction, job);
      const now = this.options.clock.now();
      const cutStep = await cutOpenStep(transaction, job, now);
      const closed: JobRecord = { ...ended(job, ending, now), ...(options.quiet && { quiet: true }) };
      transaction.set(path, closed);
      cutStep();
      if (job.lease) {
        transaction.set(jobPaths.signal(tenantId, jobId), { fence: job.lease.token, at: now }, { expireAt: new Date(now + signalKeptMs) });
      }
      leave();
      return [job, closed];
    });
    if (!after || before === after) return after;
    crashPoint('after-job-end-before-outcome');
    if (before?.place) await this.claims.letInNext(before, before.place);
    await this.settle(after);
    return after;
  }

  /** Sees to what a job that ended, or asks something, leaves to be done. Everything in here bears being repeated, so a crash leaves it to the next sweep. */
  async settle(job: JobRecord): Promise<void> {
    if (!job.open) {
      for (const builder of await this.builders.openOf(job))
        await this.end(builder, {
          state: 'cancelled',
          reason: `the job it was for ${job.state === 'cancelled' ? 'was cancelled' : 'has ended'}`,
        });
      if (job.parent) await this.afterEndOf(job);
    }
    // Of a builder's end its manager hears; what it asks, a person.
    if (job.quiet) await this.outcomes.changed(job);
    else if (!job.parent || job.open) await this.tell(job);
    crashPoint('after-outcome-before-settled');
    const path = jobPaths.job(job.tenantId, job.jobId);
    await this.documents.transaction(async (transaction) => {
      const now = (await transaction.get<JobRecord>(path))?.data;
      // What came since is settled by whoever made it so.
      if (now?.unsettled && now.slice === job.slice && now.state === job.state) transaction.set(path, { ...now, unsettled: false });
    });
  }

  private async afterEndOf(builder: JobRecord): Promise<void> {
    const { swept, manager } = await this.builders.afterEndOf(builder);
    for (const job of swept) await this.settle(job);
    if (!manager) return;
    await this.outcomes.changed(manager).catch((error: unknown) => this.options.onWarning('progress could not be shown', error, manager));
  }

  private async tell(job: JobRecord): Promise<void> {
    try {
      if (!job.open) await this.outcomes.ended(job);
      else if (job.waiting && 'question' in job.waiting && job.waiting.question) await this.outcomes.asks(job);
    } catch (error) {
      if (!isTerminal(error)) throw error;
      this.options.onWarning('what a job has to say can never be said', error, job);
    }
  }
}
