import { codeOf, type ConversationId, type TenantId } from '@rockpool/contracts';
import type { Clock } from './clock.js';
import type { JobRecord, StepRecord } from './job-records.js';
import type { Jobs } from './jobs.js';
import { plain } from './plain.js';
import { spanText } from './span-text.js';

/** What a person may ask about long work, in a conversation. */
const jobCommandNames = ['jobs', 'job', 'cancel'] as const;
export type JobCommandName = (typeof jobCommandNames)[number];

export function isJobCommand(name: string): name is JobCommandName {
  return (jobCommandNames as readonly string[]).includes(name);
}

/** What a person may say of a step that may or may not have been done. */
const verdicts = ['done', 'repeat', 'failed'] as const;
const listed = 10;
const stepsShown = 8;

/**
 * Answers `/jobs`, `/job 12` and `/cancel 12`, in Markdown. A conversation sees what is its own: jobs of the tenant's other conversations do not exist here.
 */
export class JobCommands {
  constructor(
    private readonly jobs: Jobs,
    private readonly clock: Clock,
  ) {}

  /** `words` is what follows the command. A second call for the same message does no more than the first. */
  async answer(
    tenantId: TenantId,
    conversationId: ConversationId,
    command: { readonly name: JobCommandName; readonly words: string },
  ): Promise<string> {
    const { name, words } = command;
    switch (name) {
      case 'jobs':
        return this.list(tenantId, conversationId);
      case 'job':
      case 'cancel':
        return this.one(tenantId, conversationId, name, words);
    }
  }

  private async list(tenantId: TenantId, conversationId: ConversationId): Promise<string> {
    const { items } = await this.jobs.list({ tenantId, conversationId, limit: 100 });
    const own = items.filter((job) => !job.parent);
    const shown = [...own.filter((job) => job.open), ...own.filter((job) => !job.open)].slice(0, listed);
    return shown.length > 0 ? shown.map((job) => `- ${this.lineOf(job)}`).join('\n') : 'There are no jobs.';
  }

  private async one(tenantId: TenantId, conversationId: ConversationId, name: 'job' | 'cancel', words: string): Promise<string> {
    const [, which = '', said = ''] = /^((?:job\s*)?\S*)\s*([^]*)$/i.exec(words.trim())!;
    let job: JobRecord;
    try {
      job = await this.jobs.called(tenantId, which, conversationId);
    } catch (error) {
      if (codeOf(error) !== 'not_found') throw error;
      return which
        ? `There is no job ${plain(which).slice(0, 20)} here. /jobs lists them.`
        : `Say which one: /${name} 12. /jobs lists them.`;
    }
    if (name === 'job') return said ? this.tell(job, said) : this.detail(job);
    const before = job.state;
    const cancelled = await this.jobs.cancel(tenantId, job.jobId, 'cancelled in its conversation', { quiet: true });
    const isOurs = cancelled.state === 'cancelled';
    return isOurs ? `🛑 Job ${job.label} is cancelled.` : `Job ${job.label} was over already: it ${before}.`;
  }

  /** Gives a job the answer that it waits for. */
  private async tell({ tenantId, jobId, label, waiting }: JobRecord, said: string): Promise<string> {
    try {
      if (waiting?.for === 'decision') {
        const kind = verdicts.find((verdict) => verdict === said.toLowerCase());
        if (!kind) return `Job ${label} waits for one of ${verdicts.map((verdict) => `\`/job ${label} ${verdict}\``).join(', ')}.`;
        await this.jobs.decide(tenantId, jobId, { kind });
      } else await this.jobs.tell(tenantId, jobId, said);
    } catch (error) {
      if (codeOf(error) !== 'conflict') throw error;
      return `Job ${label} waits for no answer. \`/job ${label}\` shows what it does.`;
    }
    return `▶️ Job ${label} goes on with that.`;
  }

  private async detail(job: JobRecord): Promise<string> {
    const steps = await this.jobs.steps(job.tenantId, job.jobId, stepsShown);
    const builders = await this.jobs.builders(job.tenantId, job.jobId);
    const { progress, waiting, reason, spent } = job;
    return [
      this.lineOf(job),
      progress &&
        job.open &&
        `${plain(progress.text)}${progress.fraction === undefined ? '' : ` (${Math.round(progress.fraction * 100)} %)`}`,
      waiting && 'question' in waiting && waiting.question && `It asks: ${plain(waiting.question)}`,
      !job.open && reason && `Reason: ${plain(reason)}`,
      job.steps > steps.length && `… ${job.steps - steps.length} earlier steps`,
      ...steps.map((step) => `- ${stepLine(step)}`),
      ...builders.map((builder) => `- ${this.lineOf(builder)}`),
      spent.tokens > 0 && `${spent.tokens} tokens${spent.costUsd > 0 ? `, $${spent.costUsd.toFixed(2)}` : ''}`,
    ]
      .filter(Boolean)
      .join('\n');
  }

  private lineOf({ label, title, state, createdAt, finishedAt }: JobRecord): string {
    const lasted = spanText((finishedAt ?? this.clock.now()) - createdAt);
    return `**Job ${label}** ${plain(title)}: ${state}, ${finishedAt === undefined ? `since ${lasted}` : `after ${lasted}`}`;
  }
}

function stepLine({ n, name, state, attempts, error }: StepRecord): string {
  const tries = attempts > 1 ? `, try ${attempts}` : '';
  return `${n}. ${name === 'message' ? 'question' : plain(name.replaceAll('_', ' '))}: ${state}${tries}${error && state !== 'succeeded' ? ` (${plain(error.message).slice(0, 200)})` : ''}`;
}
