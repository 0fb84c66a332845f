import type { Attachment, InboundMessage } from '@rockpool/contracts';
import type { TelegramEntity, TelegramFile, TelegramMessage } from './telegram-types.js';

/**
 * The bot an update was sent to. When nobody told its `username`, every name that ends in `bot`, as all bots' names do, is taken for it: to answer for another
 * bot once in a while is better than to be deaf in every group.
 */
export interface TelegramBot {
  readonly id: string;
  readonly username?: string;
}

const fileKinds = [
  ['animation', 'video'],
  ['video', 'video'],
  ['video_note', 'video'],
  ['audio', 'audio'],
  ['voice', 'audio'],
  ['document', 'document'],
  ['sticker', 'sticker'],
] as const;

/** What came with a message. An animation is also sent as a document and a venue as a location, for old clients: each is listed once. */
export function attachmentsOf(message: TelegramMessage): Attachment[] {
  const found: Attachment[] = [];
  const largest = message.photo?.at(-1);
  if (largest !== undefined) found.push(fileAttachment('image', largest));
  for (const [field, kind] of fileKinds) {
    const file = message[field];
    if (file !== undefined && !(field === 'document' && message.animation !== undefined)) found.push(fileAttachment(kind, file));
  }
  if (message.location !== undefined) {
    const { latitude, longitude } = message.location;
    const name = [message.venue?.title, message.venue?.address].filter((part) => part !== undefined).join(', ');
    found.push({ kind: 'location', reference: `${latitude},${longitude}`, ...(name !== '' && { name }) });
  }
  if (message.contact !== undefined) {
    const { first_name, last_name, phone_number } = message.contact;
    found.push({ kind: 'contact', name: fullName(first_name, last_name), reference: phone_number });
  }
  return found;
}

function fileAttachment(kind: Attachment['kind'], file: TelegramFile): Attachment {
  return {
    kind,
    reference: file.file_id,
    ...(file.file_name !== undefined && { name: file.file_name }),
    ...(file.mime_type !== undefined && { mimeType: file.mime_type }),
    ...(file.file_size !== undefined && { sizeBytes: file.file_size }),
  };
}

/** What a person reads in a message: its text or caption, or what a sticker, dice or poll says in words. */
function textOf(message: TelegramMessage): string {
  if (message.text !== undefined) return message.text;
  if (message.caption !== undefined) return message.caption;
  if (message.sticker?.emoji !== undefined) return message.sticker.emoji;
  if (message.dice !== undefined) return `${message.dice.emoji} ${message.dice.value}`;
  if (message.poll !== undefined) return [message.poll.question, ...message.poll.options.map((option) => `- ${option.text}`)].join('\n');
  return '';
}

/**
 * Whether a message speaks to the bot, and its text without the words that only say so: a leading `@bot`, and the `@bot` of a leading `/command@bot`. A
 * command without a name is for every bot that hears it, one that names another bot is not for this one.
 */
export function addressOf(message: TelegramMessage, bot: TelegramBot): { addressed: boolean; text: string } {
  const text = textOf(message);
  const entities = (message.text !== undefined ? message.entities : message.caption_entities) ?? [];
  const naming = entities.filter((entity) => namesBot(entity, text, bot));
  const opening = naming.find((entity) => text.slice(0, entity.offset).trim() === '');
  const addressed = naming.length > 0 || repliesToBot(message, bot);
  return { addressed, text: opening === undefined ? text : withoutName(text, opening) };
}

function namesBot(entity: TelegramEntity, text: string, bot: TelegramBot): boolean {
  const said = text.slice(entity.offset, entity.offset + entity.length);
  const named = (username: string) =>
    bot.username === undefined ? /bot$/i.test(username) : username.toLowerCase() === bot.username.toLowerCase();
  if (entity.type === 'text_mention') return String(entity.user?.id) === bot.id;
  if (entity.type === 'mention') return named(said.slice(1));
  if (entity.type !== 'bot_command') return false;
  const [, username] = said.split('@');
  return username === undefined ? entity.offset === 0 : named(username);
}

function repliesToBot(message: TelegramMessage, bot: TelegramBot): boolean {
  const replied = message.reply_to_message;
  return replied !== undefined && replied.forum_topic_created === undefined && String(replied.from?.id) === bot.id;
}

function withoutName(text: string, opening: TelegramEntity): string {
  const end = opening.offset + opening.length;
  const said = text.slice(opening.offset, end);
  if (opening.type === 'bot_command') return `${said.split('@')[0]}${text.slice(end)}`;
  return text.slice(end).replace(/^[\s,:]+/, '');
}

/**
 * Who wrote it. An anonymous admin and a channel speak as a chat, through a stand-in bot account that is the same for everybody; the chat is the sender then.
 */
export function senderOf(message: TelegramMessage): InboundMessage['sender'] {
  if (message.sender_chat !== undefined) {
    const { id, title } = message.sender_chat;
    return { id: String(id), isBot: false, ...(title !== undefined && { displayName: title }) };
  }
  if (message.from === undefined) return { id: String(message.chat.id), isBot: false };
  return personOf(message.from);
}

/** A user as a sender. */
export function personOf(user: { id: number; is_bot?: boolean; first_name?: string; last_name?: string }): InboundMessage['sender'] {
  const displayName = fullName(user.first_name, user.last_name);
  return { id: String(user.id), isBot: user.is_bot === true, ...(displayName !== '' && { displayName }) };
}

function fullName(first: string | undefined, last: string | undefined): string {
  return [first, last].filter((part) => part !== undefined && part !== '').join(' ');
}

/**
 * The thread a reply must name to arrive where the message was. Ordinary groups number reply chains in the same field, but refuse it on sending, so it
 * counts in forum topics only. A channel's direct messages have a topic for each person; they are told apart by the prefix.
 */
export function threadOf(message: TelegramMessage): string | undefined {
  if (message.direct_messages_topic !== undefined) return `${directTopicPrefix}${message.direct_messages_topic.topic_id}`;
  return message.is_topic_message === true && message.message_thread_id !== undefined ? String(message.message_thread_id) : undefined;
}

/** Marks a thread id as a topic of a channel's direct messages. */
export const directTopicPrefix = 'direct:';
