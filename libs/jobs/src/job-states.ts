import type { Json } from '@rockpool/cloud';
import type { JobBudget, JobRecord, Waiting } from './job-records.js';
import { longestAheadMs } from './job-tasks.js';

/** How a job ends. */
export type Ending =
  { readonly state: 'succeeded'; readonly result: Json } | { readonly state: 'failed' | 'cancelled'; readonly reason: string };

const longestReason = 2_000;
/** People are shown how far it is no more often: an edit counts as a message where a channel limits those. */
export const shownEveryMs = 5_000;

/** The job as it is for ever, but for an operator's retry. Whoever held it holds nothing any more. */
export function ended(job: JobRecord, ending: Ending, now: number): JobRecord {
  const { lease: _, place: __, line: ___, stood: ____, waiting: _____, blocked: ______, ...rest } = job;
  const reason = 'reason' in ending && { reason: ending.reason.slice(0, longestReason) };
  return { ...rest, ...ending, ...reason, open: false, unsettled: true, fence: job.fence + 1, finishedAt: now, updatedAt: now };
}

/** The job with a task of its own to come, at once, which supersedes all earlier ones. */
export function readyNow(job: JobRecord, now: number): JobRecord {
  const { line: _, ...rest } = job;
  return { ...rest, state: 'queued', slice: job.slice + 1, dueAt: now, updatedAt: now };
}

/** The job waiting, with a task to come when that is over, or when its time is. */
export function waitingFor(job: JobRecord, waiting: Waiting, now: number): JobRecord {
  const until = ('until' in waiting && waiting.until) || job.deadlineAt;
  const dueAt = Math.max(now, Math.min(until, job.deadlineAt, now + longestAheadMs));
  return { ...job, state: 'waiting', waiting, slice: job.slice + 1, dueAt, updatedAt: now };
}

/** Whether the job may go on, as far as time decides that. What ends otherwise takes `waiting` off the record. */
export function isWaitOver({ waiting, deadlineAt }: JobRecord, now: number): boolean {
  if (!waiting || now >= deadlineAt) return true;
  return 'until' in waiting && waiting.until !== undefined && now >= waiting.until;
}

/** What is left of the budget; never below zero. */
export function remainingOf({ budget, spent }: JobRecord): JobBudget {
  const left = (limit: number | undefined, used: number) => (limit === undefined ? undefined : Math.max(0, limit - used));
  return {
    ...(budget.tokens !== undefined && { tokens: left(budget.tokens, spent.tokens) }),
    ...(budget.costUsd !== undefined && { costUsd: left(budget.costUsd, spent.costUsd) }),
    ...(budget.steps !== undefined && { steps: left(budget.steps, spent.steps) }),
  };
}

/** Which limit is reached, for people; `undefined` when none is. */
export function exhausted(job: JobRecord): string | undefined {
  const { tokens, costUsd, steps } = remainingOf(job);
  if (tokens === 0) return `its budget of ${job.budget.tokens} tokens is used up`;
  if (costUsd === 0) return `its budget of $${job.budget.costUsd} is used up`;
  if (steps === 0) return `it took all of its ${job.budget.steps} steps`;
  return undefined;
}

/** Whether people may be shown now how far it is. */
export function isShownAt({ shownAt = 0 }: JobRecord, now: number): boolean {
  return now - shownAt >= shownEveryMs;
}
