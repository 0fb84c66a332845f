import { codeOf, type ConversationId, type TenantId } from '@rockpool/contracts';
import type { Clock } from './clock.js';
import type { JobRecord, StepRecord } from './job-records.js';
import type { Jobs } from './jobs.js';
import type { ScheduleRecord } from './schedule-records.js';
import type { Schedules } from './schedules.js';

/** What a person may ask about long work, in a conversation. */
export const jobCommandNames = ['jobs', 'job', 'cancel', 'schedules'] as const;
export type JobCommandName = (typeof jobCommandNames)[number];

const listed = 10;
const stepsShown = 8;

/**
 * Answers `/jobs`, `/job 12`, `/cancel 12` and `/schedules`, in Markdown. A conversation sees what is its own: jobs and schedules of the tenant's other conversations
 * do not exist here.
 */
export class JobCommands {
  constructor(
    private readonly jobs: Jobs,
    private readonly schedules: Schedules,
    private readonly clock: Clock,
  ) {}

  /** `words` is what follows the command; `timeZone` the zone to speak of times in. A second call for the same message does no more than the first. */
  async answer(
    tenantId: TenantId,
    conversationId: ConversationId,
    command: { readonly name: JobCommandName; readonly words: string; readonly timeZone: string },
  ): Promise<string> {
    const { name, words, timeZone } = command;
    switch (name) {
      case 'jobs':
        return this.list(tenantId, conversationId);
      case 'schedules':
        return this.planned(tenantId, conversationId, timeZone);
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
    let job: JobRecord;
    try {
      job = await this.jobs.called(tenantId, words, conversationId);
    } catch (error) {
      if (codeOf(error) !== 'not_found') throw error;
      return words.trim()
        ? `There is no job ${plain(words.trim()).slice(0, 20)} here. /jobs lists them.`
        : `Say which one: /${name} 12. /jobs lists them.`;
    }
    if (name === 'job') return this.detail(job);
    const before = job.state;
    const cancelled = await this.jobs.cancel(tenantId, job.jobId, 'cancelled in its conversation', { quiet: true });
    const isOurs = cancelled.state === 'cancelled';
    return isOurs ? `🛑 Job ${job.label} is cancelled.` : `Job ${job.label} was over already: it ${before}.`;
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

  private async planned(tenantId: TenantId, conversationId: ConversationId, timeZone: string): Promise<string> {
    const { items } = await this.schedules.list(tenantId, { limit: 1000 });
    const own = items.filter(
      ({ state, effect }) => state !== 'ended' && 'conversationId' in effect && effect.conversationId === conversationId,
    );
    own.sort((one, other) => (one.nextAt ?? Infinity) - (other.nextAt ?? Infinity));
    if (own.length === 0) return 'Nothing is scheduled.';
    return own.map((schedule) => `- ${scheduleLine(schedule, timeZone)}`).join('\n');
  }

  private lineOf({ label, title, state, createdAt, finishedAt }: JobRecord): string {
    const lasted = spanOf((finishedAt ?? this.clock.now()) - createdAt);
    return `**Job ${label}** ${plain(title)}: ${state}, ${finishedAt === undefined ? `since ${lasted}` : `after ${lasted}`}`;
  }
}

function stepLine({ n, name, state, attempts, error }: StepRecord): string {
  const tries = attempts > 1 ? `, try ${attempts}` : '';
  return `${n}. ${plain(name)}: ${state}${tries}${error && state !== 'succeeded' ? ` (${plain(error.message).slice(0, 200)})` : ''}`;
}

function scheduleLine({ title, when, nextAt, state }: ScheduleRecord, timeZone: string): string {
  const next = nextAt === undefined ? state : momentText(nextAt, timeZone);
  return `**${plain(title)}**: ${next}${when.kind === 'cron' ? ` (\`${when.expression}\`, ${when.timeZone})` : ''}`;
}

function momentText(at: number, timeZone: string): string {
  return new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short', timeZone }).format(at);
}

function spanOf(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}

/** A model or a person chose these words: one line, and nothing in it is markup. */
function plain(text: string): string {
  return text.replace(/[\s\p{C}]+/gu, ' ').replace(/[*_`[\]()<>#|\\]/g, '');
}
