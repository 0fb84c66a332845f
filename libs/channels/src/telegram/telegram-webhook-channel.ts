import { InvalidInput, Unauthenticated, type InboundMessage, type ReplyTarget } from '@rockpool/contracts';
import { isoOfSeconds, makeConversationId, makeEventId } from '../inbound-ids.js';
import { parseJson } from '../json-body.js';
import { onlyHeader, sameSecret, usableSecrets } from '../verification.js';
import type { EndpointCredentials, ParsedWebhook, WebhookChannel, WebhookRequest } from '../webhook-channel.js';
import { addressOf, attachmentsOf, personOf, senderOf, threadOf, type TelegramBot } from './telegram-message.js';
import {
  telegramMessage,
  telegramOccurrence,
  telegramUpdate,
  type TelegramChat,
  type TelegramMessage,
  type TelegramOccurrence,
} from './telegram-types.js';

/** Updates that carry a message, and what each means here. Business messages were written to a person, not to the bot: they are recorded only. */
const messageUpdates: Readonly<Record<string, InboundMessage['kind']>> = {
  message: 'message',
  channel_post: 'message',
  guest_message: 'other',
  business_message: 'other',
  edited_message: 'edit',
  edited_channel_post: 'edit',
  edited_business_message: 'edit',
};

/** The other updates. What is not listed (`inline_query`, `pre_checkout_query`, types yet to come) is `other`. */
const occurrences: Readonly<Record<string, InboundMessage['kind']>> = {
  message_reaction: 'reaction',
  message_reaction_count: 'reaction',
  callback_query: 'callback',
  my_chat_member: 'membership',
  chat_member: 'membership',
  chat_join_request: 'membership',
  business_connection: 'membership',
  deleted_business_messages: 'status',
  poll: 'status',
  poll_answer: 'status',
  chat_boost: 'status',
  removed_chat_boost: 'status',
};

const membershipNotices = new Set(['new_chat_members', 'left_chat_member']);

/**
 * Receives the Bot API's webhooks. https://core.telegram.org/bots/api#setwebhook
 *
 * Telegram signs nothing: the header repeats the secret that `setWebhook` was given, so every bot needs a secret of its own. It delivers an update again
 * until it gets a 2xx, and holds back the chat's later ones meanwhile; so a verified update of an unknown shape is recorded as `other`, never refused.
 */
export class TelegramWebhookChannel implements WebhookChannel {
  readonly name = 'telegram';
  readonly maxBodyBytes = 1024 * 1024;
  readonly retries = true;

  verify(request: WebhookRequest, credentials: EndpointCredentials): void {
    const presented = onlyHeader(request, 'x-telegram-bot-api-secret-token');
    let genuine = false;
    for (const secret of usableSecrets(credentials.signingSecrets)) genuine = sameSecret(presented, secret) || genuine;
    if (!genuine) throw new Unauthenticated('the secret token is not that of this bot');
  }

  parse(request: WebhookRequest, credentials: EndpointCredentials): ParsedWebhook {
    const update = telegramUpdate.safeParse(parseJson(request.body));
    if (!update.success) throw new InvalidInput('the body is not an update: it has no update_id');
    const { update_id: updateId, ...content } = update.data;
    const keys = Object.keys(content);
    const type = keys.find((key) => Object.hasOwn(messageUpdates, key) || Object.hasOwn(occurrences, key)) ?? keys[0] ?? 'empty';
    const message = new UpdateReader(updateId, type, credentials, request.receivedAt).read(content[type]);
    return { messages: message === undefined ? [] : [message] };
  }
}

/** One update on its way to the normal form. */
class UpdateReader {
  private readonly bot: TelegramBot;

  constructor(
    private readonly updateId: number,
    private readonly type: string,
    private readonly credentials: EndpointCredentials,
    private readonly receivedAt: Date,
  ) {
    this.bot = { id: credentials.account, username: credentials.botUsername };
  }

  /** `undefined` when the bot itself wrote it. */
  read(content: unknown): InboundMessage | undefined {
    if (Object.hasOwn(messageUpdates, this.type)) {
      const message = telegramMessage.safeParse(content);
      if (message.success) return this.messageUpdate(message.data, content as object);
    }
    const occurrence = telegramOccurrence.safeParse(content);
    return this.occurrence(occurrence.success ? occurrence.data : {});
  }

  private messageUpdate(message: TelegramMessage, raw: object): InboundMessage | undefined {
    if (String(message.from?.id) === this.bot.id || String(message.via_bot?.id) === this.bot.id) return undefined;
    const sender = senderOf(message);
    const { addressed, text } = addressOf(message, this.bot);
    const attachments = attachmentsOf(message);
    const notice = text === '' && attachments.length === 0 ? noticeOf(raw) : undefined;
    return {
      ...this.envelope(message.chat, threadOf(message), message.message_id),
      kind: notice !== undefined ? noticeKind(notice) : sender.isBot ? 'other' : messageUpdates[this.type]!,
      providerType: notice ?? this.type,
      sender,
      text,
      attachments,
      addressed: addressed || isDirect(message.chat),
      sentAt: isoOfSeconds(message.edit_date ?? message.date, this.receivedAt),
    };
  }

  private occurrence(occurrence: TelegramOccurrence): InboundMessage | undefined {
    const user = occurrence.from ?? occurrence.user;
    if (String(user?.id) === this.bot.id) return undefined;
    const chat = occurrence.chat ?? occurrence.message?.chat ?? (user && { id: user.id, type: 'private' });
    const actor = occurrence.actor_chat ?? chat;
    const thread = occurrence.message && threadOf(occurrence.message);
    return {
      ...this.envelope(chat, thread, occurrence.message?.message_id ?? occurrence.message_id),
      kind: Object.hasOwn(occurrences, this.type) ? occurrences[this.type]! : 'other',
      providerType: this.type,
      sender: user !== undefined ? personOf(user) : { id: String(actor?.id ?? nobody), isBot: false },
      text: wordsOf(occurrence),
      attachments: [],
      addressed: chat === undefined || isDirect(chat) || this.type === 'callback_query',
      sentAt: isoOfSeconds(occurrence.date, this.receivedAt),
    };
  }

  /** What every update has. One that happened in no chat (a poll's count) belongs to a conversation that nobody can write to. */
  private envelope(chat: TelegramChat | undefined, threadId: string | undefined, messageId: number | undefined) {
    const chatId = String(chat?.id ?? nobody);
    const target: ReplyTarget = {
      channel: 'telegram',
      account: this.bot.id,
      chatId,
      ...(threadId !== undefined && { threadId }),
      ...(messageId !== undefined && { messageId: String(messageId) }),
      shared: this.credentials.tenantId === undefined,
    };
    return {
      eventId: makeEventId('telegram', this.bot.id, this.updateId),
      ...(this.credentials.tenantId !== undefined && { tenantId: this.credentials.tenantId }),
      conversationId: makeConversationId('telegram', this.bot.id, chatId, threadId),
      target,
      chatKind: chat === undefined || isDirect(chat) ? ('direct' as const) : ('group' as const),
      receivedAt: this.receivedAt.toISOString(),
    };
  }
}

const nobody = 'none';

function isDirect(chat: TelegramChat): boolean {
  return chat.type === 'private';
}

/** Keys that every message may have; a message without text or attachment is a notice named by its first other key. */
const ordinaryKeys = new Set(['message_id', 'message_thread_id', 'is_topic_message', 'date', 'edit_date', 'chat', 'from', 'sender_chat']);

function noticeOf(message: object): string {
  return Object.keys(message).find((key) => !ordinaryKeys.has(key)) ?? 'empty';
}

function noticeKind(notice: string): InboundMessage['kind'] {
  return membershipNotices.has(notice) ? 'membership' : 'status';
}

function wordsOf(occurrence: TelegramOccurrence): string {
  const reactions = occurrence.new_reaction?.map((reaction) => reaction.emoji ?? reaction.custom_emoji_id ?? '').join(' ');
  return occurrence.data ?? occurrence.query ?? reactions ?? occurrence.question ?? occurrence.new_chat_member?.status ?? '';
}
