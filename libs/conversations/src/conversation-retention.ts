import type { Document, Documents } from '@rockpool/cloud';
import type { TenantId } from '@rockpool/contracts';
import { paths, type ConversationRecord, type ReplyRecord, type TranscriptRecord, type TurnRecord } from './records.js';

const pageSize = 200;
const atOnce = 16;

/** Up to when a tenant's things may go. Epoch milliseconds. */
export interface ConversationCutoffs {
  /** What was said before this. */
  readonly messagesBefore: number;
  /** What came and ended before this. */
  readonly turnsBefore: number;
}

/** What was deleted. `isComplete` is false when the signal came first: another run goes on. */
export interface ConversationsForgotten {
  readonly messages: number;
  readonly turns: number;
  readonly isComplete: boolean;
}

/**
 * Deletes what a tenant's plan keeps no longer: what was said, and turns with their reply ledgers. What is open stays, however old it is; a turn goes together with its
 * ledger or not at all. Repeats do no harm, and what a crash left is found again.
 */
export class ConversationRetention {
  constructor(
    private readonly documents: Documents,
    /** Collections below a conversation that show what was said, too: each document has `at`, ISO 8601 in UTC, and goes with the messages of its time. */
    private readonly shown: readonly string[] = [],
  ) {}

  async run(tenantId: TenantId, cutoffs: ConversationCutoffs, signal: AbortSignal): Promise<ConversationsForgotten> {
    const messages = await this.forgetMessages(tenantId, cutoffs.messagesBefore, signal);
    const turns = await this.forgetTurns(tenantId, cutoffs.turnsBefore, signal);
    return { messages, turns, isComplete: !signal.aborted };
  }

  /** Deletes the conversations themselves, for a tenant that is gone for good. One in which something is open, or said meanwhile, stays for another run. */
  async forgetConversations(tenantId: TenantId, signal: AbortSignal): Promise<boolean> {
    let all = true;
    await this.eachConversation(tenantId, signal, async ({ path, data }) => {
      const gone = await this.documents.transaction(async (transaction) => {
        const conversation = (await transaction.get<ConversationRecord>(path))?.data;
        const { conversationId } = data;
        const query = { where: { conversationId, open: true }, orderBy: { field: 'seq' }, limit: 1 } as const;
        const open = await transaction.query({ from: { collection: paths.turns(tenantId) }, ...query }, { guard: path });
        const said = await transaction.query({ from: { collection: paths.messages(tenantId, conversationId) }, limit: 1 });
        if (!conversation || open.items.length > 0 || said.items.length > 0) return conversation === undefined;
        transaction.delete(path);
        return true;
      });
      all &&= gone;
    });
    return all && !signal.aborted;
  }

  private async forgetMessages(tenantId: TenantId, before: number, signal: AbortSignal): Promise<number> {
    let forgotten = 0;
    await this.eachConversation(tenantId, signal, async ({ path, data }) => {
      // A summary says what was said: it goes when all of that may.
      if (data.summary !== undefined && data.updatedAt < before) await this.forgetSummary(path, before);
      for (const name of this.shown) await this.forgetShown(`${path}/${name}`, before, signal);
      for (let isMore = data.messages > 0; isMore && !signal.aborted;) {
        const page = await this.documents.query<TranscriptRecord>({
          from: { collection: paths.messages(tenantId, data.conversationId) },
          limit: pageSize,
        });
        const old = page.items.filter((message) => Date.parse(message.data.at) < before);
        if (old.length > 0)
          await this.documents.transaction(async (transaction) => {
            for (const message of old) transaction.delete(message.path);
          });
        forgotten += old.length;
        isMore = old.length === page.items.length && page.nextCursor !== undefined;
      }
    });
    return forgotten;
  }

  private async forgetShown(collection: string, before: number, signal: AbortSignal): Promise<void> {
    const range = { field: 'at', lt: new Date(before).toISOString() };
    for (let isMore = true; isMore && !signal.aborted;) {
      const { items } = await this.documents.query({ from: { collection }, range, orderBy: { field: 'at' }, limit: pageSize });
      isMore = items.length === pageSize;
      if (items.length > 0)
        await this.documents.transaction(async (transaction) => {
          for (const { path } of items) transaction.delete(path);
        });
    }
  }

  private forgetSummary(path: string, before: number): Promise<void> {
    return this.documents.transaction(async (transaction) => {
      const conversation = (await transaction.get<ConversationRecord>(path))?.data;
      if (!conversation || conversation.lease || conversation.updatedAt >= before) return;
      const { summary: _, summaryThrough: __, ...rest } = conversation;
      // What the summary covered is not to be shown again, should some of it be there still.
      transaction.set(path, { ...rest, session: conversation.session + 1 } satisfies ConversationRecord);
    });
  }

  private async forgetTurns(tenantId: TenantId, before: number, signal: AbortSignal): Promise<number> {
    let forgotten = 0;
    let cursor: string | undefined;
    do {
      const page = await this.documents.query<TurnRecord>({
        from: { collection: paths.turns(tenantId) },
        where: { open: false },
        range: { field: 'receivedAt', lt: before },
        orderBy: { field: 'receivedAt' },
        limit: pageSize,
        ...(cursor && { cursor }),
      });
      const old = page.items.filter(({ data }) => isOver(data, before));
      const work = async () => {
        for (let turn = old.pop(); turn && !signal.aborted; turn = old.pop()) if (await this.forgetTurn(turn, before)) forgotten++;
      };
      await Promise.all(Array.from({ length: atOnce }, work));
      cursor = page.nextCursor;
    } while (cursor !== undefined && !signal.aborted);
    return forgotten;
  }

  /** False when it was replayed meanwhile. */
  private forgetTurn({ path }: Document<TurnRecord>, before: number): Promise<boolean> {
    return this.documents.transaction(async (transaction) => {
      const turn = (await transaction.get<TurnRecord>(path))?.data;
      if (!turn || turn.open || !isOver(turn, before)) return false;
      const ledger = await transaction.query<ReplyRecord>({
        from: { collection: paths.replies(turn.tenantId, turn.eventId) },
        limit: 1000,
      });
      for (const row of ledger.items) transaction.delete(row.path);
      transaction.delete(path);
      return true;
    });
  }

  private async eachConversation(
    tenantId: TenantId,
    signal: AbortSignal,
    visit: (conversation: Document<ConversationRecord>) => Promise<void>,
  ): Promise<void> {
    let cursor: string | undefined;
    do {
      const page = await this.documents.query<ConversationRecord>({
        from: { collection: paths.conversations(tenantId) },
        limit: pageSize,
        ...(cursor && { cursor }),
      });
      const waiting = [...page.items];
      const work = async () => {
        for (let conversation = waiting.shift(); conversation && !signal.aborted; conversation = waiting.shift()) await visit(conversation);
      };
      await Promise.all(Array.from({ length: atOnce }, work));
      cursor = page.nextCursor;
    } while (cursor !== undefined && !signal.aborted);
  }
}

/** Replayed turns keep the time they came at: what counts is when they ended last. */
function isOver({ receivedAt, finishedAt }: TurnRecord, before: number): boolean {
  return (finishedAt ?? receivedAt) < before;
}
