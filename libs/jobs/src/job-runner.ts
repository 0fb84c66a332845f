import type { Documents, Json, Transaction } from '@rockpool/cloud';
import { codeOf, crashPoint, InvalidInput, isTerminal, type RunJobSlice } from '@rockpool/contracts';
import { checkDelegation, type Builders } from './builders.js';
import type { Clock } from './clock.js';
import type { JobClaims, JobClaimResult } from './job-claims.js';
import { JobHold } from './job-hold.js';
import type { JobOutcomes } from './job-outcomes.js';
import type { Decision, JobKind, JobKinds, StepAction } from './job-kind.js';
import { idempotencyKeyOf, isEnded, jobPaths, type JobRecord, type StepRecord, type Waiting } from './job-records.js';
import { ended, exhausted, readyNow, shownEveryMs, waitingFor, type Ending } from './job-states.js';
import { sized } from './json-size.js';
import { cutOpenStep } from './open-step.js';
import type { OnJobWarning, Settlement } from './settlement.js';
import { inSpan, startedBy } from './spans.js';
import { StepRun, timeoutOf, type SliceBounds } from './step-run.js';

/** What became of a slice. The task is done with all of them but `held` and `given-back`: those come again, the former not before its time. */
export type SliceResult =
  | Exclude<JobClaimResult, { kind: 'claimed' }>
  | { readonly kind: 'ended'; readonly state: JobRecord['state'] }
  /** Another slice goes on; its task exists. */
  | { readonly kind: 'handed-over' }
  /** The job was cancelled, or taken over by somebody. */
  | { readonly kind: 'superseded' }
  /** The process is ending; nothing is lost but the step's try. */
  | { readonly kind: 'given-back' };

/** Time at the end of a slice for what must be written. */
const reserveMs = 15_000;
/** A wait that is not worth letting go of the job for. */
const patienceMs = 5_000;
const maxStumbles = 5;

interface Slice {
  readonly hold: JobHold;
  readonly run: StepRun;
  readonly kind: JobKind;
  readonly bounds: SliceBounds;
  readonly steps: StepRecord[];
  /** Steps ended in this slice. */
  progress: number;
}

/** Works on jobs, slice by slice. Any number of runners may work side by side on one engine. */
export class JobRunner {
  constructor(
    private readonly documents: Documents,
    private readonly claims: JobClaims,
    private readonly builders: Builders,
    private readonly settlement: Settlement,
    private readonly kinds: JobKinds,
    private readonly options: { readonly clock: Clock; readonly outcomes: JobOutcomes; readonly onWarning: OnJobWarning },
  ) {}

  /**
   * Works on the job of this task until it ends, waits, or the deadline (epoch milliseconds; the task's own at the latest) comes near. When `signal` aborts, the
   * job is given back. Rejects when storage fails: the task comes again.
   */
  async slice(task: RunJobSlice, { signal, deadline }: { signal: AbortSignal; deadline: number }): Promise<SliceResult> {
    const claimed = await this.claims.claim(task);
    if (claimed.kind !== 'claimed') return claimed;
    crashPoint('after-job-claim');
    const { job } = claimed.claim;
    const attributes = {
      'rockpool.tenant.id': job.tenantId,
      'rockpool.job.id': job.jobId,
      'rockpool.job.kind': job.kind,
      'rockpool.job.slice': job.slice,
    };
    const { claims, documents, options } = this;
    return inSpan(
      'job slice',
      attributes,
      async () => {
        const hold = await JobHold.begin(claimed.claim, { claims, documents, ...options });
        try {
          return await this.work(hold, { signal, endsAt: deadline - reserveMs });
        } catch (error) {
          if (codeOf(error) === 'stale_lease') return { kind: 'superseded' };
          throw error;
        } finally {
          await hold.end();
        }
      },
      startedBy(job.traceparent),
    );
  }

  private async work(hold: JobHold, bounds: SliceBounds): Promise<SliceResult> {
    const kind = this.kinds.get(hold.job.kind);
    if (!kind) return this.stumble(hold, new Error(`there is no kind of job ${hold.job.kind} here`));
    const slice: Slice = {
      hold,
      run: new StepRun(hold, this.options.clock),
      kind,
      bounds,
      steps: await this.stepsOf(hold.job),
      progress: 0,
    };
    for (;;) {
      hold.signal.throwIfAborted();
      if (bounds.signal.aborted) return this.giveBack(hold);
      const now = this.options.clock.now();
      if (now >= hold.job.deadlineAt) return this.finish(hold, { state: 'failed', reason: 'it was not done by its deadline' });
      if (now >= bounds.endsAt) return this.handOver(hold);
      const last = slice.steps.at(-1);
      const left = last && !isEnded(last) ? await this.continue(slice, last) : await this.begin(slice);
      if (left) return left;
    }
  }

  /** Asks the kind what comes next and begins it. Resolves with a result when the slice is over. */
  private async begin(slice: Slice): Promise<SliceResult | undefined> {
    const { hold, kind, steps } = slice;
    let decision: Decision;
    try {
      decision = await kind.next({ job: hold.job, steps, now: this.options.clock.now() });
      check(decision, hold.job);
    } catch (error) {
      if (isTerminal(error)) return this.finish(hold, { state: 'failed', reason: (error as Error).message });
      return this.stumble(hold, error);
    }
    if (decision.do === 'succeed') return this.finish(hold, { state: 'succeeded', result: decision.result });
    if (decision.do === 'fail') return this.finish(hold, { state: 'failed', reason: decision.reason });
    const reason = exhausted(hold.job);
    if (reason) return this.finish(hold, { state: 'failed', reason });
    const step = this.stepOf(hold.job, steps.length + 1, decision);
    if (step.kind === 'act') return this.act(slice, step, false);
    crashPoint('before-step-record');
    await this.record(slice, step);
    crashPoint('after-step-record');
    return this.continue(slice, step);
  }

  /** Goes on with the step that has not ended. */
  private async continue(slice: Slice, step: StepRecord): Promise<SliceResult | undefined> {
    const now = this.options.clock.now();
    switch (step.kind) {
      case 'act':
        return step.state === 'unknown' ? this.unclear(slice, step) : this.act(slice, step, step.state === 'running');
      case 'wait': {
        const until = step.input as number;
        return now >= until ? this.ended(slice, step, null) : this.wait(slice.hold, { for: 'time', until });
      }
      case 'message': {
        const { question, until } = step.input as { question?: string; until?: number };
        if (until !== undefined && now >= until) return this.ended(slice, step, null);
        return this.wait(slice.hold, { for: 'message', ...(question && { question }), ...(until !== undefined && { until }) });
      }
      case 'delegate':
        return this.delegate(slice, step);
    }
  }

  private async act(slice: Slice, step: StepRecord, resumed: boolean): Promise<SliceResult | undefined> {
    const { hold, run, bounds, kind } = slice;
    const { clock } = this.options;
    const action: StepAction | undefined = kind.action(step.name, hold.job);
    if (!action) {
      const error = { code: 'not_found', message: `there is no action ${step.name}` };
      const failed = await run.end(step, 'failed', { error });
      if (failed.kind === 'ended') this.remember(slice, failed.step);
      return undefined;
    }
    // A try that this slice would cut short is left to the next one, which has all its time for it.
    if (slice.progress > 0 && clock.now() + timeoutOf(action) > bounds.endsAt) return this.handOver(hold);
    const result = await run.try(step, action, { resumed, before: slice.steps.slice(0, step.n - 1) }, bounds);
    switch (result.kind) {
      case 'ended':
        this.remember(slice, result.step);
        return undefined;
      case 'unknown':
        this.remember(slice, result.step);
        return this.unclear(slice, result.step);
      case 'again':
        this.remember(slice, result.step);
        if (await run.pause(result.at, patienceMs, bounds)) return undefined;
        return this.wait(hold, { for: 'retry', until: result.at });
      case 'interrupted':
        return this.giveBack(hold);
    }
  }

  /** Nobody knows whether the step was done. A person is asked where there is one; else the job sees a step that failed for that reason. */
  private async unclear(slice: Slice, step: StepRecord): Promise<SliceResult | undefined> {
    const { job } = slice.hold;
    if (job.conversationId && !job.parent) {
      const question = `Step ${step.n} (${step.name}) may or may not have been done: ${step.error?.message ?? 'nobody knows'}.`;
      return this.wait(slice.hold, { for: 'decision', question });
    }
    return this.ended(slice, step, undefined);
  }

  private async delegate(slice: Slice, step: StepRecord): Promise<SliceResult | undefined> {
    const { hold } = slice;
    for (const swept of await this.builders.begin(hold.job, step)) await this.settlement.settle(swept);
    crashPoint('after-builders-before-wait');
    const done = await this.builders.results(this.documents, hold.job, step);
    if (done) {
      const ended = await slice.run.end(step, 'succeeded', { output: done.results as unknown as Json, spent: done.spent });
      if (ended.kind === 'ended') this.remember(slice, ended.step);
      return undefined;
    }
    const released = await this.release(hold, async (job, transaction) => {
      // In one transaction: the last builder to end either is seen here, or finds its manager waiting.
      const now = this.options.clock.now();
      const results = await this.builders.results(transaction, job, step);
      return results ? readyNow(job, now) : waitingFor(job, { for: 'builders' }, now);
    });
    return { kind: released.state === 'waiting' ? 'waiting' : 'handed-over' };
  }

  private async ended(slice: Slice, step: StepRecord, output: Json | undefined): Promise<undefined> {
    const result = await slice.run.end(step, output === undefined ? 'failed' : 'succeeded', output === undefined ? {} : { output });
    if (result.kind === 'ended') this.remember(slice, result.step);
  }

  private async wait(hold: JobHold, waiting: Waiting): Promise<SliceResult> {
    const asks = 'question' in waiting && waiting.question !== undefined;
    const job = await this.release(hold, (current) => {
      // A bridged wait goes on; what it asks was asked before.
      const isNew = asks && current.waiting?.for !== waiting.for;
      return { ...waitingFor(current, waiting, this.options.clock.now()), ...(isNew && { unsettled: true }) };
    });
    if (job.unsettled) await this.settlement.settle(job);
    else if (hold.isBehind && job.dueAt - this.options.clock.now() > shownEveryMs) await this.show(job);
    return { kind: 'waiting' };
  }

  /** Lets go of the job, with what was said of its progress. */
  private release(hold: JobHold, amend: (job: JobRecord, transaction: Transaction) => JobRecord | Promise<JobRecord>): Promise<JobRecord> {
    return this.claims.release(hold.claim, (job, transaction) => amend({ ...job, ...hold.unstored }, transaction));
  }

  private async show(job: JobRecord): Promise<void> {
    await this.options.outcomes.changed(job).catch((error: unknown) => this.options.onWarning('progress could not be shown', error, job));
  }

  private async handOver(hold: JobHold): Promise<SliceResult> {
    await this.release(hold, (job) => readyNow(job, this.options.clock.now()));
    return { kind: 'handed-over' };
  }

  /** The task that is under way comes again and finds the job free. */
  private async giveBack(hold: JobHold): Promise<SliceResult> {
    await this.release(hold, (job) => ({ ...job, state: 'queued', dueAt: this.options.clock.now() }));
    return { kind: 'given-back' };
  }

  private async finish(hold: JobHold, ending: Ending): Promise<SliceResult> {
    const job = await this.release(hold, async (current, transaction) => {
      const now = this.options.clock.now();
      (await cutOpenStep(transaction, current, now))();
      return ended(current, ending, now);
    });
    crashPoint('after-job-end-before-outcome');
    await this.settlement.settle(job);
    return { kind: 'ended', state: job.state };
  }

  /** A fault that is not a step's: tried again later, and not for ever. */
  private async stumble(hold: JobHold, error: unknown): Promise<SliceResult> {
    const stumbles = hold.job.stumbles + 1;
    this.options.onWarning('a job could not go on', error, hold.job);
    const reason = `it could not go on: ${error instanceof Error ? error.message : String(error)}`;
    if (stumbles >= maxStumbles) return this.finish(hold, { state: 'failed', reason });
    const now = this.options.clock.now();
    await this.release(hold, (job) => ({
      ...waitingFor(job, { for: 'retry', until: now + 1_000 * 4 ** stumbles }, now),
      stumbles,
    }));
    return { kind: 'waiting' };
  }

  private stepOf(job: JobRecord, n: number, decision: Exclude<Decision, { do: 'succeed' | 'fail' }>): StepRecord {
    const what = kindOfStep(decision);
    return {
      ...what,
      n,
      state: what.kind === 'act' ? 'running' : 'waiting',
      attempts: 0,
      idempotencyKey: idempotencyKeyOf(job.tenantId, job.jobId, n),
      startedAt: this.options.clock.now(),
    };
  }

  private async record(slice: Slice, step: StepRecord): Promise<void> {
    await slice.hold.write((job, transaction) => {
      transaction.set(jobPaths.step(job.tenantId, job.jobId, step.n), step);
      return { ...job, steps: step.n, spent: { ...job.spent, steps: job.spent.steps + 1 }, stumbles: 0 };
    });
    this.remember(slice, step);
  }

  private remember(slice: Slice, step: StepRecord): void {
    slice.steps[step.n - 1] = step;
    if (isEnded(step)) slice.progress++;
  }

  private async stepsOf({ tenantId, jobId }: JobRecord): Promise<StepRecord[]> {
    const steps: StepRecord[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.documents.query<StepRecord>({
        from: { collection: jobPaths.steps(tenantId, jobId) },
        limit: 1000,
        ...(cursor && { cursor }),
      });
      steps.push(...page.items.map(({ data }) => data));
      cursor = page.nextCursor;
    } while (cursor);
    return steps;
  }
}

/** Refuses what could not be stored, or would never be over. */
function check(decision: Decision, job: JobRecord): void {
  switch (decision.do) {
    case 'act':
      sized(`the input of ${decision.action}`, decision.input);
      return;
    case 'wait':
    case 'ask':
      if (decision.until !== undefined && !Number.isFinite(decision.until)) throw new InvalidInput('the time to wait for is not a time');
      return;
    case 'delegate':
      return checkDelegation(job, decision.builders);
    case 'succeed':
      sized('the result', decision.result);
      return;
    case 'fail':
      return;
  }
}

function kindOfStep(decision: Exclude<Decision, { do: 'succeed' | 'fail' }>): Pick<StepRecord, 'kind' | 'name' | 'input'> {
  switch (decision.do) {
    case 'act':
      return { kind: 'act', name: decision.action, input: decision.input };
    case 'wait':
      return { kind: 'wait', name: 'wait', input: decision.until };
    case 'ask':
      return { kind: 'message', name: 'message', input: { question: decision.question, until: decision.until } };
    case 'delegate':
      return { kind: 'delegate', name: 'delegate', input: decision.builders as unknown as Json };
  }
}
