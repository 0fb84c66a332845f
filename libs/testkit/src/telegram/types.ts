import type { Json } from '../wire/json.js';

/** https://core.telegram.org/bots/api#user, what simulated people and bots have. */
export interface TelegramUser {
  readonly id: number;
  readonly is_bot: boolean;
  readonly first_name: string;
  readonly username?: string;
  readonly language_code?: string;
}

/** https://core.telegram.org/bots/api#chat */
export interface TelegramChat {
  readonly id: number;
  readonly type: 'private' | 'supergroup';
  readonly first_name?: string;
  readonly username?: string;
  readonly title?: string;
  readonly is_forum?: true;
}

/** https://core.telegram.org/bots/api#messageentity; offsets and lengths in UTF-16 units. */
export interface TelegramEntity {
  readonly type: string;
  readonly offset: number;
  readonly length: number;
  readonly url?: string;
  readonly language?: string;
  readonly user?: TelegramUser;
  readonly custom_emoji_id?: string;
}

/** Text without its markup, and where the markup was. */
export interface ParsedText {
  readonly text: string;
  readonly entities: readonly TelegramEntity[];
}

/** https://core.telegram.org/bots/api#message, with whatever else a person sent (photo, voice, location …). */
export interface TelegramMessage extends Json {
  message_id: number;
  from: TelegramUser;
  chat: TelegramChat;
  /** Unix time in seconds. */
  date: number;
  edit_date?: number;
  message_thread_id?: number;
  is_topic_message?: true;
  reply_to_message?: TelegramMessage;
  text?: string;
  entities?: readonly TelegramEntity[];
  reply_markup?: unknown;
}

/** https://core.telegram.org/bots/api#update: an id and one field that says what happened. */
export interface TelegramUpdate extends Json {
  readonly update_id: number;
}

/** A message as the person sees it now. */
export interface VisibleMessage {
  readonly messageId: number;
  readonly from: 'bot' | 'person';
  readonly senderId: number;
  readonly topicId?: number;
  readonly replyTo?: number;
  /** Plain text after parsing, as it is now. */
  readonly text: string;
  readonly entities: readonly TelegramEntity[];
  /** Every text it has had, the current one last; `at` in milliseconds since the epoch. */
  readonly revisions: readonly { readonly text: string; readonly at: number }[];
  /** Emoji the bot put on it. */
  readonly reactions: readonly string[];
}
