import { createHash } from 'node:crypto';
import { isTerminal, OutcomeUnknown, type ReplyTarget } from '@rockpool/contracts';
import { ReplyChannel, type Receipt, type ReplyChunk } from '@rockpool/conversations';
import { z } from 'zod';
import { splitRuns } from '../markdown/split.js';
import { styledText, textOfRuns } from '../markdown/styled-text.js';
import type { Pacer, Rate } from '../pacing.js';
import type { SlackApi } from './slack-api.js';
import { slackDialect, slackMrkdwn } from './slack-mrkdwn.js';

/**
 * Posting: one message a second in a channel, short bursts allowed. Updating: tier 3, 50 a minute in a workspace. Each rate stays a little below, for the way to
 * Slack is not always equally long. https://docs.slack.dev/apis/web-api/rate-limits
 */
const postingRate: Rate = { burst: 3, perSecond: 0.9 };
const updatingRate: Rate = { burst: 30, perSecond: 0.8 };

const statusRate: Rate = { burst: 10, perSecond: 5 };
/** Only apps with the assistant feature may show a status. One that may not is not asked to again for so long. */
const statusBreakMs = 600_000;

const posted = z.object({ ts: z.string() });
const placeholder = '…';
/** Every placeholder carries its key, so that one whose posting was not answered can be found. */
const metadataType = 'rockpool_reply';
const history = z.object({
  messages: z.array(
    z.looseObject({
      ts: z.string(),
      metadata: z
        .object({ event_type: z.string(), event_payload: z.looseObject({ key: z.unknown() }) })
        .optional()
        .catch(undefined),
    }),
  ),
});
/** Neither a preview of a page nor an image is fetched for what a model wrote: the address could carry out what it was told. */
const noPreviews = { unfurl_links: false, unfurl_media: false };

/** Answers in Slack: a placeholder at once, which the answer then replaces; in channels in the thread of the message. */
export class SlackReplyChannel extends ReplyChannel {
  readonly guarantee = 'edit';
  readonly updateIntervalMs = 1_500;

  constructor(
    private readonly api: SlackApi,
    private readonly pacer: Pacer,
  ) {
    super();
  }

  render(markdown: string): ReplyChunk[] {
    if (markdown === '') return [];
    return splitRuns(styledText(markdown), slackDialect).map((runs) => ({ text: textOfRuns(runs), payload: slackMrkdwn(runs) }));
  }

  async place(target: ReplyTarget, key: string): Promise<Receipt> {
    const scope = { name: `slack:${target.account}:${target.chatId}`, rate: postingRate };
    await this.pacer.take([scope]);
    const answer = await this.pacer.heed([scope], () =>
      this.api.call('chat.postMessage', {
        channel: target.chatId,
        text: placeholder,
        ...(target.threadId !== undefined && { thread_ts: target.threadId }),
        ...noPreviews,
        metadata: { event_type: metadataType, event_payload: { key: keyInMetadata(key) } },
      }),
    );
    const message = posted.safeParse(answer);
    if (!message.success) throw new OutcomeUnknown('chat.postMessage: the answer names no message');
    return message.data.ts;
  }

  async update(target: ReplyTarget, receipt: Receipt, chunk: ReplyChunk, options: { final: boolean }): Promise<void> {
    const scope = { name: `slack:${target.account}:update`, rate: updatingRate };
    if (options.final) await this.pacer.take([scope]);
    else if (!this.pacer.takeSpare([scope])) return;
    const parameters = { channel: target.chatId, ts: receipt, text: z.string().parse(chunk.payload), ...noPreviews };
    await this.pacer.heed([scope], () => this.api.call('chat.update', parameters));
  }

  /** Slack shows apps the metadata of messages, so what an earlier posting left is found by its key, and only that is deleted. */
  override async sweep(target: ReplyTarget, key: string, receipt: Receipt): Promise<void> {
    const scope = { name: `slack:${target.account}:sweep`, rate: updatingRate };
    // What the platform itself brings (a reminder, the result of a job) answers no message of a person: then the newest 200 are looked through.
    const oldest = target.messageId ?? target.threadId;
    const place = { channel: target.chatId, include_all_metadata: 'true', limit: '200', ...(oldest !== undefined && { oldest }) };
    const answer = await this.pacer.heed([scope], () =>
      target.threadId === undefined
        ? this.api.read('conversations.history', place)
        : this.api.read('conversations.replies', { ...place, ts: target.threadId }),
    );
    const wanted = keyInMetadata(key);
    for (const { ts, metadata } of history.parse(answer).messages) {
      if (ts === receipt || metadata?.event_type !== metadataType || metadata.event_payload.key !== wanted) continue;
      await this.pacer.heed([scope], () => this.api.call('chat.delete', { channel: target.chatId, ts }));
    }
  }

  /** A status belongs to a thread, so there is none outside of threads. */
  async typing(target: ReplyTarget): Promise<void> {
    const scope = { name: `slack:${target.account}:status`, rate: statusRate };
    if (target.threadId === undefined || !this.pacer.takeSpare([scope])) return;
    const parameters = { channel_id: target.chatId, thread_ts: target.threadId, status: 'is thinking…' };
    try {
      await this.pacer.heed([scope], () => this.api.call('assistant.threads.setStatus', parameters));
    } catch (error) {
      // The sign is a courtesy: one that fails is not worth a retry, and the port promises not to reject.
      if (isTerminal(error)) this.pacer.rest([scope], statusBreakMs);
    }
  }
}

/** Other apps of the workspace can read metadata, and an id of ours is none of their business. */
function keyInMetadata(key: string): string {
  return createHash('sha256').update(key).digest('base64url').slice(0, 22);
}
