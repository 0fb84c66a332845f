import type { ReplyTarget, TenantId } from '@rockpool/contracts';
import { ReplyChannel, type Receipt, type ReplyChunk } from '@rockpool/conversations';
import { renderHtml } from '../markdown/index.js';
import type { WebFeed } from './web-feed.js';
import { webConversationId } from './web-message.js';

/** Answers into the feed of a visitor's conversation: the browser or terminal that follows it sees them at once, another one when it comes. */
export class WebReplyChannel extends ReplyChannel {
  readonly guarantee = 'key';

  /** `updateIntervalMs`: 80 where writes are cheap; Firestore takes about one sustained write a second a document, so 1000 there. */
  constructor(
    private readonly feed: WebFeed,
    private readonly tenantId: TenantId,
    readonly updateIntervalMs = 80,
  ) {
    super();
  }

  render(markdown: string): ReplyChunk[] {
    return markdown === '' ? [] : [{ text: markdown, payload: renderHtml(markdown) }];
  }

  place(target: ReplyTarget, key: string): Promise<Receipt> {
    return this.feed.place(this.tenantId, this.#conversation(target), key, target.messageId);
  }

  async update(target: ReplyTarget, receipt: Receipt, chunk: ReplyChunk, options: { final: boolean }): Promise<void> {
    await this.feed.write(this.tenantId, this.#conversation(target), receipt, {
      text: chunk.text,
      html: String(chunk.payload),
      state: options.final ? 'final' : 'streaming',
      messageId: target.messageId,
    });
  }

  async typing(target: ReplyTarget): Promise<void> {
    // A sign that is not shown costs nobody anything: the port promises that this never rejects.
    await this.feed.showTyping(this.tenantId, this.#conversation(target)).catch(() => undefined);
  }

  #conversation(target: ReplyTarget) {
    return webConversationId(this.tenantId, target.chatId);
  }
}
