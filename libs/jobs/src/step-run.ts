import type { Json } from '@rockpool/cloud';
import { codeOf, crashPoint, InvalidInput, isRockpoolError, isTerminal, outcomeOf } from '@rockpool/contracts';
import { waitUntil, type Clock } from './clock.js';
import type { JobHold } from './job-hold.js';
import type { StepAction, StepContext } from './job-kind.js';
import { jobPaths, type JobSpent, type StepRecord, type StepState } from './job-records.js';
import { remainingOf } from './job-states.js';
import { sized } from './json-size.js';
import { inSpan } from './spans.js';

/** What a try of a step came to. `again`: it is on record that another one follows, not before `at`. `interrupted`: the process is ending. */
export type StepResult =
  | { readonly kind: 'ended' | 'unknown'; readonly step: StepRecord }
  | { readonly kind: 'again'; readonly step: StepRecord; readonly at: number }
  | { readonly kind: 'interrupted' };

/** Bounds of a slice. `signal`: the process is ending. `endsAt`: nothing may run any longer then. */
export interface SliceBounds {
  readonly signal: AbortSignal;
  readonly endsAt: number;
}

/** What came before a try. `resumed`: a try that is on record as begun was cut short by the death of its process. `before`: the steps that have ended. */
interface StepPast {
  readonly resumed: boolean;
  readonly before: readonly StepRecord[];
}

type Spent = { tokens: number; costUsd: number };

const defaultTimeoutMs = 5 * 60_000;
const longestTimeoutMs = 20 * 60_000;
const defaultMaxAttempts = 5;
const longestBackoffMs = 60_000;
/** For the end of what must not be done twice, within the ten seconds that a process has. */
const askGraceMs = 5_000;

/** How long one try may take. */
export function timeoutOf(action: StepAction): number {
  return Math.min(action.timeoutMs ?? defaultTimeoutMs, longestTimeoutMs);
}

/** Tries of one kind of step: on record before it begins, and with what came of it before anything else begins. */
export class StepRun {
  constructor(
    private readonly hold: JobHold,
    private readonly clock: Clock,
  ) {}

  /** Makes one try. Rejects with `stale_lease` when the job was lost. */
  async try(step: StepRecord, action: StepAction, past: StepPast, bounds: SliceBounds): Promise<StepResult> {
    const { resumed } = past;
    const maxAttempts = action.maxAttempts ?? defaultMaxAttempts;
    if (resumed && action.repeat === 'ask') return this.unknown(step, new Error('the process died while it was being done'), undefined);
    if (resumed && step.attempts >= maxAttempts) {
      return this.end(step, 'failed', { error: { code: 'terminal', message: `the process died in each of ${step.attempts} tries` } });
    }
    const begun: StepRecord = { ...step, state: 'running', attempts: step.attempts + 1 };
    crashPoint('before-step-record');
    await this.record(begun);
    crashPoint('after-step-record');
    const spent: Spent = { tokens: 0, costUsd: 0 };
    let output: Json;
    try {
      output = await this.run(begun, action, past, bounds, spent);
    } catch (error) {
      // Lost: nothing can be written, and whoever has the job now decides.
      if (this.hold.signal.aborted) throw this.hold.signal.reason;
      if (action.repeat === 'ask' && mayBeDone(error)) return this.unknown(begun, error, spent);
      if (bounds.signal.aborted && !isTerminal(error)) {
        // Not its fault, so not a try.
        await this.record({ ...begun, state: 'retrying', attempts: step.attempts }, spent);
        return { kind: 'interrupted' };
      }
      if (isTerminal(error) || begun.attempts >= maxAttempts) return this.end(begun, 'failed', { error: errorOf(error), spent });
      return this.again(begun, error, spent);
    }
    crashPoint('after-step-before-record');
    return this.end(begun, 'succeeded', { output, spent });
  }

  /** Ends a step, and puts what it used up on the job's account. */
  async end(step: StepRecord, state: StepState, more: Partial<Pick<StepRecord, 'output' | 'error' | 'spent'>>): Promise<StepResult> {
    const spent = sum(step.spent, more.spent);
    const ended: StepRecord = { ...step, ...more, ...(spent && { spent }), state, finishedAt: this.clock.now() };
    await this.record(ended, more.spent);
    crashPoint('after-step-end');
    return { kind: 'ended', step: ended };
  }

  /** Waits for the next try here when that is soon. False: it is too long a wait for a process. */
  async pause(at: number, patienceMs: number, bounds: SliceBounds): Promise<boolean> {
    if (at - this.clock.now() > patienceMs || at > bounds.endsAt) return false;
    await waitUntil(this.clock, at, AbortSignal.any([this.hold.signal, bounds.signal])).catch(() => this.hold.signal.throwIfAborted());
    return true;
  }

  /** Runs the action until it is done, or until something ends it: the loss of the job, the end of the process, its own time, or the job's. */
  private async run(step: StepRecord, action: StepAction, { before }: StepPast, bounds: SliceBounds, spent: Spent): Promise<Json> {
    const { job } = this.hold;
    const now = this.clock.now();
    const timeoutMs = Math.min(timeoutOf(action), bounds.endsAt - now, job.deadlineAt - now);
    const timeout = new AbortController();
    const stopTimer = this.clock.wake(now + timeoutMs, () =>
      timeout.abort(new Error(`it took longer than ${Math.round(timeoutMs / 1000)} s`)),
    );
    const ending = new AbortController();
    let stopGrace: () => void = () => undefined;
    const end = (): void => {
      // What must not be done twice is given a moment to be done once.
      if (action.repeat !== 'ask') ending.abort(bounds.signal.reason);
      else stopGrace = this.clock.wake(this.clock.now() + askGraceMs, () => ending.abort(bounds.signal.reason));
    };
    bounds.signal.addEventListener('abort', end, { once: true });
    if (bounds.signal.aborted) end();
    const signal = AbortSignal.any([this.hold.signal, ending.signal, timeout.signal]);
    const attributes = {
      'rockpool.job.id': job.jobId,
      'rockpool.job.step': step.n,
      'rockpool.job.step.name': step.name,
      'rockpool.job.step.attempt': step.attempts,
    };
    try {
      return await inSpan('job step', attributes, async () => {
        const output = await unlessAborted(action.run(step.input, this.contextOf(step, before, signal, spent)), signal);
        return sized('what the step made', output);
      });
    } finally {
      stopTimer();
      stopGrace();
      bounds.signal.removeEventListener('abort', end);
    }
  }

  private contextOf(step: StepRecord, before: readonly StepRecord[], signal: AbortSignal, spent: Spent): StepContext {
    const { job } = this.hold;
    return {
      tenantId: job.tenantId,
      jobId: job.jobId,
      ...(job.conversationId && { conversationId: job.conversationId }),
      job,
      before,
      step: step.n,
      attempt: step.attempts,
      idempotencyKey: step.idempotencyKey,
      signal,
      remaining: remainingOf(job),
      spend: ({ tokens = 0, costUsd = 0 }) => {
        if (!(tokens >= 0 && costUsd >= 0)) throw new InvalidInput('what a step uses up is not negative');
        spent.tokens += tokens;
        spent.costUsd += costUsd;
      },
      progress: (text, fraction) => this.hold.progress(text, fraction),
    };
  }

  private async again(step: StepRecord, error: unknown, spent: StepRecord['spent']): Promise<StepResult> {
    const outcome = outcomeOf(error);
    const asked = outcome.kind === 'retry' ? (outcome.afterMs ?? 0) : 0;
    const at = this.clock.now() + Math.max(asked, Math.min(longestBackoffMs, 1_000 * 2 ** (step.attempts - 1)));
    const retrying: StepRecord = { ...step, state: 'retrying', error: errorOf(error), ...withSpent(step, spent) };
    await this.record(retrying, spent);
    return { kind: 'again', step: retrying, at };
  }

  private async unknown(step: StepRecord, error: unknown, spent: StepRecord['spent']): Promise<StepResult> {
    const unknown: StepRecord = {
      ...step,
      state: 'unknown',
      error: { code: 'outcome_unknown', message: errorOf(error).message },
      ...withSpent(step, spent),
    };
    await this.record(unknown, spent);
    return { kind: 'unknown', step: unknown };
  }

  private async record(step: StepRecord, spent?: StepRecord['spent']): Promise<void> {
    await this.hold.write((job, transaction) => {
      transaction.set(jobPaths.step(job.tenantId, job.jobId, step.n), step);
      const { waiting: _, ...rest } = job;
      const isNew = step.n > job.steps;
      const account: JobSpent = {
        tokens: job.spent.tokens + (spent?.tokens ?? 0),
        costUsd: job.spent.costUsd + (spent?.costUsd ?? 0),
        steps: job.spent.steps + (isNew ? 1 : 0),
      };
      return { ...rest, steps: Math.max(job.steps, step.n), spent: account, stumbles: 0 };
    });
  }
}

/** Whether what was thrown leaves open that it was done. `RetryLater` and terminal errors say that it was not. */
function mayBeDone(error: unknown): boolean {
  if (codeOf(error) === 'outcome_unknown') return true;
  return !isTerminal(error) && !(isRockpoolError(error) && 'afterMs' in error);
}

function errorOf(error: unknown): { code: string; message: string } {
  return { code: codeOf(error), message: (error instanceof Error ? error.message : String(error)).slice(0, 2_000) };
}

function sum(one: StepRecord['spent'], other: StepRecord['spent']): StepRecord['spent'] {
  return one || other
    ? { tokens: (one?.tokens ?? 0) + (other?.tokens ?? 0), costUsd: (one?.costUsd ?? 0) + (other?.costUsd ?? 0) }
    : undefined;
}

function withSpent(step: StepRecord, spent: StepRecord['spent']): Pick<StepRecord, 'spent'> {
  const total = sum(step.spent, spent);
  return total ? { spent: total } : {};
}

/** Rejects as soon as the signal aborts, whether or not the work listens; what a deaf one says later is not heard. */
async function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
