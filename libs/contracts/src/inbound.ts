import { z } from 'zod';
import { defineEvent } from './event.js';
import { conversationId, eventId, tenantId } from './ids.js';

/** The channels Rockpool can carry. A channel is a folder of libs/channels. */
export const channelName = z.enum(['telegram', 'slack', 'web', 'http']);
export type ChannelName = z.infer<typeof channelName>;

/** Something a person attached. `reference` is the provider's handle (Telegram file id, Slack file id or URL), never the bytes. */
export const attachment = z.object({
  kind: z.enum(['image', 'audio', 'video', 'document', 'location', 'contact', 'sticker', 'other']),
  name: z.string().optional(),
  mimeType: z.string().optional(),
  sizeBytes: z.number().int().nonnegative().optional(),
  reference: z.string().optional(),
});
export type Attachment = z.infer<typeof attachment>;

/**
 * Where a reply goes: enough for the channel to send without reading anything else but credentials. It is made by the channel's parser from
 * verified bytes and stored with the conversation.
 */
export const replyTarget = z.object({
  channel: channelName,
  /** The bot or workspace that received it: Telegram bot id, Slack team id; for web and http the tenant id. */
  account: z.string(),
  chatId: z.string(),
  threadId: z.string().optional(),
  /** The provider's id of the message being answered. */
  messageId: z.string().optional(),
  /** True when the platform's shared bot received it: the reply is sent with the shared credentials. */
  shared: z.boolean().default(false),
});
export type ReplyTarget = z.infer<typeof replyTarget>;

/** One verified event of a channel, in the shape all channels share. Times are ISO 8601 in UTC. */
export const inboundMessage = z.object({
  eventId,
  /** Set when the endpoint was the tenant's own, verified with that tenant's own secret. Absent for shared bots: the dispatcher routes those. */
  tenantId: tenantId.optional(),
  conversationId,
  /** Only `message` starts a turn. The others are gated by the same sender policy and recorded. `other` is a type the parser does not know. */
  kind: z.enum(['message', 'edit', 'reaction', 'callback', 'membership', 'status', 'other']),
  /** Provider's own name of the event (`my_chat_member`, `reaction_added`), for the record. */
  providerType: z.string(),
  target: replyTarget,
  /** `direct`: one person and the bot. `group`: others read along, so the bot answers only when it is addressed. */
  chatKind: z.enum(['direct', 'group']),
  sender: z.object({
    id: z.string(),
    displayName: z.string().optional(),
    isBot: z.boolean().default(false),
  }),
  text: z.string(),
  attachments: z.array(attachment).default([]),
  /** True when the text or a reply addresses this bot. Always true in a direct chat. */
  addressed: z.boolean(),
  sentAt: z.string(),
  receivedAt: z.string(),
});
export type InboundMessage = z.infer<typeof inboundMessage>;

/** A channel delivered something and its signature was right. Published by ingress, received by the dispatcher. */
export const MessageReceived = defineEvent({
  type: 'dev.rockpool.inbound.message-received.v1',
  topic: 'inbound-messages',
  data: inboundMessage,
  orderingKey: (message) => `${message.tenantId ?? 'shared'}/${message.conversationId}`,
});

/** Work request: take this conversation's lease and run its inbox until it is empty. Carries ids only; the claim is in Documents. */
export const DriveConversation = defineEvent({
  type: 'dev.rockpool.conversations.drive.v1',
  topic: 'conversation-wakes',
  data: z.object({ tenantId, conversationId }),
});
