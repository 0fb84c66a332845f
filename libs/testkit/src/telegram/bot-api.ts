import { FloodGate } from '../wire/flood-gate.js';
import { isJson, type Json } from '../wire/json.js';
import type { TelegramBot, TelegramWebhook } from './bot.js';
import type { ChatHistory } from './chat-history.js';
import { BadText, messageText } from './formatting.js';
import { TelegramLimits } from './limits.js';
import { BadRequest, Parameters } from './parameters.js';
import type { TelegramEntity, TelegramMessage } from './types.js';

/** A failure of a method, as Telegram words it. */
export class ApiError extends Error {
  constructor(
    readonly code: number,
    description: string,
    readonly retryAfterSeconds?: number,
  ) {
    super(description);
  }
}

/** A button press that waits for answerCallbackQuery. */
export interface CallbackQuery {
  readonly id: string;
  readonly botId: number;
  answer?: { readonly text?: string; readonly showAlert: boolean };
}

const chatActions = new Set([
  'typing',
  'upload_photo',
  'record_video',
  'upload_video',
  'record_voice',
  'upload_voice',
  'upload_document',
  'choose_sticker',
  'find_location',
  'record_video_note',
  'upload_video_note',
]);

type Method = (bot: TelegramBot, parameters: Parameters) => unknown;

/** The methods of the Bot API that are simulated. https://core.telegram.org/bots/api */
export class BotApi {
  readonly gate = new FloodGate();
  readonly callbacks = new Map<string, CallbackQuery>();
  private readonly limits = new TelegramLimits();
  private readonly methods = new Map<string, Method>(
    Object.entries({
      getMe: (bot) => ({
        ...bot.user,
        can_join_groups: true,
        can_read_all_group_messages: bot.readsAllGroupMessages,
        supports_inline_queries: false,
      }),
      setWebhook: (bot, parameters) => this.setWebhook(bot, parameters),
      deleteWebhook: (bot, parameters) => this.point(bot, undefined, parameters.flag('drop_pending_updates')),
      getWebhookInfo: (bot) => webhookInfo(bot),
      sendMessage: (bot, parameters) => this.sendMessage(bot, parameters),
      editMessageText: (bot, parameters) => this.editMessageText(bot, parameters),
      deleteMessage: (bot, parameters) => this.deleteMessage(bot, parameters),
      sendChatAction: (bot, parameters) => this.sendChatAction(bot, parameters),
      sendMessageDraft: (bot, parameters) => this.sendMessageDraft(bot, parameters),
      answerCallbackQuery: (bot, parameters) => this.answerCallbackQuery(bot, parameters),
      setMessageReaction: (bot, parameters) => this.setMessageReaction(bot, parameters),
    } satisfies Record<string, Method>).map(([name, method]) => [name.toLowerCase(), method]),
  );

  constructor(
    private readonly now: () => number,
    private readonly limited: boolean,
  ) {}

  /** Executes a method, whose name is not case sensitive. Throws {@link ApiError}. */
  call(bot: TelegramBot, method: string, parameters: Json): unknown {
    const found = this.methods.get(method.toLowerCase());
    if (!found) throw new ApiError(404, 'Not Found: method not found');
    try {
      return found(bot, new Parameters(parameters));
    } catch (error) {
      if (error instanceof BadText || error instanceof BadRequest) throw new ApiError(400, `Bad Request: ${error.message}`);
      throw error;
    }
  }

  private setWebhook(bot: TelegramBot, parameters: Parameters): true {
    const url = parameters.text('url') ?? '';
    const secret = parameters.text('secret_token') || undefined;
    // The real service wants HTTPS on one of four ports; on loopback that would help nobody.
    if (url && !/^https?:$/.test(URL.parse(url)?.protocol ?? '')) throw new BadRequest('invalid webhook URL specified');
    if (secret && secret.length > 256) throw new BadRequest('secret token is too long');
    if (secret && !/^[A-Za-z0-9_-]+$/.test(secret)) throw new BadRequest('secret token contains unallowed characters');
    const maxConnections = Math.min(100, Math.max(1, parameters.integer('max_connections') ?? 40));
    const allowed = parameters.list('allowed_updates')?.map(String);
    const webhook = url ? { url, secret, maxConnections, allowedUpdates: allowed ?? bot.webhook?.allowedUpdates } : undefined;
    return this.point(bot, webhook, parameters.flag('drop_pending_updates'));
  }

  private point(bot: TelegramBot, webhook: TelegramWebhook | undefined, dropPending: boolean): true {
    if (dropPending) bot.queue.clear();
    bot.webhook = webhook;
    bot.queue.target(webhook);
    return true;
  }

  private sendMessage(bot: TelegramBot, parameters: Parameters): TelegramMessage {
    const history = this.chatOf(bot, parameters);
    const topicId = this.topicOf(history, parameters);
    const { text, entities } = this.textOf(parameters, 'message is too long');
    const replyTo = this.repliedTo(history, parameters);
    this.reach(bot, history, 'sendMessage');
    return history.post(bot.user, {
      text,
      ...(entities.length > 0 && { entities }),
      ...(topicId !== undefined && { message_thread_id: topicId, is_topic_message: true }),
      ...(replyTo && { reply_to_message: { ...replyTo, reply_to_message: undefined } }),
      ...(parameters.object('reply_markup') && { reply_markup: parameters.object('reply_markup') }),
    });
  }

  private editMessageText(bot: TelegramBot, parameters: Parameters): TelegramMessage {
    const history = this.chatOf(bot, parameters);
    const messageId = parameters.messageId();
    const message = history.find(messageId);
    if (!message) throw new BadRequest('message to edit not found');
    if (message.from.id !== bot.id || message.text === undefined) throw new BadRequest("message can't be edited");
    const parsed = this.textOf(parameters, 'MESSAGE_TOO_LONG');
    const markup = parameters.object('reply_markup');
    this.reach(bot, history, 'editMessageText');
    const before = JSON.stringify([message.text, message.entities ?? [], message.reply_markup]);
    if (before === JSON.stringify([parsed.text, parsed.entities, markup])) {
      throw new BadRequest(
        'message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message',
      );
    }
    return history.edit(messageId, parsed, markup) as TelegramMessage;
  }

  private deleteMessage(bot: TelegramBot, parameters: Parameters): true {
    const history = this.chatOf(bot, parameters);
    const messageId = parameters.messageId();
    const message = history.find(messageId);
    if (!message) throw new BadRequest('message to delete not found');
    const mayDelete = message.from.id === bot.id || history.chat.type === 'private';
    if (!mayDelete || this.now() / 1000 - message.date > 48 * 3600) throw new BadRequest("message can't be deleted");
    return history.delete(messageId) as true;
  }

  private sendChatAction(bot: TelegramBot, parameters: Parameters): true {
    const history = this.chatOf(bot, parameters);
    this.topicOf(history, parameters);
    if (!chatActions.has(parameters.text('action') ?? '')) throw new BadRequest('wrong parameter action in request');
    this.refuseIfBlocked(history);
    history.showAction();
    return true;
  }

  private sendMessageDraft(bot: TelegramBot, parameters: Parameters): true {
    const history = this.chatOf(bot, parameters);
    if (history.chat.type !== 'private') throw new BadRequest('drafts can be sent only to private chats');
    if (!parameters.integer('draft_id')) throw new BadRequest('draft_id must be non-zero');
    this.refuseIfBlocked(history);
    history.showDraft(parameters.text('text') ? this.textOf(parameters, 'message is too long').text : '');
    return true;
  }

  private answerCallbackQuery(bot: TelegramBot, parameters: Parameters): true {
    const query = this.callbacks.get(parameters.text('callback_query_id') ?? '');
    if (!query || query.botId !== bot.id || query.answer) {
      throw new BadRequest('query is too old and response timeout expired or query ID is invalid');
    }
    query.answer = { text: parameters.text('text'), showAlert: parameters.flag('show_alert') };
    return true;
  }

  private setMessageReaction(bot: TelegramBot, parameters: Parameters): true {
    const history = this.chatOf(bot, parameters);
    const messageId = parameters.messageId();
    if (!history.find(messageId)) throw new BadRequest('message to react not found');
    const reactions = (parameters.list('reaction') ?? []).filter(isJson);
    if (reactions.length > 1) throw new BadRequest('REACTIONS_TOO_MANY');
    history.react(
      messageId,
      reactions.map((reaction) => String(reaction['emoji'] ?? reaction['custom_emoji_id'])),
    );
    return true;
  }

  private chatOf(bot: TelegramBot, parameters: Parameters): ChatHistory {
    const chatId = parameters.text('chat_id');
    if (!chatId) throw new BadRequest('chat_id is empty');
    const history = bot.chats.get(Number(chatId));
    if (!history) throw new BadRequest('chat not found');
    return history;
  }

  private topicOf(history: ChatHistory, parameters: Parameters): number | undefined {
    const topicId = parameters.integer('message_thread_id');
    if (topicId !== undefined && !history.hasTopic(topicId)) throw new BadRequest('message thread not found');
    return topicId;
  }

  private textOf(parameters: Parameters, tooLong: string) {
    const entities = parameters.list('entities') as readonly TelegramEntity[] | undefined;
    return messageText(parameters.text('text'), parameters.text('parse_mode'), entities, tooLong);
  }

  private repliedTo(history: ChatHistory, parameters: Parameters): TelegramMessage | undefined {
    const reply = parameters.object('reply_parameters') ?? {};
    const wanted = Number(reply['message_id'] ?? parameters.integer('reply_to_message_id') ?? 0);
    if (!wanted) return undefined;
    const message = history.find(wanted);
    const mayLack = reply['allow_sending_without_reply'] === true || parameters.flag('allow_sending_without_reply');
    if (!message && !mayLack) throw new BadRequest('message to be replied not found');
    return message;
  }

  private refuseIfBlocked(history: ChatHistory): void {
    if (!history.blocked) return;
    const isPrivate = history.chat.type === 'private';
    throw new ApiError(403, isPrivate ? 'Forbidden: bot was blocked by the user' : 'Forbidden: bot was kicked from the supergroup chat');
  }

  /** The last check before something is done: the chat can be reached, and not too often. */
  private reach(bot: TelegramBot, history: ChatHistory, operation: string): void {
    this.refuseIfBlocked(history);
    if (!this.limited) return;
    const seconds = this.gate.admit(operation, this.limits.of(bot.id, history.chat.id), this.now());
    if (seconds > 0) throw new ApiError(429, `Too Many Requests: retry after ${seconds}`, seconds);
  }
}

function webhookInfo(bot: TelegramBot): Json {
  const { lastError, pendingCount } = bot.queue;
  return {
    url: bot.webhook?.url ?? '',
    has_custom_certificate: false,
    pending_update_count: pendingCount,
    ...(bot.webhook && { max_connections: bot.webhook.maxConnections }),
    ...(bot.webhook?.allowedUpdates && { allowed_updates: bot.webhook.allowedUpdates }),
    ...(lastError && { last_error_date: Math.floor(lastError.at / 1000), last_error_message: lastError.message }),
  };
}
