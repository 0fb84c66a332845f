import type { Documents, Json } from '@rockpool/cloud';
import { Conflict, InvalidInput, NotFound, type ConversationId, type JobId, type JobPriority, type TenantId } from '@rockpool/contracts';
import type { Clock } from './clock.js';
import type { JobCreation } from './job-creation.js';
import { jobPaths, type JobBudget, type JobNumberRecord, type JobRecord, type JobState, type StepRecord } from './job-records.js';
import { readyNow } from './job-states.js';
import { sized } from './json-size.js';
import type { JobTasks } from './job-tasks.js';
import type { Settlement } from './settlement.js';

/** A job to be started. */
export interface JobStart {
  /** A pure function of what asks for it (a turn's event id, a call within it), so that asking again starts nothing. */
  readonly jobId: JobId;
  readonly kind: string;
  /** A few words for people. */
  readonly title: string;
  /** What was said before this became a job: its status message begins with it, in Markdown. Cut to its end when it is long. */
  readonly preface?: string;
  readonly input: Json;
  /** Where its result and its questions go. */
  readonly conversationId?: ConversationId;
  /** Default `normal`. */
  readonly priority?: JobPriority;
  /** Without a word it takes up to 1,000 steps; tokens and money have no limit of the job's own. */
  readonly budget?: JobBudget;
  /** Default a day, at most a year. */
  readonly allowedMs?: number;
  /** W3C trace context of what starts it. */
  readonly traceparent?: string;
}

export interface JobFilter {
  readonly tenantId?: TenantId;
  readonly conversationId?: ConversationId;
  /** Only those that have not ended, or only those that have. Not together with `state`. */
  readonly open?: boolean;
  readonly state?: JobState;
  readonly limit?: number;
  readonly cursor?: string;
}

/** What becomes of a step of which nobody knows whether it was done. */
export type StepVerdict =
  /** It was not: it is tried again. */
  | { readonly kind: 'repeat' }
  /** It was: the job goes on, with this output. */
  | { readonly kind: 'done'; readonly output?: Json }
  /** Whether or not it was: the job sees a step that failed. */
  | { readonly kind: 'failed' };

const dayMs = 86_400_000;
const longestAllowedMs = 366 * dayMs;
const longestTitle = 200;
const longestPreface = 1_200;
const defaultSteps = 1_000;

/** What people and agents do with jobs: start, look, cancel, tell, retry. Every method bears being repeated. */
export class Jobs {
  constructor(
    private readonly documents: Documents,
    private readonly creation: JobCreation,
    private readonly tasks: JobTasks,
    private readonly settlement: Settlement,
    private readonly clock: Clock,
  ) {}

  /** Starts a job, or resolves with the one that has this id. Rejects with `invalid` or `too_large` when a limit is broken. */
  async start(tenantId: TenantId, start: JobStart): Promise<JobRecord> {
    const { priority = 'normal', budget = {}, allowedMs = dayMs, title, preface, ...rest } = start;
    if (!(allowedMs > 0 && allowedMs <= longestAllowedMs)) throw new InvalidInput('a job is given up to a year');
    sized('the input of the job', start.input);
    checkBudget(budget);
    const limited = { steps: defaultSteps, ...budget };
    return this.creation.numbered({
      ...rest,
      tenantId,
      priority,
      budget: limited,
      allowedMs,
      title: title.slice(0, longestTitle).toWellFormed(),
      ...(preface && { preface: endOf(preface) }),
    });
  }

  /** The job with this id, if there is one. */
  async find(tenantId: TenantId, jobId: JobId): Promise<JobRecord | undefined> {
    return (await this.documents.get<JobRecord>(jobPaths.job(tenantId, jobId)))?.data;
  }

  /** Rejects with `not_found`. */
  async get(tenantId: TenantId, jobId: JobId): Promise<JobRecord> {
    const job = await this.find(tenantId, jobId);
    if (!job) throw new NotFound(`there is no job ${jobId}`);
    return job;
  }

  /**
   * The job a person means: `12`, `#12`, `job 12`, and `12/key` for a builder, in its latest try. With a conversation, only if the job belongs to it: others of the
   * tenant are nobody's business there. Rejects with `not_found`.
   */
  async called(tenantId: TenantId, name: string, conversationId?: ConversationId): Promise<JobRecord> {
    const [, n, below = ''] = /^(?:job\s*)?#?(\d{1,9})((?:\/[a-z0-9-]{1,40})*)$/i.exec(name.trim()) ?? [];
    const number = n && (await this.documents.get<JobNumberRecord>(jobPaths.number(tenantId, Number(n))));
    let job = number ? await this.get(tenantId, number.data.jobId) : undefined;
    for (const key of below.toLowerCase().split('/').slice(1))
      job = job && (await this.builders(tenantId, job.jobId)).findLast(({ parent }) => parent?.key === key);
    if (!job || (conversationId !== undefined && job.conversationId !== conversationId))
      throw new NotFound(`there is no job ${name.trim()}`);
    return job;
  }

  /** Newest first. Builders are in it. */
  async list({
    tenantId,
    conversationId,
    open,
    state,
    limit = 50,
    cursor,
  }: JobFilter): Promise<{ items: JobRecord[]; nextCursor?: string }> {
    const page = await this.documents.query<JobRecord>({
      from: tenantId ? { collection: jobPaths.jobs(tenantId) } : { group: 'jobs' },
      where: { ...(conversationId && { conversationId }), ...(open !== undefined && { open }), ...(state && { state }) },
      orderBy: { field: 'createdAt', direction: 'desc' },
      limit,
      ...(cursor && { cursor }),
    });
    return { items: page.items.map(({ data }) => data), ...(page.nextCursor && { nextCursor: page.nextCursor }) };
  }

  /** Calls with the job as it is now, and after each change of it until the function it resolves with is called. */
  async watch(tenantId: TenantId, jobId: JobId, listener: (job: JobRecord) => void): Promise<() => void> {
    const query = { from: { collection: jobPaths.jobs(tenantId) }, where: { jobId }, limit: 1 };
    return this.documents.watch<JobRecord>(query, ({ items: [job] }) => job && listener(job.data));
  }

  /** Calls with the builders of a job as they are now, and after each change of one, until the function it resolves with is called. */
  async watchBuilders(tenantId: TenantId, jobId: JobId, listener: (builders: JobRecord[]) => void): Promise<() => void> {
    const query = { from: { collection: jobPaths.jobs(tenantId) }, where: { 'parent.jobId': jobId }, limit: 1000 };
    return this.documents.watch<JobRecord>(query, ({ items }) => listener(items.map(({ data }) => data)));
  }

  /** What the job did, in order, the newest `limit` (at most 1,000) of it. */
  async steps(tenantId: TenantId, jobId: JobId, limit = 1000): Promise<StepRecord[]> {
    const page = await this.documents.query<StepRecord>({
      from: { collection: jobPaths.steps(tenantId, jobId) },
      orderBy: { field: 'n', direction: 'desc' },
      limit,
    });
    return page.items.map(({ data }) => data).reverse();
  }

  /** Its builders, in the order they were made. */
  async builders(tenantId: TenantId, jobId: JobId): Promise<JobRecord[]> {
    const page = await this.documents.query<JobRecord>({
      from: { collection: jobPaths.jobs(tenantId) },
      where: { 'parent.jobId': jobId },
      limit: 1000,
    });
    return page.items.map(({ data }) => data).sort((one, other) => one.createdAt - other.createdAt);
  }

  /**
   * Ends the job now, with its builders; a step that runs is told to stop, and what it still does is not recorded. One that has ended is left as it is. `quiet`:
   * whoever cancels is told by the caller, so its conversation hears nothing.
   */
  async cancel(tenantId: TenantId, jobId: JobId, reason: string, options: { readonly quiet?: boolean } = {}): Promise<JobRecord> {
    const job = await this.settlement.end({ tenantId, jobId }, { state: 'cancelled', reason }, options);
    if (!job) throw new NotFound(`there is no job ${jobId}`);
    return job;
  }

  /** Answers a job that waits for a message; it goes on with that. Rejects with `conflict` when it does not wait for one. */
  async tell(tenantId: TenantId, jobId: JobId, message: Json): Promise<JobRecord> {
    const output = sized('the message', message);
    return this.resume(tenantId, jobId, 'message', (step, now) => ({ ...step, state: 'succeeded', output, finishedAt: now }));
  }

  /** Says what becomes of a step that may or may not have been done. Rejects with `conflict` when the job does not wait for that. */
  async decide(tenantId: TenantId, jobId: JobId, verdict: StepVerdict): Promise<JobRecord> {
    return this.resume(tenantId, jobId, 'decision', (step, now) => {
      if (verdict.kind === 'repeat') return { ...step, state: 'retrying' };
      if (verdict.kind === 'failed') return { ...step, state: 'failed', finishedAt: now };
      return { ...step, state: 'succeeded', output: sized('the output', verdict.output), finishedAt: now };
    });
  }

  /**
   * Has a failed or cancelled job go on where it ended: a last step that did not succeed is tried again, with its key. It is given its time anew, and what `budget`
   * says on top of what it has used up. Rejects with `conflict` when it is open or has succeeded, or is a builder.
   */
  async retry(tenantId: TenantId, jobId: JobId, options: { readonly budget?: JobBudget } = {}): Promise<JobRecord> {
    const { budget = {} } = options;
    checkBudget(budget);
    const path = jobPaths.job(tenantId, jobId);
    const ready = await this.documents.transaction(async (transaction) => {
      const job = (await transaction.get<JobRecord>(path))?.data;
      if (!job) throw new NotFound(`there is no job ${jobId}`);
      if (job.parent) throw new Conflict('a builder is tried again by its manager: retry that');
      if (job.open || job.state === 'succeeded') throw new Conflict(`job ${job.label} is ${job.state}`);
      const stepPath = jobPaths.step(tenantId, jobId, job.steps);
      const last = job.steps > 0 ? (await transaction.get<StepRecord>(stepPath))?.data : undefined;
      const now = this.clock.now();
      const { reason: _, finishedAt: __, quiet: ___, progress: ____, shownAt: ______, ...rest } = job;
      const next: JobRecord = {
        ...readyNow(rest, now),
        open: true,
        unsettled: false,
        retries: job.retries + 1,
        stumbles: 0,
        deadlineAt: now + job.allowedMs,
        budget: extended(job, budget),
      };
      transaction.set(path, next);
      if (last && last.state !== 'succeeded') {
        const { finishedAt: _____, output: _______, ...step } = last;
        transaction.set(stepPath, { ...step, attempts: 0, state: step.kind === 'act' ? 'retrying' : 'waiting' } satisfies StepRecord);
      }
      return next;
    });
    await this.tasks.create(ready);
    return ready;
  }

  private async resume(
    tenantId: TenantId,
    jobId: JobId,
    from: 'message' | 'decision',
    change: (step: StepRecord, now: number) => StepRecord,
  ): Promise<JobRecord> {
    const path = jobPaths.job(tenantId, jobId);
    const ready = await this.documents.transaction(async (transaction) => {
      const job = (await transaction.get<JobRecord>(path))?.data;
      if (!job) throw new NotFound(`there is no job ${jobId}`);
      if (!job.open || job.waiting?.for !== from) throw new Conflict(`job ${job.label} does not wait for a ${from}: it is ${job.state}`);
      const stepPath = jobPaths.step(tenantId, jobId, job.steps);
      const step = (await transaction.get<StepRecord>(stepPath))!.data;
      const now = this.clock.now();
      const { waiting: _, ...rest } = job;
      const next = readyNow(rest, now);
      transaction.set(path, next);
      transaction.set(stepPath, change(step, now));
      return next;
    });
    await this.tasks.create(ready);
    return ready;
  }
}

/** Room in one message of any channel, beside the status. */
function endOf(preface: string): string {
  return preface.length <= longestPreface ? preface : `…${preface.slice(-longestPreface).toWellFormed()}`;
}

function checkBudget({ tokens, costUsd, steps }: JobBudget): void {
  for (const limit of [tokens, costUsd, steps])
    if (limit !== undefined && !(limit > 0)) throw new InvalidInput('a budget is more than nothing');
}

function extended({ budget, spent }: JobRecord, by: JobBudget): JobBudget {
  const more = (name: keyof JobBudget) => (by[name] === undefined ? budget[name] : spent[name] + by[name]);
  const [tokens, costUsd, steps] = [more('tokens'), more('costUsd'), more('steps')];
  return { ...(tokens !== undefined && { tokens }), ...(costUsd !== undefined && { costUsd }), ...(steps !== undefined && { steps }) };
}
