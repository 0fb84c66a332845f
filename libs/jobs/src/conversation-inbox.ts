import {
  announcements,
  heartbeatMessage,
  NotFound,
  type ConversationId,
  type EventId,
  type ReplyTarget,
  type TenantId,
} from '@rockpool/contracts';
import type { Documents } from '@rockpool/cloud';
import { paths, type ConversationRecord, type Inbox, type Wakes } from '@rockpool/conversations';
import type { Clock } from './clock.js';

/** What the platform itself puts into an inbox, as the `providerType` of the message: whoever answers tells by it that no person wrote this. */
export const platformMessages = {
  ...announcements,
  prompt: 'rockpool.scheduled-prompt',
  /** The answer may be that there is nothing to say. */
  heartbeat: heartbeatMessage,
} as const;

/** A message of the platform for one conversation. */
export interface PlatformMessage {
  readonly tenantId: TenantId;
  readonly conversationId: ConversationId;
  /** The message is there once, however often it is put. */
  readonly eventId: EventId;
  readonly type: (typeof platformMessages)[keyof typeof platformMessages];
  readonly text: string;
  /** Where the conversation is, should nobody have written in it yet. */
  readonly target?: ReplyTarget;
  /** Epoch milliseconds. */
  readonly at: number;
  /** W3C trace context of what led to it. */
  readonly traceparent?: string;
}

/** Puts messages of the platform into conversations, in order with those of people. */
export class ConversationInbox {
  constructor(
    private readonly documents: Documents,
    private readonly inbox: Inbox,
    private readonly wakes: Wakes,
    private readonly clock: Clock,
  ) {}

  /** Whether something in the conversation waits for an answer, or is being answered. */
  async isBusy(tenantId: TenantId, conversationId: ConversationId): Promise<boolean> {
    return (await this.inbox.open(tenantId, conversationId, 1)).length > 0;
  }

  /** Resolves once it has its place and somebody will look. Rejects with `not_found` when there is no such conversation and no target was given. */
  async put(message: PlatformMessage): Promise<void> {
    const { tenantId, conversationId, eventId, type, text, at, traceparent } = message;
    const conversation = await this.documents.get<ConversationRecord>(paths.conversation(tenantId, conversationId));
    const target = conversation?.data.target ?? message.target;
    if (!target) throw new NotFound(`there is no conversation ${conversationId}`);
    const turn = await this.inbox.append(
      tenantId,
      {
        eventId,
        tenantId,
        conversationId,
        kind: 'message',
        providerType: type,
        target: { ...target, messageId: undefined },
        chatKind: 'direct',
        sender: { id: 'rockpool', displayName: 'Rockpool', isBot: true },
        text,
        attachments: [],
        addressed: true,
        sentAt: new Date(at).toISOString(),
        receivedAt: new Date(this.clock.now()).toISOString(),
      },
      { overlap: 'followup', traceparent },
    );
    if (turn.open) await this.wakes.wake(tenantId, conversationId);
  }
}
