import { joinId, type EventId } from '@rockpool/contracts';
import type { JobRecord } from './job-records.js';

/**
 * Where what a job has to say goes. Each method may be called again for the same job: {@link outcomeEventId} and {@link questionEventId} are the same then, and what
 * was said once is not said twice. A `TerminalError` means that it can never be said: it is given up.
 */
export abstract class JobOutcomes {
  /** The job has ended: `state`, `result` and `reason` say how. Not called for builders: their managers hear of them. */
  abstract ended(job: JobRecord): Promise<void>;
  /** The job waits for an answer: `job.waiting.question`. */
  abstract asks(job: JobRecord): Promise<void>;
  /** What there is to see of the job has changed. Best effort, one at a time for each slice; the next change is told again. */
  abstract changed(job: JobRecord): Promise<void>;
}

/** The event that brings a job's end into its conversation: a pure function of the job, and of how often a person had it tried again. */
export function outcomeEventId({ jobId, retries }: JobRecord): EventId {
  return joinId('job', jobId, 'ended', retries) as EventId;
}

/** The event that brings a job's question into its conversation. */
export function questionEventId({ jobId, steps, retries }: JobRecord): EventId {
  return joinId('job', jobId, 'asks', retries, steps) as EventId;
}
