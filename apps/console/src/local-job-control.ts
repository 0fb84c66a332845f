import type { Json } from '@rockpool/cloud';
import { codeOf, InvalidInput, jobId, NotFound, type TenantId } from '@rockpool/contracts';
import { cutTo, type JobBudget, type JobFilter, type JobRecord, type Jobs, type StepRecord } from '@rockpool/jobs';
import type { AuditLog, Tenants } from '@rockpool/tenancy';
import { z } from 'zod';
import { JobControl, type JobDetails, type JobPage, type JobTree } from './job-control.js';

const stepsShown = 200;
/** Of one value: enough to see what it is, and little enough to be asked for every second. */
const valueShownBytes = 4_000;
const verdict = z.enum(['done', 'repeat', 'failed']);

/** Jobs over the open engine. What it changes is in the tenant's audit log, with `actor`. */
export class LocalJobControl extends JobControl {
  constructor(
    private readonly jobs: Jobs,
    private readonly tenants: Tenants,
    private readonly audit: AuditLog,
    private readonly actor: string,
  ) {
    super();
  }

  override async list(filter: JobFilter): Promise<JobPage> {
    if (filter.tenantId && !(await this.tenants.get(filter.tenantId))) throw new NotFound(`there is no tenant ${filter.tenantId}`);
    if (filter.open !== undefined && filter.state) throw new InvalidInput('ask for a state, or for what is open: not both');
    const page = await this.jobs.list(filter);
    return { ...page, items: page.items.map(briefJob) };
  }

  override async show(tenantId: TenantId, name: string): Promise<JobDetails> {
    const tree = await this.#treeOf(await this.#named(tenantId, name));
    const steps = await this.jobs.steps(tenantId, tree.job.jobId, stepsShown);
    return { ...tree, steps: steps.map(brief) };
  }

  override async *follow(tenantId: TenantId, name: string, signal: AbortSignal): AsyncGenerator<JobDetails, void> {
    const { jobId: id } = await this.#named(tenantId, name);
    let changed = Promise.withResolvers<void>();
    const notice = () => changed.resolve();
    const stops = [() => signal.removeEventListener('abort', notice)];
    signal.addEventListener('abort', notice);
    try {
      stops.push(await this.jobs.watch(tenantId, id, notice));
      stops.push(await this.jobs.watchBuilders(tenantId, id, notice));
      while (!signal.aborted) {
        changed = Promise.withResolvers();
        const details = await this.show(tenantId, id);
        yield details;
        if (!details.job.open) return;
        await changed.promise;
      }
    } finally {
      for (const stop of stops) stop();
    }
  }

  override async cancel(tenantId: TenantId, name: string, reason: string): Promise<JobRecord> {
    const found = await this.#named(tenantId, name);
    if (!found.open) return briefJob(found);
    const job = await this.jobs.cancel(tenantId, found.jobId, reason);
    return this.#recorded('cancel', job);
  }

  override async retry(tenantId: TenantId, name: string, budget: JobBudget): Promise<JobRecord> {
    const { jobId: id } = await this.#named(tenantId, name);
    return this.#recorded('retry', await this.jobs.retry(tenantId, id, { budget }));
  }

  override async answer(tenantId: TenantId, name: string, words: string): Promise<JobRecord> {
    const { jobId: id, label, waiting } = await this.#named(tenantId, name);
    if (waiting?.for !== 'decision') return this.#recorded('answer', await this.jobs.tell(tenantId, id, words));
    const kind = verdict.safeParse(words.trim().toLowerCase());
    if (!kind.success) throw new InvalidInput(`nobody knows whether a step of job ${label} was done: answer ${verdict.options.join(', ')}`);
    return this.#recorded('answer', await this.jobs.decide(tenantId, id, { kind: kind.data }));
  }

  async #named(tenantId: TenantId, name: string): Promise<JobRecord> {
    try {
      return await this.jobs.called(tenantId, name);
    } catch (error) {
      const id = jobId.safeParse(name);
      if (codeOf(error) !== 'not_found' || !id.success) throw error;
      return this.jobs.get(tenantId, id.data);
    }
  }

  async #treeOf(job: JobRecord): Promise<JobTree> {
    const builders = await this.jobs.builders(job.tenantId, job.jobId);
    return { job: briefJob(job), builders: await Promise.all(builders.map((builder) => this.#treeOf(builder))) };
  }

  /** What was answered, and why something was cancelled, is the job's own matter: the log names the job. */
  async #recorded(what: 'cancel' | 'retry' | 'answer', job: JobRecord): Promise<JobRecord> {
    await this.audit.record(job.tenantId, { actor: this.actor, action: `job-${what}`, subjects: [job.jobId] });
    return briefJob(job);
  }
}

function briefJob({ dependencies, ...job }: JobRecord): JobRecord {
  const short: [string, Json][] = Object.entries(dependencies ?? {}).map(([key, value]) => [key, shortened(value)]);
  return {
    ...job,
    input: shortened(job.input),
    ...(dependencies && { dependencies: Object.fromEntries(short) }),
    ...(job.result !== undefined && { result: shortened(job.result) }),
  };
}

function brief(step: StepRecord): StepRecord {
  return { ...step, input: shortened(step.input), ...(step.output !== undefined && { output: shortened(step.output) }) };
}

function shortened(value: Json): Json {
  return cutTo(valueShownBytes, value);
}
