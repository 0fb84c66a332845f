import type { Documents } from '@rockpool/cloud';
import { isTerminal, type JobId, type TenantId } from '@rockpool/contracts';
import { paths, turnIdOf, type ReplyChannels, type ReplyRecord, type TurnRecord } from '@rockpool/conversations';
import { waitUntil, type Clock } from './clock.js';
import { jobPaths, type JobRecord } from './job-records.js';
import { plain } from './plain.js';
import { spanText } from './span-text.js';

/** How a job ended is said once; a channel that did not take it is asked again, after 0.1, 0.4 and 1.6 s or when it wants. */
const lastWordTries = 4;
const longestWaitMs = 5_000;

/**
 * The one message in which people see how far a job is: the answer of the turn that became the job, edited. It says what is on record, so it may be written by several at
 * a time and as often as anybody likes. Jobs that no turn became have none, nor have channels that cannot edit.
 */
export class StatusMessages {
  constructor(
    private readonly documents: Documents,
    private readonly channels: ReplyChannels,
    private readonly clock: Clock,
  ) {}

  /**
   * Makes the message say how the job is now; also if it ends while that is being said. Nothing happens before the turn's own answer is out: whoever sends that has
   * it said then. Rejects when the channel does.
   */
  async show(tenantId: TenantId, jobId: JobId): Promise<void> {
    for (let saidOpen: boolean | undefined; ;) {
      const job = (await this.documents.get<JobRecord>(jobPaths.job(tenantId, jobId)))?.data;
      // Somebody else's older edit may have come in between: who edits last has to see that what it said is still so.
      if (!job || job.parent || job.open === saidOpen) return;
      const turnId = turnIdOf(jobId);
      const turn = (await this.documents.get<TurnRecord>(paths.turn(tenantId, turnId)))?.data;
      if (!turn || turn.open) return;
      const row = (await this.documents.get<ReplyRecord>(paths.reply(tenantId, turnId, 0)))?.data;
      if (row?.state !== 'sent' || row.receipt === undefined) return;
      const { target } = turn.message;
      const channel = await this.channels.for(tenantId, target);
      const [chunk] = channel.edits ? channel.render(statusText(job, this.clock.now())) : [];
      if (!chunk) return;
      const { receipt } = row;
      await this.patiently(job.open ? 1 : lastWordTries, () => channel.update(target, receipt, chunk, { final: true }));
      saidOpen = job.open;
    }
  }

  /** The same, but resolves at the latest then: a channel that hangs keeps nobody from going on, or from ending in time. It is said all the same, once it can be. */
  async showWithin(patienceMs: number, tenantId: TenantId, jobId: JobId, onFailure: (error: unknown) => void): Promise<void> {
    const patience = Promise.withResolvers<void>();
    const callOff = this.clock.wake(this.clock.now() + patienceMs, patience.resolve);
    await Promise.race([this.show(tenantId, jobId).catch(onFailure), patience.promise]);
    callOff();
  }

  /** How far a job is will be said again; how it ended will not. */
  private async patiently(tries: number, say: () => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await say();
      } catch (error) {
        const waitMs = error instanceof Error && 'afterMs' in error ? Number(error.afterMs) : 100 * 4 ** (attempt - 1);
        if (isTerminal(error) || attempt >= tries || waitMs > longestWaitMs) throw error;
        await waitUntil(this.clock, this.clock.now() + waitMs, new AbortController().signal);
      }
    }
  }
}

/** What the message says, in Markdown. */
function statusText(job: JobRecord, now: number): string {
  return `${prefaceOf(job)}${lineOf(job, now)}`;
}

/** What the turn that becomes a job answers, in Markdown: the first that its status message says. */
export function promotedText(job: JobRecord): string {
  const { label, title } = job;
  return `${prefaceOf(job)}⏳ Still working: **job ${label}**, ${plain(title)}. I will report here. ${hintOf(job)}`;
}

function prefaceOf({ preface }: JobRecord): string {
  return preface ? `${preface}\n\n` : '';
}

function hintOf({ label }: JobRecord): string {
  return `\`/job ${label}\` shows more, \`/cancel ${label}\` ends it.`;
}

function lineOf(job: JobRecord, now: number): string {
  const { label, title, state, open, progress, waiting, createdAt, finishedAt } = job;
  const name = `**job ${label}**, ${plain(title)}`;
  const lasted = spanText((finishedAt ?? now) - createdAt);
  if (!open) {
    const [sign, end] = { succeeded: ['✅', 'Done'], failed: ['⚠️', 'Failed'], cancelled: ['🛑', 'Cancelled'] }[state as 'succeeded'];
    return `${sign} ${end}: ${name}, after ${lasted}.`;
  }
  if (waiting?.for === 'message' || waiting?.for === 'decision') return `❓ Waiting for an answer: ${name}.`;
  const percent = progress?.fraction === undefined ? '' : `${Math.round(progress.fraction * 100)} %, `;
  const text = progress && oneLine(progress.text);
  return `⏳ Still working: ${name}${text ? `: ${percent}${plain(text)}` : ''} (${lasted}). ${hintOf(job)}`;
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 200 ? `${line.slice(0, 200).toWellFormed()}…` : line;
}
