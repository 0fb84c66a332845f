import { type ConversationId, type InboundMessage, type TenantId } from '@rockpool/contracts';
export declare const alice: TenantId;
export declare const chat: ConversationId;
/** A Telegram message of Ann to Alice's bot, in the shape ingress publishes. */
export declare function messageOf(n: number, text: string, changes?: Partial<InboundMessage>): InboundMessage;
//# sourceMappingURL=messages.d.ts.map
