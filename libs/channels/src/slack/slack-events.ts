import type { Attachment, InboundMessage } from '@rockpool/contracts';
import { isoOfSeconds, makeEventId } from '../inbound-ids.js';
import { isDirectChannel, type SlackApp } from './slack-app.js';
import { mentionedUsers, readableText, withoutLeadingMention } from './slack-text.js';
import type { SlackEvent, SlackFile, SlackMessage } from './slack-types.js';

/** Subtypes of `message` in which a person says something. https://docs.slack.dev/reference/events/message#subtypes */
const spoken = new Set([undefined, 'file_share', 'me_message', 'thread_broadcast']);

const subtypeKinds: Readonly<Record<string, InboundMessage['kind']>> = {
  message_changed: 'edit',
  message_deleted: 'edit',
  channel_join: 'membership',
  channel_leave: 'membership',
  group_join: 'membership',
  group_leave: 'membership',
};

const eventKinds: Readonly<Record<string, InboundMessage['kind']>> = {
  reaction_added: 'reaction',
  reaction_removed: 'reaction',
  member_joined_channel: 'membership',
  member_left_channel: 'membership',
  team_join: 'membership',
  channel_left: 'membership',
  group_left: 'membership',
  app_uninstalled: 'status',
  tokens_revoked: 'status',
};

/** One event of the Events API in the normal form; `undefined` when the app itself is the one who spoke or acted. */
export function readSlackEvent(
  event: SlackEvent,
  app: SlackApp,
  delivery: { eventId: string; eventTime?: number },
): InboundMessage | undefined {
  const speaks =
    event.type === 'app_mention' || (event.type === 'message' && (spoken.has(event.subtype) || event.subtype === 'bot_message'));
  return speaks ? readSpoken(event, app, delivery.eventId) : readOccurrence(event, app, delivery);
}

/**
 * A message comes as `message`, as `app_mention` and, when Slack retries under a new number, under several event ids; all of them have one channel and `ts`.
 * In a channel the answer goes into the message's thread, so a message outside of any thread opens a conversation of its own.
 */
function readSpoken(event: SlackEvent, app: SlackApp, eventId: string): InboundMessage | undefined {
  if (isOwn(event, app)) return undefined;
  const { channel, ts } = event;
  const direct = isDirectChannel(channel, event.channel_type);
  const isBot = event.bot_id !== undefined || event.subtype === 'bot_message';
  const mentions = mentionedUsers(event.text ?? '');
  const addressed =
    direct ||
    event.type === 'app_mention' ||
    mentions.some((user) => app.isBotUser(user)) ||
    (event.parent_user_id !== undefined && app.isBotUser(event.parent_user_id));
  // Which mention is the bot's is unknown without authorizations; an `app_mention` with one mention leaves no doubt.
  const addressees = event.type === 'app_mention' && mentions.length === 1 ? new Set(mentions) : app.botUserIds;
  // Then too, `message` cannot tell that the bot is meant; it must not take the id from the `app_mention` that can.
  const mayHideMention = !addressed && mentions.length > 0 && app.botUserIds.size === 0;
  const identified = channel !== undefined && ts !== undefined && !mayHideMention;
  return {
    ...app.envelope({ channel, threadTs: event.thread_ts ?? (direct ? undefined : ts), messageTs: ts, direct }),
    eventId: identified ? makeEventId('slack', app.id, app.team, channel, ts) : makeEventId('slack', app.id, eventId),
    kind: isBot ? 'other' : 'message',
    providerType: event.subtype === undefined ? event.type : `${event.type}.${event.subtype}`,
    sender: senderOf(event, app, isBot),
    text: readableText(withoutLeadingMention(event.text ?? '', addressees)),
    attachments: (event.files ?? []).map(fileAttachment),
    addressed,
    sentAt: isoOfSeconds(secondsOf(ts), app.receivedAt),
  };
}

function readOccurrence(event: SlackEvent, app: SlackApp, delivery: { eventId: string; eventTime?: number }): InboundMessage | undefined {
  const subject = event.message ?? event.previous_message;
  const kind = (event.subtype !== undefined ? subtypeKinds[event.subtype] : eventKinds[event.type]) ?? 'other';
  const author = subject ?? { ...event, user: event.user ?? event.user_id ?? event.assistant_thread?.user_id };
  if (kind !== 'membership' && isOwn(author, app)) return undefined;
  const channel = event.channel ?? event.channel_id ?? event.item?.channel ?? event.assistant_thread?.channel_id;
  const direct = isDirectChannel(channel, event.channel_type);
  const messageTs = subject?.ts ?? event.deleted_ts ?? event.item?.ts;
  const threadTs = subject?.thread_ts ?? event.assistant_thread?.thread_ts ?? (direct ? undefined : subject?.ts);
  const text = event.reaction !== undefined ? `:${event.reaction}:` : event.subtype === 'message_deleted' ? '' : (subject ?? event).text;
  return {
    ...app.envelope({ channel, threadTs, messageTs, direct }),
    eventId: makeEventId('slack', app.id, delivery.eventId),
    kind,
    providerType: event.subtype === undefined ? event.type : `${event.type}.${event.subtype}`,
    sender: senderOf(author, app, author.bot_id !== undefined),
    text: readableText(text ?? ''),
    attachments: (subject?.files ?? []).map(fileAttachment),
    addressed: direct,
    sentAt: isoOfSeconds(secondsOf(event.event_ts) ?? delivery.eventTime, app.receivedAt),
  };
}

/** Slack delivers an app's own messages and edits to it as well; answering them would never end. */
function isOwn(message: SlackMessage, app: SlackApp): boolean {
  const madeBy = message.app_id ?? message.bot_profile?.app_id;
  return app.isBotUser(message.user) || (message.bot_id !== undefined && madeBy === app.id);
}

function senderOf(message: SlackMessage, app: SlackApp, isBot: boolean): InboundMessage['sender'] {
  const user = message.user ?? message.bot_id ?? 'none';
  const displayName = message.user_profile?.display_name || message.user_profile?.real_name || message.username;
  return {
    id: app.senderId(user, message.user_team ?? message.source_team ?? message.team),
    isBot,
    ...(displayName && { displayName }),
  };
}

function fileAttachment(file: SlackFile): Attachment {
  const name = file.name ?? file.title;
  const reference = file.url_private ?? file.id;
  return {
    kind: kindOfMimeType(file.mimetype),
    ...(name !== undefined && { name }),
    ...(file.mimetype !== undefined && { mimeType: file.mimetype }),
    ...(file.size !== undefined && { sizeBytes: file.size }),
    ...(reference !== undefined && { reference }),
  };
}

function kindOfMimeType(mimeType: string | undefined): Attachment['kind'] {
  const [family] = (mimeType ?? '').split('/');
  return family === 'image' || family === 'audio' || family === 'video' ? family : 'document';
}

function secondsOf(ts: string | undefined): number | undefined {
  return ts !== undefined && /^\d+(?:\.\d+)?$/.test(ts) ? Number(ts) : undefined;
}
