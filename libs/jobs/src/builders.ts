import type { Documents, Json, Transaction } from '@rockpool/cloud';
import { InvalidInput, jobId, type JobId } from '@rockpool/contracts';
import type { Clock } from './clock.js';
import type { JobCreation } from './job-creation.js';
import type { BuilderResult, BuilderSpec } from './job-kind.js';
import { jobPaths, type JobBudget, type JobRecord, type StepRecord } from './job-records.js';
import { ended, isShownAt, readyNow, remainingOf } from './job-states.js';
import type { JobTasks } from './job-tasks.js';
import { cutTo, longestValueBytes, sized } from './json-size.js';

/** Builders of one delegation. */
const maxBuilders = 50;
/** Managers above one another. */
const maxDepth = 3;
const keyPattern = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

/** Refuses, with `invalid` or `too_large`, a delegation that could never end: twins, unknown or circular dependencies, too many, too deep. */
export function checkDelegation(manager: JobRecord, builders: readonly BuilderSpec[]): void {
  if (builders.length === 0 || builders.length > maxBuilders)
    throw new InvalidInput(`work is split between 1 to ${maxBuilders} builders, not ${builders.length}`);
  if (depthOf(manager) >= maxDepth) throw new InvalidInput(`work is passed on ${maxDepth} times at most`);
  sized('what the builders are given', builders as unknown as Json);
  const byKey = new Map(builders.map((builder) => [builder.key, builder]));
  if (byKey.size !== builders.length) throw new InvalidInput('two builders have the same key');
  const done = new Set<string>();
  const visit = (key: string, above: ReadonlySet<string>): void => {
    const builder = byKey.get(key);
    if (!builder) throw new InvalidInput(`there is no builder ${key} to wait for`);
    if (above.has(key)) throw new InvalidInput(`the builder ${key} waits for itself`);
    if (done.has(key)) return;
    for (const before of builder.after ?? []) visit(before, new Set([...above, key]));
    done.add(key);
  };
  for (const { key } of builders) {
    if (!keyPattern.test(key)) throw new InvalidInput('the key of a builder has 1 to 40 of a-z, 0-9 and -');
    visit(key, new Set());
  }
}

/** The jobs a manager delegates to: each made once, begun when what it waits for has succeeded, tried again as declared; their manager is woken once, with everything. */
export class Builders {
  constructor(
    private readonly documents: Documents,
    private readonly creation: JobCreation,
    private readonly tasks: JobTasks,
    private readonly clock: Clock,
  ) {}

  /**
   * Makes those that do not exist yet. What one of them waits for may be over before it is made, and nobody would look at it again: it begins here, or is among those that
   * were ended by it, with which this resolves.
   */
  async begin(manager: JobRecord, step: StepRecord): Promise<readonly JobRecord[]> {
    const specs = specsOf(step);
    for (const spec of specs) await this.make(manager, step.n, spec, 1, specs.length);
    return this.decideBlocked(specs, latestOf(await this.of(this.documents, manager, step.n)));
  }

  /** What came of them, once nothing more will come; until then `undefined`. */
  async results(
    from: Documents | Transaction,
    manager: JobRecord,
    step: StepRecord,
  ): Promise<{ results: Record<string, BuilderResult>; spent: NonNullable<StepRecord['spent']> } | undefined> {
    const jobs = await this.of(from, manager, step.n);
    const latest = latestOf(jobs);
    const results: Record<string, BuilderResult> = {};
    const specs = specsOf(step);
    const share = Math.floor((longestValueBytes * 0.8) / specs.length);
    for (const spec of specs) {
      const job = latest.get(spec.key);
      if (!job || !isFinal(job, spec)) return undefined;
      results[spec.key] = {
        jobId: job.jobId,
        state: job.state as BuilderResult['state'],
        attempts: job.parent!.attempt,
        ...(job.result !== undefined && { result: cutTo(share, job.result) }),
        ...(job.reason !== undefined && { reason: job.reason }),
      };
    }
    const total = (of: 'tokens' | 'costUsd') => jobs.reduce((sum, job) => sum + job.spent[of], 0);
    return { results, spent: { tokens: total('tokens'), costUsd: total('costUsd') } };
  }

  /**
   * What follows from the end of one of them: another try, the beginning or the end of those that waited for it, the waking of their manager. May be called again.
   * Resolves with those that were ended by it, and with the manager when it goes on waiting and people can see how far it is.
   */
  async afterEndOf(builder: JobRecord): Promise<{ swept: readonly JobRecord[]; manager?: JobRecord }> {
    const { tenantId, parent } = builder;
    const manager = (await this.documents.get<JobRecord>(jobPaths.job(tenantId, parent!.jobId)))?.data;
    const step = (await this.documents.get<StepRecord>(jobPaths.step(tenantId, parent!.jobId, parent!.step)))?.data;
    if (!manager?.open || !step) return { swept: [] };
    const specs = specsOf(step);
    const spec = specs.find(({ key }) => key === parent!.key)!;
    if (builder.state === 'failed' && !isFinal(builder, spec)) {
      await this.make(manager, step.n, spec, parent!.attempt + 1, specs.length);
      return { swept: [] };
    }
    const latest = latestOf(await this.of(this.documents, manager, step.n));
    const swept = await this.decideBlocked(specs, latest);
    // What they leave is looked at when they are settled.
    if (swept.length > 0) return { swept };
    if (await this.results(this.documents, manager, step)) {
      await this.wakeManager(manager, step.n);
      return { swept };
    }
    const over = [...latest.values()].filter((job) => isFinal(job, specOf(specs, job))).length;
    const told = await this.tellManager(manager, step.n, over, specs.length);
    return { swept, ...(told && { manager: told }) };
  }

  /** The builders of a manager that are still open. */
  async openOf({ tenantId, jobId: managerId }: JobRecord): Promise<JobRecord[]> {
    const page = await this.documents.query<JobRecord>({
      from: { collection: jobPaths.jobs(tenantId) },
      where: { 'parent.jobId': managerId, open: true },
      limit: 1000,
    });
    return page.items.map(({ data }) => data);
  }

  private async make(manager: JobRecord, n: number, spec: BuilderSpec, attempt: number, among: number): Promise<void> {
    const { tenantId, priority, conversationId, traceparent } = manager;
    const blocked = (spec.after ?? []).length > 0;
    // A later try begins at once: what its key waits for has succeeded before the first one.
    const first = attempt > 1 ? await this.documents.get<JobRecord>(jobPaths.job(tenantId, idOf(manager, n, spec.key, 1))) : undefined;
    await this.creation.labelled(
      {
        tenantId,
        jobId: idOf(manager, n, spec.key, attempt),
        kind: spec.kind,
        title: spec.title,
        input: attempt === 1 ? spec.input : spec.alternatives![attempt - 2]!,
        priority,
        allowedMs: Math.max(0, Math.min(spec.allowedMs ?? Infinity, manager.deadlineAt - this.clock.now())),
        budget: budgetOf(manager, spec, among),
        parent: { jobId: manager.jobId, step: n, key: spec.key, attempt },
        ...(conversationId && { conversationId }),
        ...(traceparent && { traceparent }),
        ...(blocked && { after: spec.after }),
        ...(blocked && attempt === 1 && { blocked }),
        ...(first?.data.dependencies && { dependencies: first.data.dependencies }),
      },
      `${manager.label}/${spec.key}`,
    );
  }

  /** Begins those of which all that they wait for has succeeded, and ends those of which some of it never will. Resolves with those that were ended. */
  private async decideBlocked(specs: readonly BuilderSpec[], latest: ReadonlyMap<string, JobRecord>): Promise<JobRecord[]> {
    const swept: JobRecord[] = [];
    for (const job of latest.values()) {
      if (!job.open || !job.blocked) continue;
      const needed = job.after!.map((key) => latest.get(key));
      const lost = needed.find((other) => other && !other.open && other.state !== 'succeeded' && isFinal(other, specOf(specs, other)));
      if (lost)
        swept.push(
          ...(await this.giveUp(job, `it needs ${lost.parent!.key}, which ${lost.state === 'cancelled' ? 'was cancelled' : 'failed'}`)),
        );
      else if (needed.every((other) => other?.state === 'succeeded')) await this.unblock(job, needed as JobRecord[]);
    }
    return swept;
  }

  private async unblock(waiting: JobRecord, needed: readonly JobRecord[]): Promise<void> {
    const path = jobPaths.job(waiting.tenantId, waiting.jobId);
    const dependencies: Record<string, Json> = Object.fromEntries(
      needed.map((job) => [job.parent!.key, cutTo(Math.floor(longestValueBytes / needed.length), job.result ?? null)]),
    );
    const ready = await this.documents.transaction(async (transaction) => {
      const job = (await transaction.get<JobRecord>(path))?.data;
      if (!job?.open || !job.blocked) return undefined;
      const { blocked: _, ...rest } = job;
      const next = { ...readyNow(rest, this.clock.now()), dependencies };
      transaction.set(path, next);
      return next;
    });
    if (ready) await this.tasks.create(ready);
  }

  private async giveUp(waiting: JobRecord, reason: string): Promise<JobRecord[]> {
    const path = jobPaths.job(waiting.tenantId, waiting.jobId);
    return this.documents.transaction(async (transaction) => {
      const job = (await transaction.get<JobRecord>(path))?.data;
      if (!job?.open || !job.blocked) return [];
      const given = ended(job, { state: 'cancelled', reason }, this.clock.now());
      transaction.set(path, given);
      return [given];
    });
  }

  /** Only a manager that waits for them: one that still runs looks for itself before it waits. */
  private async wakeManager({ tenantId, jobId: managerId }: JobRecord, step: number): Promise<void> {
    const path = jobPaths.job(tenantId, managerId);
    const woken = await this.documents.transaction(async (transaction) => {
      const job = (await transaction.get<JobRecord>(path))?.data;
      if (!job?.open || job.waiting?.for !== 'builders' || job.steps !== step) return undefined;
      const { waiting: _, ...rest } = job;
      const next = readyNow(rest, this.clock.now());
      transaction.set(path, next);
      return next;
    });
    if (woken) await this.tasks.create(woken);
  }

  /** Puts on record how many of its builders have ended. */
  private async tellManager(
    { tenantId, jobId: managerId }: JobRecord,
    step: number,
    over: number,
    of: number,
  ): Promise<JobRecord | undefined> {
    const path = jobPaths.job(tenantId, managerId);
    return this.documents.transaction(async (transaction) => {
      const job = (await transaction.get<JobRecord>(path))?.data;
      if (!job?.open || job.waiting?.for !== 'builders' || job.steps !== step) return undefined;
      const now = this.clock.now();
      const progress = { text: `${over} of ${of} parts are over`, fraction: over / of, at: now };
      const next = { ...job, progress, ...(isShownAt(job, now) && { shownAt: now }), updatedAt: now };
      transaction.set(path, next);
      return next.shownAt === now ? next : undefined;
    });
  }

  private async of(from: Documents | Transaction, { tenantId, jobId: managerId }: JobRecord, step: number): Promise<JobRecord[]> {
    const page = await from.query<JobRecord>({
      from: { collection: jobPaths.jobs(tenantId) },
      where: { 'parent.jobId': managerId, 'parent.step': step },
      limit: 1000,
    });
    return page.items.map(({ data }) => data);
  }
}

function specsOf(step: StepRecord): readonly BuilderSpec[] {
  return step.input as unknown as readonly BuilderSpec[];
}

function specOf(specs: readonly BuilderSpec[], job: JobRecord): BuilderSpec {
  return specs.find(({ key }) => key === job.parent!.key)!;
}

function latestOf(jobs: readonly JobRecord[]): Map<string, JobRecord> {
  const latest = new Map<string, JobRecord>();
  for (const job of jobs) {
    const { key, attempt } = job.parent!;
    if (attempt > (latest.get(key)?.parent!.attempt ?? 0)) latest.set(key, job);
  }
  return latest;
}

/** No other try follows. */
function isFinal(job: JobRecord, spec: BuilderSpec): boolean {
  return !job.open && (job.state !== 'failed' || job.parent!.attempt > (spec.alternatives?.length ?? 0));
}

function idOf(manager: JobRecord, step: number, key: string, attempt: number): JobId {
  return jobId.parse(`${manager.jobId}.${step}.${key}.${attempt}`);
}

function depthOf(job: JobRecord): number {
  return job.label.split('/').length - 1;
}

/** What a builder was given, but never more than its manager has; without a word, an equal part of that. */
function budgetOf(manager: JobRecord, { budget = {} }: BuilderSpec, among: number): JobBudget {
  const left = remainingOf(manager);
  const part = (name: keyof JobBudget, whole: boolean): number | undefined => {
    const limit = left[name];
    if (limit === undefined) return budget[name];
    const share = limit / among;
    return Math.min(limit, budget[name] ?? (whole ? Math.max(1, Math.floor(share)) : share));
  };
  const tokens = part('tokens', true);
  const costUsd = part('costUsd', false);
  const steps = part('steps', true);
  return { ...(tokens !== undefined && { tokens }), ...(costUsd !== undefined && { costUsd }), ...(steps !== undefined && { steps }) };
}
