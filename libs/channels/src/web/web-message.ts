import {
  InvalidInput,
  conversationId,
  eventId,
  joinId,
  type ConversationId,
  type InboundMessage,
  type ReplyTarget,
  type TenantId,
} from '@rockpool/contracts';
import { z } from 'zod';

/** Longest message a visitor may send, in UTF-16 units. */
export const maxWebTextLength = 20_000;

/** What a visitor's page or terminal posts. `id` is a UUID the sender makes once per message and keeps on a retry: the same id is the same event. */
export const webMessageInput = z.object({
  id: z.uuid().transform((id) => id.toLowerCase()),
  text: z
    .string()
    .max(maxWebTextLength, `a message has at most ${maxWebTextLength} characters`)
    .transform((text) => text.toWellFormed())
    .refine((text) => text.trim() !== '', 'a message has some text'),
});
export type WebMessageInput = z.output<typeof webMessageInput>;

/** The conversation of one visitor with one tenant's assistant. */
export function webConversationId(tenantId: TenantId, visitorId: string): ConversationId {
  return conversationId.parse(joinId('web', tenantId, visitorId));
}

/** Validates what was posted. Throws `InvalidInput` that names the rule. */
export function parseWebMessage(body: unknown): WebMessageInput {
  const input = webMessageInput.safeParse(body);
  if (input.success) return input.data;
  const issue = input.error.issues[0];
  throw new InvalidInput(`the message does not fit: ${issue?.path.join('.') || 'body'}: ${issue?.message ?? 'invalid'}`);
}

/** The platform's event for a message of a proven visitor: a pure function of tenant, visitor and the sender's id, but for the time. */
export function webInboundMessage(tenantId: TenantId, visitorId: string, input: WebMessageInput, receivedAt: Date): InboundMessage {
  const at = receivedAt.toISOString();
  const target: ReplyTarget = { channel: 'web', account: tenantId, chatId: visitorId, messageId: input.id, shared: false };
  return {
    eventId: eventId.parse(joinId('web', tenantId, visitorId, input.id)),
    tenantId,
    conversationId: webConversationId(tenantId, visitorId),
    kind: 'message',
    providerType: 'message',
    target,
    chatKind: 'direct',
    sender: { id: visitorId, isBot: false },
    text: input.text,
    attachments: [],
    addressed: true,
    sentAt: at,
    receivedAt: at,
  };
}
