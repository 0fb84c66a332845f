import { inboundMessage, type ConversationId, type InboundMessage, type TenantId } from '@rockpool/contracts';

export const alice = 'alice' as TenantId;
export const chat = 'telegram:1:100' as ConversationId;

/** A Telegram message of Ann to Alice's bot, in the shape ingress publishes. */
export function messageOf(n: number, text: string, changes: Partial<InboundMessage> = {}): InboundMessage {
  const sentAt = new Date(1_700_000_000_000 + n * 1000).toISOString();
  return inboundMessage.parse({
    eventId: `telegram:1:${n}`,
    tenantId: alice,
    conversationId: chat,
    kind: 'message',
    providerType: 'message',
    target: { channel: 'telegram', account: '1', chatId: '100', messageId: String(n) },
    chatKind: 'direct',
    sender: { id: '100', displayName: 'Ann' },
    text,
    addressed: true,
    sentAt,
    receivedAt: sentAt,
    ...changes,
  });
}
