import type { Json } from '@rockpool/cloud';
import type { ConversationId, JobId, TenantId } from '@rockpool/contracts';
import type { JobBudget, JobRecord, JobSpent, StepRecord } from './job-records.js';

/** A part of a manager's work, done by a job of its own. */
export interface BuilderSpec {
  /** Unique within the delegation: 1 to 40 of a-z, 0-9 and `-`. */
  readonly key: string;
  readonly kind: string;
  readonly title: string;
  readonly input: Json;
  /** Keys of builders whose success it waits for. It finds their results in its job's `dependencies`. */
  readonly after?: readonly string[];
  /** Inputs to try in turn when it fails: the same again is a retry, one with another model a reassignment. After the last of them it has failed. */
  readonly alternatives?: readonly Json[];
  readonly budget?: JobBudget;
  /** How long it may take. Default: as long as its manager. */
  readonly allowedMs?: number;
}

/** What came of one builder, as its manager reads it. */
export interface BuilderResult {
  readonly jobId: JobId;
  readonly state: 'succeeded' | 'failed' | 'cancelled';
  readonly attempts: number;
  readonly result?: Json;
  readonly reason?: string;
}

/** What a job does next. */
export type Decision =
  /** Runs one of the kind's actions. `input` is what it is given, now and in every later try: at most 300,000 bytes of JSON. */
  | { readonly do: 'act'; readonly action: string; readonly input: Json }
  /** Nothing runs until then. Epoch milliseconds. */
  | { readonly do: 'wait'; readonly until: number }
  /** Nothing runs until somebody tells it something. The step's output is what was said, or `null` once `until` has come. */
  | { readonly do: 'ask'; readonly question?: string; readonly until?: number }
  /** Builders run side by side, as far as they do not wait for each other; the job goes on once all have ended. The step's output is a {@link BuilderResult} by key; together they take 300,000 bytes, and results beyond an equal share are cut. */
  | { readonly do: 'delegate'; readonly builders: readonly BuilderSpec[] }
  | { readonly do: 'succeed'; readonly result: Json }
  | { readonly do: 'fail'; readonly reason: string };

/** What a kind decides by. All steps before have ended, in `succeeded` or `failed`. */
export interface JobView {
  readonly job: JobRecord;
  /** In order. */
  readonly steps: readonly StepRecord[];
  readonly now: number;
}

/** What an action knows of its step, and may tell while it works. */
export interface StepContext {
  readonly tenantId: TenantId;
  readonly jobId: JobId;
  readonly conversationId?: ConversationId;
  /** As it was when the step began. */
  readonly job: JobRecord;
  /** The steps before, in order; all of them have ended. */
  readonly before: readonly StepRecord[];
  readonly step: number;
  /** 1 on the first try. */
  readonly attempt: number;
  /** The same for every try. What has effects outside passes it on, so that the other side does them once. */
  readonly idempotencyKey: string;
  /** Aborts when the job is cancelled, taken over, out of time, or the process ends. Passed on to whatever the action waits for. */
  readonly signal: AbortSignal;
  /** What the job may still use up. */
  readonly remaining: JobBudget;
  /** Counts against the budget, also when the try fails afterwards. */
  spend(usage: Partial<Omit<JobSpent, 'steps'>>): void;
  /** Says how far it is. The newest is stored, once a second at most; whoever displays it throttles. */
  progress(text: string, fraction?: number): void;
}

/**
 * Something a step can do.
 *
 * A `TerminalError` ends the step as failed; `RetryLater` and other errors have it tried again, after a while. What `repeat` says decides what follows when nobody
 * knows whether it was done, because the process died, time ran out, or `OutcomeUnknown` was thrown:
 * - `safe`: it has no effects, or repeating changes nothing. It is tried again.
 * - `keyed`: the other side tells repetitions by the idempotency key. It is tried again with the same key.
 * - `ask`: it is not repeated. A job with a conversation asks there, and waits; any other sees a step that failed with `outcome_unknown`.
 */
export interface StepAction {
  readonly repeat: 'safe' | 'keyed' | 'ask';
  /** Longest try. Default 5 minutes, at most 20. */
  readonly timeoutMs?: number;
  /** Default 5. */
  readonly maxAttempts?: number;
  /** Resolves with what is stored as the step's output: at most 300,000 bytes of JSON. */
  run(input: Json, context: StepContext): Promise<Json>;
}

/**
 * A kind of job: its rules. `next` is asked whenever a step has ended, by whichever process runs the job then, and decides by what it is given alone: it has no
 * effects, keeps nothing, and may be asked twice. A `TerminalError` it throws fails the job.
 */
export abstract class JobKind {
  abstract readonly name: string;
  abstract next(view: JobView): Decision | Promise<Decision>;
  /** The action of that name, if this job has it. */
  abstract action(name: string, job: JobRecord): StepAction | undefined;
}

/** The kinds of job that exist. */
export class JobKinds {
  private readonly byName: ReadonlyMap<string, JobKind>;

  constructor(kinds: readonly JobKind[]) {
    this.byName = new Map(kinds.map((kind) => [kind.name, kind]));
    if (this.byName.size !== kinds.length) throw new Error('two kinds of job have the same name');
  }

  get(name: string): JobKind | undefined {
    return this.byName.get(name);
  }
}
