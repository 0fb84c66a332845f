import { signTelegram } from '../signatures.js';
import type { SignedRequest } from '../wire/post-webhook.js';
import { detected } from './formatting.js';
import type { TelegramUpdate } from './types.js';

/** What {@link telegramUpdate} fills in when it is not given. */
export interface TelegramUpdateOptions {
  /** Unique per bot; a second delivery has the same. */
  readonly updateId: number;
  readonly text?: string;
  /** The chat; a person's private chat has the person's id, a group's is negative. */
  readonly chatId?: number;
  readonly fromId?: number;
  readonly messageId?: number;
  /** The webhook's secret; without it the header is left out. */
  readonly secret?: string;
  /** Replaces everything but `update_id`: `{ edited_message: … }`, `{ callback_query: … }`, or nonsense. */
  readonly content?: Record<string, unknown>;
}

/** A webhook request as Telegram would send it for one message, ready to be posted or to be spoilt. */
export function telegramUpdate(options: TelegramUpdateOptions): SignedRequest & { readonly update: TelegramUpdate } {
  const { updateId, text = 'Hello', fromId = 12345, chatId = fromId, messageId = updateId % 1_000_000, secret } = options;
  const from = { id: fromId, is_bot: false, first_name: 'Person', language_code: 'en' };
  const chat = chatId > 0 ? { id: chatId, type: 'private', first_name: 'Person' } : { id: chatId, type: 'supergroup', title: 'Group' };
  const entities = detected({ text, entities: [] });
  const message = {
    message_id: messageId,
    from,
    chat,
    date: Math.floor(Date.now() / 1000),
    text,
    ...(entities.length > 0 && { entities }),
  };
  const update: TelegramUpdate = { update_id: updateId, ...(options.content ?? { message }) };
  return { ...signTelegram({ secret, body: JSON.stringify(update) }), update };
}
