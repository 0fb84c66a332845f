import type { ConversationId, TenantId } from '@rockpool/contracts';
import type { Documents, Transaction } from '@rockpool/cloud';
import type { TranscriptMessage } from './agent-runtime.js';
import { paths, type ConversationRecord, type TranscriptRecord, type TurnRecord } from './records.js';

/** What of a session can be shown to an agent: newest messages, at most this many; a runtime summarises long before. */
const longestExchange = 400;

/** What was said in a conversation. `/new` begins another session; earlier ones are kept and not shown to the agent. */
export class Transcript {
  constructor(private readonly documents: Documents) {}

  /** The current session after what its summary covers, oldest first. */
  async exchange(tenantId: TenantId, conversation: ConversationRecord): Promise<TranscriptRecord[]> {
    if (conversation.messages === 0) return [];
    const page = await this.documents.query<TranscriptRecord>({
      from: { collection: paths.messages(tenantId, conversation.conversationId) },
      where: { session: conversation.session },
      range: { field: 'n', gt: conversation.summaryThrough ?? 0 },
      orderBy: { field: 'n', direction: 'desc' },
      limit: longestExchange,
    });
    return page.items.map((item) => item.data).reverse();
  }

  /** Adds messages within the caller's transaction and returns the conversation with its new count. */
  append(
    transaction: Transaction,
    conversation: ConversationRecord,
    turn: TurnRecord,
    messages: readonly TranscriptMessage[],
  ): ConversationRecord {
    let n = conversation.messages;
    for (const message of messages) {
      n += 1;
      const record: TranscriptRecord = { ...message, n, session: conversation.session, eventId: turn.eventId };
      transaction.set(this.path(turn.tenantId, turn.conversationId, n), record);
    }
    return { ...conversation, messages: n };
  }

  private path(tenantId: TenantId, conversationId: ConversationId, n: number): string {
    return paths.message(tenantId, conversationId, n);
  }
}
