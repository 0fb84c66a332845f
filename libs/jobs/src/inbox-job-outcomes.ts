import type { Json } from '@rockpool/cloud';
import { type ConversationInbox, platformMessages } from './conversation-inbox.js';
import { JobOutcomes, outcomeEventId, questionEventId } from './job-outcomes.js';
import type { JobRecord } from './job-records.js';

const longestText = 20_000;

/** Brings what jobs have to say into their conversations, as messages that the agent answers there. Jobs without one have nobody to tell. */
export class InboxJobOutcomes extends JobOutcomes {
  constructor(private readonly inbox: ConversationInbox) {
    super();
  }

  async ended(job: JobRecord): Promise<void> {
    await this.put(job, outcomeEventId(job), platformMessages.jobEnded, endOf(job), job.finishedAt ?? job.updatedAt);
  }

  async asks(job: JobRecord): Promise<void> {
    const question = job.waiting && 'question' in job.waiting ? job.waiting.question : undefined;
    if (!question) return;
    await this.put(
      job,
      questionEventId(job),
      platformMessages.jobAsks,
      `[Job ${job.label} (${job.title}) asks]\n\n${question}`,
      job.updatedAt,
    );
  }

  private async put(
    { tenantId, conversationId, traceparent }: JobRecord,
    eventId: ReturnType<typeof outcomeEventId>,
    type: typeof platformMessages.jobEnded | typeof platformMessages.jobAsks,
    text: string,
    at: number,
  ): Promise<void> {
    if (!conversationId) return;
    await this.inbox.put({ tenantId, conversationId, eventId, type, text, at, ...(traceparent && { traceparent }) });
  }
}

function endOf({ label, title, state, result, reason }: JobRecord): string {
  const job = `Job ${label} (${title})`;
  if (state !== 'succeeded') return `[${job} ${state === 'failed' ? 'has failed' : 'was cancelled'}]\n\n${reason ?? ''}`.trim();
  return `[${job} is done]\n\n${textOf(result ?? null)}`;
}

function textOf(result: Json): string {
  const text = typeof result === 'string' ? result : JSON.stringify(result, undefined, 2);
  return text.length > longestText ? `${text.slice(0, longestText).toWellFormed()}\n[It is longer than what is shown here.]` : text;
}
