import { z } from 'zod';

/**
 * The parts of the Bot API's objects that Rockpool reads. Only what a message cannot be without is required; an optional part of a shape nobody foresaw is
 * as good as absent, so that an addition to the API never costs a message. https://core.telegram.org/bots/api#available-types
 */
function optional<Schema extends z.ZodType>(schema: Schema) {
  return schema.optional().catch(undefined);
}

/** Ids have up to 52 significant bits. */
const id = z.int();

const telegramUser = z.object({
  id,
  is_bot: optional(z.boolean()),
  first_name: optional(z.string()),
  last_name: optional(z.string()),
  username: optional(z.string()),
});

const telegramChat = z.object({ id, type: optional(z.string()), title: optional(z.string()), username: optional(z.string()) });
export type TelegramChat = z.output<typeof telegramChat>;

/** Offsets and lengths count UTF-16 units. */
const entity = z.object({ type: z.string(), offset: z.int().min(0), length: z.int().min(0), user: optional(telegramUser) });
export type TelegramEntity = z.output<typeof entity>;

const file = z.object({
  file_id: z.string(),
  file_size: optional(z.int().min(0)),
  file_name: optional(z.string()),
  mime_type: optional(z.string()),
});
export type TelegramFile = z.output<typeof file>;

const repliedMessage = z.object({
  message_id: id,
  from: optional(telegramUser),
  /** Every message of a forum topic formally replies to the service message that opened it. */
  forum_topic_created: optional(z.looseObject({})),
});

export const telegramMessage = z.object({
  message_id: id,
  date: optional(z.number()),
  edit_date: optional(z.number()),
  chat: telegramChat,
  from: optional(telegramUser),
  sender_chat: optional(telegramChat),
  via_bot: optional(telegramUser),
  message_thread_id: optional(id),
  is_topic_message: optional(z.boolean()),
  direct_messages_topic: optional(z.object({ topic_id: id })),
  reply_to_message: optional(repliedMessage),
  text: optional(z.string()),
  entities: optional(z.array(entity)),
  caption: optional(z.string()),
  caption_entities: optional(z.array(entity)),
  photo: optional(z.array(file)),
  animation: optional(file),
  video: optional(file),
  video_note: optional(file),
  audio: optional(file),
  voice: optional(file),
  document: optional(file),
  sticker: optional(file.extend({ emoji: optional(z.string()) })),
  location: optional(z.object({ latitude: z.number(), longitude: z.number() })),
  venue: optional(z.object({ title: z.string(), address: optional(z.string()) })),
  contact: optional(z.object({ phone_number: z.string(), first_name: z.string(), last_name: optional(z.string()) })),
  dice: optional(z.object({ emoji: z.string(), value: z.int() })),
  poll: optional(z.object({ question: z.string(), options: z.array(z.object({ text: z.string() })) })),
});
export type TelegramMessage = z.output<typeof telegramMessage>;

/** What an update that is no message can say about who did what, and where: each type has some of it. */
export const telegramOccurrence = z.object({
  id: optional(z.string()),
  date: optional(z.number()),
  chat: optional(telegramChat),
  user: optional(telegramUser),
  from: optional(telegramUser),
  actor_chat: optional(telegramChat),
  message: optional(telegramMessage),
  message_id: optional(id),
  data: optional(z.string()),
  query: optional(z.string()),
  question: optional(z.string()),
  new_reaction: optional(z.array(z.object({ emoji: optional(z.string()), custom_emoji_id: optional(z.string()) }))),
  new_chat_member: optional(z.object({ status: z.string() })),
});
export type TelegramOccurrence = z.output<typeof telegramOccurrence>;

/** Every update has a number and one more key, which is its type. */
export const telegramUpdate = z.looseObject({ update_id: z.int().min(0) });
