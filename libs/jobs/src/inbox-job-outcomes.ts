import type { Json } from '@rockpool/cloud';
import { announcements } from '@rockpool/contracts';
import type { ConversationInbox } from './conversation-inbox.js';
import { JobOutcomes, outcomeEventId, questionEventId } from './job-outcomes.js';
import type { JobRecord } from './job-records.js';
import { plain } from './plain.js';
import type { OnJobWarning } from './settlement.js';
import type { StatusMessages } from './status-messages.js';

const longestText = 20_000;
/** Within what a process has to end in. */
const statusPatienceMs = 3_000;

/**
 * Brings what jobs have to say into their conversations: announcements that take their place there among the messages of people. How far they are is seen in their status
 * messages. Jobs without a conversation have nobody to tell.
 */
export class InboxJobOutcomes extends JobOutcomes {
  constructor(
    private readonly inbox: ConversationInbox,
    private readonly status: StatusMessages,
    private readonly onWarning: OnJobWarning,
  ) {
    super();
  }

  async ended(job: JobRecord): Promise<void> {
    await this.put(job, outcomeEventId(job), announcements.jobEnded, endOf(job), job.finishedAt ?? job.updatedAt);
    await this.changed(job);
  }

  /** The result stands in the inbox whether or not a status can be shown. */
  changed(job: JobRecord): Promise<void> {
    const onFailure = (error: unknown) => this.onWarning('the status of a job could not be shown', error, job);
    return this.status.showWithin(statusPatienceMs, job.tenantId, job.jobId, onFailure);
  }

  async asks(job: JobRecord): Promise<void> {
    const question = job.waiting && 'question' in job.waiting ? job.waiting.question : undefined;
    if (!question) return;
    await this.put(job, questionEventId(job), announcements.jobAsks, questionOf(job, question), job.updatedAt);
    await this.changed(job);
  }

  private async put(
    { tenantId, conversationId, traceparent }: JobRecord,
    eventId: ReturnType<typeof outcomeEventId>,
    type: (typeof announcements)[keyof typeof announcements],
    text: string,
    at: number,
  ): Promise<void> {
    if (!conversationId) return;
    await this.inbox.put({ tenantId, conversationId, eventId, type, text, at, ...(traceparent && { traceparent }) });
  }
}

/** What a person reads of the end. The result is the answer itself. */
function endOf(job: JobRecord): string {
  const { label, title, state, result, reason } = job;
  const name = `**Job ${label}** (${plain(title)})`;
  if (state === 'succeeded') return `${name} is done.\n\n${textOf(result ?? null)}`;
  const why = reason ? `: ${plain(reason)}` : '.';
  return state === 'failed' ? `⚠️ ${name} has failed${why}` : `🛑 ${name} was cancelled${why}`;
}

/** The question, and how to answer it. */
function questionOf({ label, title, waiting }: JobRecord, question: string): string {
  const name = `**Job ${label}** (${plain(title)})`;
  const how =
    waiting?.for === 'decision'
      ? `\`/job ${label} done\` if it was done, \`/job ${label} repeat\` if it was not and is to be tried again, \`/job ${label} failed\` to go on without it.`
      : `Answer with \`/job ${label} …\`, or tell me.`;
  return `❓ ${name} asks:\n\n${question}\n\n${how}`;
}

function textOf(result: Json): string {
  const text = typeof result === 'string' ? result : JSON.stringify(result, undefined, 2);
  return text.length > longestText ? `${text.slice(0, longestText).toWellFormed()}\n\n_The rest is left out._` : text;
}
