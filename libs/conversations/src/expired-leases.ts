import type { ConversationId, TenantId } from '@rockpool/contracts';
import type { Documents } from '@rockpool/cloud';
import { paths, type ConversationRecord, type TurnRecord } from './records.js';

const pageSize = 100;

/**
 * Clears leases that ran out in conversations with nothing open, so that what is on record is what is so. Where something is open the next claim takes the lease over, and a
 * holder that is still alive is refused by its token in any case. Any number of processes may do this beside running hosts.
 */
export class ExpiredLeases {
  constructor(private readonly documents: Documents) {}

  /** Resolves with how many were cleared: all of them, or those it came to before the signal. */
  async clear(signal: AbortSignal): Promise<number> {
    const before = this.documents.now();
    let cleared = 0;
    let cursor: string | undefined;
    do {
      const page = await this.documents.query<ConversationRecord>({
        from: { group: 'conversations' },
        range: { field: 'lease.expiresAt', lt: before },
        orderBy: { field: 'lease.expiresAt' },
        limit: pageSize,
        ...(cursor && { cursor }),
      });
      for (const { data } of page.items) {
        if (signal.aborted) return cleared;
        if (await this.clearOne(data.tenantId, data.conversationId)) cleared++;
      }
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return cleared;
  }

  private clearOne(tenantId: TenantId, conversationId: ConversationId): Promise<boolean> {
    const path = paths.conversation(tenantId, conversationId);
    return this.documents.transaction(async (transaction) => {
      const conversation = (await transaction.get<ConversationRecord>(path))?.data;
      if (!conversation?.lease || conversation.lease.expiresAt > this.documents.now()) return false;
      const open = await transaction.query<TurnRecord>(
        { from: { collection: paths.turns(tenantId) }, where: { conversationId, open: true }, orderBy: { field: 'seq' }, limit: 1 },
        { guard: path },
      );
      if (open.items.length > 0) return false;
      const { lease: _, ...free } = conversation;
      transaction.set(path, free);
      return true;
    });
  }
}
