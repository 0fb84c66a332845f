import { Conflict, NotFound, type ConversationId, type EventId, type InboundMessage, type TenantId } from '@rockpool/contracts';
import type { Documents, Query, Transaction } from '@rockpool/cloud';
import type { OverlapPolicy } from '@rockpool/tenancy';
import {
  paths,
  senderOf,
  sentAtOf,
  signalKeptMs,
  type ConversationRecord,
  type ReplyRecord,
  type SignalRecord,
  type TurnRecord,
  type TurnState,
} from './records.js';

/** How long what never became a turn is kept for an operator to look at. */
const recordKeptMs = 7 * 24 * 3_600_000;
/** A person is told of a limit at most so often. */
const noticeEveryMs = 60_000;

/** What an operator may narrow the inbox by. */
export interface InboxFilter {
  readonly tenantId?: TenantId;
  readonly conversationId?: ConversationId;
  readonly state?: TurnState;
  /** Received before this, epoch milliseconds. */
  readonly before?: number;
  /** Default: newest first. */
  readonly oldestFirst?: boolean;
  readonly limit?: number;
  readonly cursor?: string;
}

/** How an event takes its place. `overlap` is the tenant's policy; one chosen for the conversation goes before it. */
export interface AppendOptions {
  readonly overlap?: OverlapPolicy;
  readonly debounceMs?: number;
  readonly traceparent?: string | undefined;
}

/** What a command does to its conversation, and what it answers. */
export interface CommandEffect {
  readonly conversation: ConversationRecord;
  /** Markdown. */
  readonly answer: string;
}

/** The inbox of every conversation: events in arrival order, each once, and what became of each. */
export class Inbox {
  constructor(
    private readonly documents: Documents,
    private readonly now: () => number = Date.now,
  ) {}

  /**
   * Gives the event its place in its conversation. A second delivery of the event changes nothing and returns the turn as it stands, so the caller can
   * see whether a wake is still needed (`open`).
   */
  async append(tenantId: TenantId, message: InboundMessage, options: AppendOptions = {}): Promise<TurnRecord> {
    const { debounceMs, traceparent } = options;
    return this.documents.transaction(async (transaction) => {
      // Read together: one request where documents are far away.
      const [existing, conversation] = await Promise.all([
        transaction.get<TurnRecord>(paths.turn(tenantId, message.eventId)),
        this.conversationFor(transaction, tenantId, message),
      ]);
      if (existing) return existing.data;
      const overlap = conversation.overlap ?? options.overlap ?? 'followup';
      const seq = conversation.lastSeq + 1;
      const turn: TurnRecord = {
        ...this.counted(tenantId, message),
        seq,
        state: 'pending',
        open: true,
        ...(overlap !== 'followup' && { overlap }),
        ...(debounceMs && { quietUntil: this.now() + debounceMs }),
        ...(traceparent && { traceparent }),
      };
      transaction.create(paths.turn(tenantId, message.eventId), turn);
      transaction.set(paths.conversation(tenantId, message.conversationId), { ...conversation, target: message.target, lastSeq: seq });
      // In this transaction, so that a run which begins later has the message in its own claim and needs no signal.
      if (overlap === 'interrupt' && conversation.lease) {
        const signal: SignalRecord = { kind: 'interrupt', throughSeq: seq };
        const path = paths.signal(tenantId, message.conversationId, signal.kind);
        transaction.set(path, signal, { expireAt: new Date(this.now() + signalKeptMs) });
      }
      return turn;
    });
  }

  /**
   * Records an event that takes no place: `dropped` by a policy or `recorded` because it is not a message. The text is not kept. Expires after seven days.
   * With a notice for the person, the turn has it as `notice` when nobody told that person anything within the last minute. A second delivery changes nothing.
   */
  async record(
    tenantId: TenantId,
    message: InboundMessage,
    state: 'dropped' | 'recorded',
    reason: string,
    notice?: string,
  ): Promise<TurnRecord> {
    const kept = { ...message, text: '', attachments: [] };
    const noticePath = paths.notice(tenantId, senderOf(message));
    return this.documents.transaction(async (transaction) => {
      const existing = await transaction.get<TurnRecord>(paths.turn(tenantId, message.eventId));
      if (existing) return existing.data;
      const tells = notice !== undefined && !(await transaction.get(noticePath));
      const turn: TurnRecord = {
        ...this.blank(tenantId, kept),
        state,
        reason,
        finishedAt: this.now(),
        ...(tells && { notice }),
      };
      transaction.create(paths.turn(tenantId, message.eventId), turn, { expireAt: new Date(this.now() + recordKeptMs) });
      if (tells) transaction.set(noticePath, { toldAt: this.now() }, { expireAt: new Date(this.now() + noticeEveryMs) });
      return turn;
    });
  }

  /**
   * Makes a command's turn, outside the queue, with what `effect` does in the same transaction: it is given the open turns, and returns the changed
   * conversation and the answer. On a second delivery the effect is not repeated and the turn is returned as it stands.
   */
  async command(
    tenantId: TenantId,
    message: InboundMessage,
    name: string,
    effect: (transaction: Transaction, conversation: ConversationRecord, open: readonly TurnRecord[]) => CommandEffect,
    traceparent?: string,
  ): Promise<TurnRecord> {
    return this.documents.transaction(async (transaction) => {
      const existing = await transaction.get<TurnRecord>(paths.turn(tenantId, message.eventId));
      if (existing) return existing.data;
      const before = await this.conversationFor(transaction, tenantId, message);
      const guard = paths.conversation(tenantId, message.conversationId);
      const open = await transaction.query<TurnRecord>(this.openQuery(tenantId, message.conversationId, 100), { guard });
      const { conversation, answer } = effect(
        transaction,
        before,
        open.items.map((item) => item.data),
      );
      const now = this.now();
      const turn: TurnRecord = {
        ...this.counted(tenantId, message),
        state: 'done',
        command: { name, answer },
        startedAt: now,
        finishedAt: now,
        ...(traceparent && { traceparent }),
      };
      transaction.create(paths.turn(tenantId, message.eventId), turn);
      transaction.set(paths.conversation(tenantId, message.conversationId), { ...conversation, target: message.target });
      return turn;
    });
  }

  /** The open turns of a conversation, in order. */
  async open(tenantId: TenantId, conversationId: ConversationId, limit = 100): Promise<TurnRecord[]> {
    const page = await this.documents.query<TurnRecord>(this.openQuery(tenantId, conversationId, limit));
    return page.items.map((item) => item.data);
  }

  async list(filter: InboxFilter): Promise<{ items: TurnRecord[]; nextCursor?: string }> {
    const page = await this.documents.query<TurnRecord>({
      from: filter.tenantId ? { collection: paths.turns(filter.tenantId) } : { group: 'turns' },
      where: { ...(filter.conversationId && { conversationId: filter.conversationId }), ...(filter.state && { state: filter.state }) },
      ...(filter.before !== undefined && { range: { field: 'receivedAt', lt: filter.before } }),
      orderBy: { field: 'receivedAt', direction: filter.oldestFirst ? 'asc' : 'desc' },
      limit: filter.limit ?? 50,
      ...(filter.cursor && { cursor: filter.cursor }),
    });
    return { items: page.items.map((item) => item.data), ...(page.nextCursor && { nextCursor: page.nextCursor }) };
  }

  /** A turn, if it is there. */
  async find(tenantId: TenantId, eventId: EventId): Promise<TurnRecord | undefined> {
    return (await this.documents.get<TurnRecord>(paths.turn(tenantId, eventId)))?.data;
  }

  /** A turn with the ledger of its reply, which is another turn's when that one answered both. Rejects with `not_found`. */
  async get(tenantId: TenantId, eventId: EventId): Promise<{ turn: TurnRecord; replies: ReplyRecord[] }> {
    const turn = await this.documents.get<TurnRecord>(paths.turn(tenantId, eventId));
    if (!turn) throw new NotFound(`there is no turn ${eventId} of tenant ${tenantId}`);
    const ledger = paths.replies(tenantId, turn.data.answeredBy ?? eventId);
    const replies = await this.documents.query<ReplyRecord>({ from: { collection: ledger }, limit: 1000 });
    return { turn: turn.data, replies: replies.items.map((item) => item.data) };
  }

  /**
   * Gives a finished turn its place at the end of the conversation's queue again: same event id, attempts at zero. The caller wakes the conversation.
   * Rejects with `conflict` when it is still open, or when nothing of it was kept to run.
   */
  async replay(tenantId: TenantId, eventId: EventId): Promise<TurnRecord> {
    return this.documents.transaction(async (transaction) => {
      const turn = (await transaction.get<TurnRecord>(paths.turn(tenantId, eventId)))?.data;
      if (!turn) throw new NotFound(`there is no turn ${eventId} of tenant ${tenantId}`);
      if (turn.open) throw new Conflict(`turn ${eventId} is ${turn.state}: it will be answered without a replay`);
      if (turn.state === 'dropped' || turn.state === 'recorded' || turn.command !== undefined) {
        throw new Conflict(`turn ${eventId} is ${turn.state}: its content was not kept, so there is nothing to run`);
      }
      const conversation = await this.conversationFor(transaction, tenantId, turn.message);
      const seq = conversation.lastSeq + 1;
      const replayed: TurnRecord = {
        ...this.blank(tenantId, turn.message),
        seq,
        state: 'pending',
        open: true,
        receivedAt: turn.receivedAt,
        replays: turn.replays + 1,
        ...(turn.traceparent && { traceparent: turn.traceparent }),
      };
      transaction.set(paths.turn(tenantId, eventId), replayed);
      transaction.set(paths.conversation(tenantId, turn.conversationId), { ...conversation, lastSeq: seq });
      return replayed;
    });
  }

  /** Takes a quarantined, failed or pending turn off the operator's list; it will not run. Rejects with `conflict` while it runs. */
  async discard(tenantId: TenantId, eventId: EventId): Promise<TurnRecord> {
    return this.documents.transaction(async (transaction) => {
      const turn = (await transaction.get<TurnRecord>(paths.turn(tenantId, eventId)))?.data;
      if (!turn) throw new NotFound(`there is no turn ${eventId} of tenant ${tenantId}`);
      if (turn.state === 'running' || turn.state === 'answered') throw new Conflict(`turn ${eventId} is ${turn.state}: stop it first`);
      if (turn.open && turn.answeredBy) throw new Conflict(`turn ${eventId} is answered together with ${turn.answeredBy}: stop that first`);
      const discarded: TurnRecord = { ...turn, state: 'discarded', open: false, finishedAt: this.now() };
      transaction.set(paths.turn(tenantId, eventId), discarded);
      return discarded;
    });
  }

  /** Conversations with a turn that is open and was received before `before`, a page at a time: their wake may have been lost. */
  async stranded(
    before: number,
    page: { limit?: number; cursor?: string | undefined } = {},
  ): Promise<{ items: { tenantId: TenantId; conversationId: ConversationId }[]; nextCursor?: string }> {
    const { items, nextCursor } = await this.documents.query<TurnRecord>({
      from: { group: 'turns' },
      where: { open: true },
      range: { field: 'receivedAt', lt: before },
      orderBy: { field: 'receivedAt' },
      limit: page.limit ?? 200,
      ...(page.cursor !== undefined && { cursor: page.cursor }),
    });
    const unique = new Map(items.map(({ data }) => [`${data.tenantId}/${data.conversationId}`, data]));
    return {
      items: [...unique.values()].map(({ tenantId, conversationId }) => ({ tenantId, conversationId })),
      ...(nextCursor !== undefined && { nextCursor }),
    };
  }

  private openQuery(tenantId: TenantId, conversationId: ConversationId, limit: number): Query {
    return { from: { collection: paths.turns(tenantId) }, where: { conversationId, open: true }, orderBy: { field: 'seq' }, limit };
  }

  private async conversationFor(transaction: Transaction, tenantId: TenantId, message: InboundMessage): Promise<ConversationRecord> {
    const found = await transaction.get<ConversationRecord>(paths.conversation(tenantId, message.conversationId));
    const now = this.now();
    if (found) return { ...found.data, updatedAt: now };
    const { conversationId, target } = message;
    return { tenantId, conversationId, target, lastSeq: 0, session: 1, messages: 0, fence: 0, updatedAt: now };
  }

  /** A turn that counts for its sender's limit. */
  private counted(tenantId: TenantId, message: InboundMessage): TurnRecord {
    return { ...this.blank(tenantId, message), sender: senderOf(message), sentAt: sentAtOf(message) };
  }

  private blank(tenantId: TenantId, message: InboundMessage): TurnRecord {
    const { eventId, conversationId } = message;
    const state = 'pending';
    return { tenantId, eventId, conversationId, seq: 0, state, open: false, attempts: 0, replays: 0, message, receivedAt: this.now() };
  }
}
