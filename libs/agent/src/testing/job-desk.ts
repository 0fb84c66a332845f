import { Tasks, type TaskRequest } from '@rockpool/cloud';
import { openTestDocuments } from '@rockpool/cloud-embedded/testing';
import { RockpoolError, runJobSlice, type ConversationId, type JobId, type TenantId } from '@rockpool/contracts';
import {
  JobKinds,
  JobOutcomes,
  jobIndexes,
  jobPlatform,
  JobTasks,
  systemClock,
  type Clock,
  type JobPlatform,
  type JobRecord,
  type JobStart,
  type StepRecord,
} from '@rockpool/jobs';
import { Models } from '@rockpool/models';
import { agentJobKind, inputFor } from '../jobs/agent-job-input.js';
import { AgentJobs } from '../jobs/agent-jobs.js';
import type { AgentTool } from '../tool.js';
import { LoopbackProvider, type Reply } from './loopback-provider.js';
import { said } from './turns.js';

export const alice = 'alice' as TenantId;
const chat = 'telegram:1:2' as ConversationId;

/** Tasks that are done in order of their times when a test says so. */
class TaskPile extends Tasks {
  readonly waiting: TaskRequest[] = [];
  private readonly names = new Set<string>();

  override async create(task: TaskRequest): Promise<string> {
    if (this.names.has(task.name!)) throw new RockpoolError('already_exists', 'it exists');
    this.names.add(task.name!);
    this.waiting.push(task);
    this.waiting.sort((one, other) => Number(one.scheduleAt) - Number(other.scheduleAt));
    return task.name!;
  }
  override async cancel(): Promise<boolean> {
    return false;
  }
  override async stats() {
    return { pending: this.waiting.length, oldestLateMs: 0 };
  }
  override async close(): Promise<void> {}
}

/** What was said to people. */
class Heard extends JobOutcomes {
  readonly ends: JobRecord[] = [];
  readonly questions: string[] = [];
  readonly shown: string[] = [];
  override async ended(job: JobRecord): Promise<void> {
    this.ends.push(job);
  }
  override async asks({ waiting }: JobRecord): Promise<void> {
    if (waiting && 'question' in waiting) this.questions.push(waiting.question ?? '');
  }
  override async changed({ progress }: JobRecord): Promise<void> {
    if (progress) this.shown.push(progress.text);
  }
}

/** Agent jobs on real documents and a loopback model, whose slices are run one after another; a wait is over as soon as nothing else is to be done. */
export class JobDesk {
  readonly heard = new Heard();
  private readonly pile = new TaskPile();
  private skewMs = 0;

  private constructor(
    readonly provider: LoopbackProvider,
    private readonly store: Awaited<ReturnType<typeof openTestDocuments>>,
    private readonly tools: readonly AgentTool[],
  ) {}

  static async open(replies: readonly Reply[], tools: readonly AgentTool[] = []): Promise<JobDesk> {
    return new JobDesk(await LoopbackProvider.start(...replies), await openTestDocuments(jobIndexes), tools);
  }

  get documents() {
    return this.store.documents;
  }

  get platform(): JobPlatform {
    const clock: Clock = {
      now: () => Date.now() + this.skewMs,
      wake: (at, callback) => systemClock.wake(at - this.skewMs, callback),
    };
    const profiles = { get: async () => ({ tenantName: 'Alice', settings: { model: 'auto', instructions: 'Be helpful.' }, keys: {} }) };
    const models = new Models({ openaiBaseUrl: this.provider.url, openaiApiKey: 'sk-test' });
    return jobPlatform({
      documents: this.store.documents,
      tasks: new JobTasks(this.pile, { url: 'http://127.0.0.1/jobs', audience: 'agent-host' }),
      kinds: new JobKinds([new AgentJobs(profiles, models, this.tools, { backoffMs: 1, attempts: 1 })]),
      outcomes: this.heard,
      leases: { holder: 'test' },
      places: { shared: 10, limitsOf: () => ({ min: 5, max: 10 }) },
      clock,
      onWarning: (message, error) => {
        throw new Error(message, { cause: error });
      },
    });
  }

  get jobs() {
    return this.platform.jobs;
  }

  start(task: string, more: Partial<JobStart> & { readonly input?: never; readonly given?: object } = {}): Promise<JobRecord> {
    const { given = {}, ...rest } = more;
    const input = inputFor({ message: said('user', task), senderId: '12345', ...given });
    return this.jobs.start(alice, { jobId: 'j1' as JobId, kind: agentJobKind, title: 'a task', conversationId: chat, ...rest, input });
  }

  /** Runs one slice; time passes to when it is due. False when there is none. */
  async slice(signal: AbortSignal = new AbortController().signal): Promise<boolean> {
    const task = this.pile.waiting.shift();
    if (!task) return false;
    this.skewMs += Math.max(0, Number(task.scheduleAt) - (Date.now() + this.skewMs));
    const deadline = Date.now() + this.skewMs + 30 * 60_000;
    const slice = runJobSlice.parse(JSON.parse(new TextDecoder().decode(task.body)));
    const result = await this.platform.runner.slice(slice, { signal, deadline });
    if (result.kind === 'given-back' || result.kind === 'held') this.pile.waiting.push(task);
    return true;
  }

  /** Runs slices until the job waits for somebody, or has ended. */
  async run(jobId = 'j1'): Promise<JobRecord> {
    for (;;) {
      const job = await this.jobs.get(alice, jobId as JobId);
      const isAsked = job.waiting !== undefined && 'question' in job.waiting;
      if (!job.open || isAsked || !(await this.slice())) return this.jobs.get(alice, jobId as JobId);
    }
  }

  async steps(jobId = 'j1'): Promise<StepRecord[]> {
    return this.jobs.steps(alice, jobId as JobId);
  }

  async close(): Promise<void> {
    await this.provider.stop();
    await this.store.close();
  }
}
