import { z } from 'zod';
import { TelegramApi } from './telegram-api.js';

const botUser = z.object({ id: z.int(), username: z.string() });

/** What a bot is asked to deliver. Reactions and other members' comings and goings are sent only to bots that ask for them. */
const wantedUpdates = [
  'message',
  'edited_message',
  'channel_post',
  'edited_channel_post',
  'message_reaction',
  'callback_query',
  'my_chat_member',
  'chat_member',
];

/**
 * Tells Telegram where to deliver a bot's updates, and with which secret. Doing it again changes nothing. Rejects with `TerminalError` in Telegram's own
 * words when the token or the URL is refused. https://core.telegram.org/bots/api#setwebhook
 */
export async function setTelegramWebhook(options: {
  readonly apiUrl: string;
  readonly botToken: string;
  readonly url: string;
  /** 1 to 256 of `A-Za-z0-9_-`. */
  readonly secretToken: string;
  readonly allowedUpdates?: readonly string[];
}): Promise<void> {
  const { apiUrl, botToken, url, secretToken, allowedUpdates = wantedUpdates } = options;
  await new TelegramApi(apiUrl, botToken).call('setWebhook', { url, secret_token: secretToken, allowed_updates: allowedUpdates });
}

/** Who a token belongs to. Rejects with `TerminalError` when Telegram does not know it. https://core.telegram.org/bots/api#getme */
export async function getTelegramMe(options: {
  readonly apiUrl: string;
  readonly botToken: string;
}): Promise<{ id: string; username: string }> {
  const { id, username } = botUser.parse(await new TelegramApi(options.apiUrl, options.botToken).call('getMe', {}));
  return { id: String(id), username };
}
