import { RetryLater, TerminalError, type ReplyTarget } from '@rockpool/contracts';
import { ReplyChannel, type Receipt, type ReplyChunk } from '@rockpool/conversations';
import { z } from 'zod';
import { plainText } from '../markdown/plain-text.js';
import { postOnce, retryAfterMs } from '../provider-call.js';
import { signatureOf } from './standard-webhooks.js';

const markdownPayload = z.string();
/** Statuses with which a receiver says "not now" rather than "never". */
const later = new Set([408, 409, 425, 429, 503]);

/** Where a tenant's answers go, and the `whsec_` secret that signs them. */
export interface HttpReplyDestination {
  readonly replyUrl: string;
  readonly secret: string;
}

/**
 * Posts each complete answer to the address the tenant's operator gave, signed by Standard Webhooks:
 * `{ "type": "message.reply", "data": { "conversation", "inReplyTo", "text", "markdown", "final": true } }`. `webhook-id` is the same for every repetition of one
 * answer, so that the receiver can drop all but the first. Without an address nothing is sent: the caller reads the answer from the reply ledger.
 */
export class HttpReplyChannel extends ReplyChannel {
  readonly guarantee = 'key';
  override readonly edits = false;
  /** Only complete answers are sent. */
  readonly updateIntervalMs = 60_000;

  constructor(
    private readonly destination: HttpReplyDestination | undefined,
    private readonly now: () => number = Date.now,
  ) {
    super();
  }

  render(markdown: string): ReplyChunk[] {
    return markdown === '' ? [] : [{ text: plainText(markdown), payload: markdown.toWellFormed() }];
  }

  /** The key is all there is of an answer before it is sent. */
  place(_target: ReplyTarget, key: string): Promise<Receipt> {
    return Promise.resolve(key);
  }

  async update(target: ReplyTarget, receipt: Receipt, chunk: ReplyChunk, options: { final: boolean }): Promise<void> {
    if (!options.final || this.destination === undefined) return;
    const body = JSON.stringify({
      type: 'message.reply',
      timestamp: new Date(this.now()).toISOString(),
      data: {
        conversation: target.chatId,
        inReplyTo: target.messageId ?? null,
        text: chunk.text,
        markdown: markdownPayload.parse(chunk.payload),
        final: true,
      },
    });
    await this.post(this.destination, receipt, body);
  }

  /** There is nobody to show it to. */
  typing(): Promise<void> {
    return Promise.resolve();
  }

  private async post({ replyUrl, secret }: HttpReplyDestination, id: string, body: string): Promise<void> {
    const timestamp = String(Math.floor(this.now() / 1000));
    const { status, headers } = await postOnce('the reply webhook', replyUrl, {
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': signatureOf(secret, { id, timestamp, body: Buffer.from(body) }),
      },
      body,
    });
    if (status >= 200 && status < 300) return;
    if (later.has(status)) throw new RetryLater(retryAfterMs(headers, 5_000, this.now()), `the reply address answered ${status}`);
    if (status < 500)
      throw new TerminalError(`the reply address answered ${status}${status < 400 ? ', and redirects are not followed' : ''}`);
    throw new Error(`the reply address answered ${status}`);
  }
}
