import { OutcomeUnknown, type ReplyTarget } from '@rockpool/contracts';
import { ReplyChannel, type KnownMessages, type Receipt, type ReplyChunk } from '@rockpool/conversations';
import { z } from 'zod';
import { splitRuns } from '../markdown/split.js';
import { styledText, textOfRuns } from '../markdown/styled-text.js';
import type { PacedScope, Pacer, Rate } from '../pacing.js';
import { refusalOf, type TelegramApi } from './telegram-api.js';
import { telegramDialect, telegramHtml, telegramPlainText } from './telegram-html.js';
import { directTopicPrefix } from './telegram-message.js';

/**
 * "In a single chat, avoid more than one message per second; short bursts may go over this. In a group, no more than 20 messages per minute. … no more than
 * about 30 messages per second." Edits count as well. Each rate stays a little below, for the way to Telegram is not always equally long.
 * https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
 */
const chatRate: Rate = { burst: 3, perSecond: 0.9 };
const groupRate: Rate = { burst: 3, perSecond: 0.28 };
const botRate: Rate = { burst: 25, perSecond: 25 };

const sentMessage = z.object({ message_id: z.int() });
const payload = z.object({ html: z.string(), plain: z.string() });
const placeholder = '…';
/** A stray is almost always the id before the one that counts. Other chats of the bot take ids from the same sequence, so there may be some between. */
const strayLooks = 20;

/** Answers in Telegram: a placeholder at once, which the answer then replaces. */
export class TelegramReplyChannel extends ReplyChannel {
  readonly guarantee = 'edit';
  readonly updateIntervalMs: number;

  /** The target says whose chat it is, and so how often it may be written to. */
  constructor(
    private readonly api: TelegramApi,
    private readonly pacer: Pacer,
    target: ReplyTarget,
  ) {
    super();
    this.updateIntervalMs = isGroup(target) ? 4_000 : 1_100;
  }

  render(markdown: string): ReplyChunk[] {
    if (markdown === '') return [];
    return splitRuns(styledText(markdown), telegramDialect).map((runs) => ({
      text: textOfRuns(runs),
      payload: { html: telegramHtml(runs), plain: telegramPlainText(runs) },
    }));
  }

  async place(target: ReplyTarget): Promise<Receipt> {
    const scopes = scopesOf(target);
    await this.pacer.take(scopes);
    const result = await this.call(scopes, 'sendMessage', {
      chat_id: target.chatId,
      text: placeholder,
      ...threadParameters(target.threadId),
      ...(isGroup(target) &&
        target.messageId !== undefined && {
          reply_parameters: { message_id: Number(target.messageId), allow_sending_without_reply: true },
        }),
    });
    const sent = sentMessage.safeParse(result);
    if (!sent.success) throw new OutcomeUnknown('sendMessage: the answer names no message');
    return String(sent.data.message_id);
  }

  async update(target: ReplyTarget, receipt: Receipt, chunk: ReplyChunk, options: { final: boolean }): Promise<void> {
    const scopes = scopesOf(target);
    if (options.final) await this.pacer.take(scopes);
    else if (!this.pacer.takeSpare(scopes)) return;
    const { html, plain } = payload.parse(chunk.payload);
    // No preview: for it Telegram fetches an address that a model wrote, and such an address could carry out what the model was told.
    const message = { chat_id: target.chatId, message_id: Number(receipt), link_preview_options: { is_disabled: true } };
    const isDone = await this.edit(scopes, { ...message, text: html, parse_mode: 'HTML' });
    if (isDone || !options.final) return;
    await this.pacer.take(scopes);
    await this.edit(scopes, { ...message, text: plain });
  }

  /**
   * Ids in private chats grow with every message, so a stray has one between the person's message and the placement that counts. What the ledger knows is
   * left alone. Of the rest only an edit that changes nothing ("message is not modified") proves a placeholder of this bot; in a private chat a bot may
   * delete the person's messages too, but not edit them. In groups and topics others of this bot's answers have ids between, which one conversation does not know.
   * What the platform itself brings (a reminder that is due) answers no message of a person: there the last answer before it is where the looking ends.
   */
  override async sweep(target: ReplyTarget, _key: string, receipt: Receipt, known: () => Promise<KnownMessages>): Promise<void> {
    if (isGroup(target) || target.threadId !== undefined) return;
    const { receipts, isComplete } = await known();
    if (!isComplete) return;
    const before = target.messageId === undefined ? lastBefore(receipt, receipts) : Number(target.messageId);
    if (before === undefined) return;
    const least = Math.max(before + 1, Number(receipt) - strayLooks);
    for (let id = Number(receipt) - 1; id >= least; id--) {
      if (receipts.has(String(id)) || !(await this.isPlaceholder(target, id))) continue;
      const scopes = scopesOf(target);
      await this.pacer.take(scopes);
      await this.call(scopes, 'deleteMessage', { chat_id: target.chatId, message_id: id });
    }
  }

  async typing(target: ReplyTarget): Promise<void> {
    const scopes = scopesOf(target);
    if (this.pacer.isResting(scopes)) return;
    const parameters = { chat_id: target.chatId, action: 'typing', ...threadParameters(target.threadId) };
    // The sign is a courtesy: one that fails is not worth a retry, and the port promises not to reject.
    await this.call(scopes, 'sendChatAction', parameters).catch(() => undefined);
  }

  /** False when Telegram cannot parse the text. That a message says it already is a success. */
  private async edit(scopes: readonly PacedScope[], parameters: object): Promise<boolean> {
    try {
      await this.call(scopes, 'editMessageText', parameters);
      return true;
    } catch (error) {
      const refusal = refusalOf(error) ?? '';
      if (refusal.includes('message is not modified')) return true;
      if (refusal.includes("can't parse entities")) return false;
      throw error;
    }
  }

  private async isPlaceholder(target: ReplyTarget, id: number): Promise<boolean> {
    const scopes = scopesOf(target);
    await this.pacer.take(scopes);
    try {
      await this.call(scopes, 'editMessageText', { chat_id: target.chatId, message_id: id, text: placeholder });
      return false;
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      return refusal.includes('message is not modified');
    }
  }

  private call(scopes: readonly PacedScope[], method: string, parameters: object): Promise<unknown> {
    return this.pacer.heed(scopes, () => this.api.call(method, parameters));
  }
}

function scopesOf(target: ReplyTarget): PacedScope[] {
  const bot = `telegram:${target.account}`;
  return [
    { name: `${bot}:${target.chatId}`, rate: isGroup(target) ? groupRate : chatRate },
    { name: bot, rate: botRate },
  ];
}

/** Ids of groups and channels are negative. */
function isGroup(target: ReplyTarget): boolean {
  return target.chatId.startsWith('-');
}

/** The newest of these messages that is older than that one. */
function lastBefore(receipt: Receipt, receipts: ReadonlySet<Receipt>): number | undefined {
  const older = [...receipts].map(Number).filter((id) => id < Number(receipt));
  return older.length === 0 ? undefined : Math.max(...older);
}

function threadParameters(threadId: string | undefined): object {
  if (threadId === undefined) return {};
  return threadId.startsWith(directTopicPrefix)
    ? { direct_messages_topic_id: Number(threadId.slice(directTopicPrefix.length)) }
    : { message_thread_id: Number(threadId) };
}
