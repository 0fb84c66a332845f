import type { ChatHistory } from './chat-history.js';
import type { TelegramUser } from './types.js';
import type { WebhookQueue } from './webhook-queue.js';

/** Where a bot's updates go. */
export interface TelegramWebhook {
  readonly url: string;
  /** Sent back in `X-Telegram-Bot-Api-Secret-Token`. */
  readonly secret?: string;
  readonly maxConnections: number;
  /** Kinds of update that are delivered; the default leaves out reactions and membership, as Telegram does. */
  readonly allowedUpdates?: readonly string[];
}

/** A bot to simulate. */
export interface TelegramBotOptions {
  /** `<id>:<secret>`, as BotFather gives it. */
  readonly token: string;
  readonly username?: string;
  readonly name?: string;
  /** Delivers at once, as if setWebhook had been called. */
  readonly webhook?: { readonly url: string; readonly secret?: string };
  /** Without it (as by default) a bot in a group gets only commands, mentions and replies to itself. */
  readonly readsAllGroupMessages?: boolean;
}

// What Telegram leaves out unless it is asked for. https://core.telegram.org/bots/api#setwebhook
const onRequestOnly = new Set(['chat_member', 'message_reaction', 'message_reaction_count']);

/** A bot: its identity, its webhook, the chats that know it. */
export class TelegramBot {
  readonly id: number;
  readonly token: string;
  readonly user: TelegramUser;
  readonly readsAllGroupMessages: boolean;
  /** Chats by id: private ones that people opened, groups it is a member of. */
  readonly chats = new Map<number, ChatHistory>();
  webhook: TelegramWebhook | undefined;
  private updateId: number;
  private messageId = 0;

  constructor(
    options: TelegramBotOptions,
    readonly queue: WebhookQueue,
  ) {
    const id = /^([1-9]\d{0,15}):[A-Za-z0-9_-]+$/.exec(options.token)?.[1];
    if (id === undefined) throw new Error(`a bot token is "<id>:<letters, digits, - and _>", not "${options.token}"`);
    this.id = Number(id);
    this.token = options.token;
    this.user = { id: this.id, is_bot: true, first_name: options.name ?? `Bot ${id}`, username: options.username ?? `bot${id}_bot` };
    this.readsAllGroupMessages = options.readsAllGroupMessages ?? false;
    this.updateId = 100_000_000 + (this.id % 1_000_000);
    if (options.webhook) this.webhook = { ...options.webhook, maxConnections: 40 };
  }

  nextUpdateId(): number {
    return ++this.updateId;
  }

  readonly nextMessageId = (): number => ++this.messageId;

  /** Whether an update of this kind is delivered to the webhook. */
  wants(kind: string): boolean {
    const allowed = this.webhook?.allowedUpdates;
    return allowed && allowed.length > 0 ? allowed.includes(kind) : !onRequestOnly.has(kind);
  }
}
