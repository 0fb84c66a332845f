import { StaleLease, type ConversationId, type TenantId } from '@rockpool/contracts';
import type { Documents, Query, Transaction } from '@rockpool/cloud';
import { answeredWith, dependsOnNext, lookAhead, quietForMs, steeringInto } from './overlap.js';
import { paths, type ConversationRecord, type Lease, type TurnRecord } from './records.js';

/** How leases are held. */
export interface LeaseOptions {
  /** This process, unique to this start of it: a restarted process is another holder. */
  readonly holder: string;
  /** A holder that was not heard of for so long has lost the conversation. */
  readonly leaseMs: number;
  /**
   * Whether the holder of an unexpired lease can still be alive. An engine that only one process can open knows that every other process is dead, so a
   * restart need not wait for its leases to run out. Default: yes.
   */
  readonly mayBeAlive?: (holder: string) => boolean;
}

/** A conversation held by this process, and the turn to run. */
export interface Claim {
  readonly lease: Lease;
  readonly conversation: ConversationRecord;
  readonly turn: TurnRecord;
  /** False when no claim ever held this turn before, so that nothing of an answer can be in its reply ledger. */
  readonly resumed: boolean;
  /** The turns that this one's run answers too, as it begins. */
  readonly merged: readonly TurnRecord[];
}

/** What is next in a conversation. */
export type Next =
  | { readonly kind: 'claimed'; readonly claim: Claim }
  /** Nothing is open. */
  | { readonly kind: 'empty' }
  /** The first open turn's sender may go on writing for so long. Nobody holds the conversation meanwhile. */
  | { readonly kind: 'waiting'; readonly afterMs: number };

/** What came of asking for a conversation. */
export type ClaimResult =
  | Next
  /** Another holds it. `ownWake`: by this very wake, so its delivery was repeated and must wait until the lease has run out. */
  | { readonly kind: 'held'; readonly ownWake: boolean; readonly expiresInMs: number };

/** The turn to begin, and those behind it that have a say in how it begins. */
interface NextTurns {
  readonly kind: 'turns';
  readonly lead: TurnRecord;
  readonly waiting: readonly TurnRecord[];
}

/**
 * Leases on conversations: one holder at a time, fenced by a token that grows with every claim. The claim of the next turn and the release are
 * one transaction with the look into the inbox, so no message can strand between "empty" and "released".
 */
export class ConversationLeases {
  constructor(
    private readonly documents: Documents,
    private readonly options: LeaseOptions,
    private readonly now: () => number = Date.now,
  ) {}

  get leaseMs(): number {
    return this.options.leaseMs;
  }

  /** Takes the conversation if it is free, and its first open turn. */
  async claim(tenantId: TenantId, conversationId: ConversationId, wakeId: string): Promise<ClaimResult> {
    return this.documents.transaction(async (transaction) => {
      const conversation = await this.read(transaction, tenantId, conversationId);
      if (!conversation) return { kind: 'empty' };
      const now = this.documents.now();
      const held = conversation.lease;
      if (held && held.expiresAt > now && (this.options.mayBeAlive?.(held.holder) ?? true)) {
        return { kind: 'held', ownWake: held.wakeId === wakeId, expiresInMs: held.expiresAt - now };
      }
      const next = await this.next(transaction, tenantId, conversationId);
      if (next.kind !== 'turns') return next;
      const token = conversation.fence + 1;
      const lease: Lease = { holder: this.options.holder, token, expiresAt: now + this.options.leaseMs, wakeId };
      return this.begin(transaction, { ...conversation, fence: token }, lease, next);
    });
  }

  /** Keeps the lease. Rejects with `stale_lease` when it was taken. */
  async renew(claim: Claim): Promise<void> {
    await this.fenced(claim, (transaction, conversation, lease) => {
      transaction.set(this.path(claim), { ...conversation, lease: { ...lease, expiresAt: this.documents.now() + this.options.leaseMs } });
    });
  }

  /**
   * Runs `write` in a transaction that fails with `stale_lease` unless this claim still holds the conversation. `write` is given the conversation as it
   * is now; reads come before writes.
   */
  async fenced<Result>(
    claim: Claim,
    write: (transaction: Transaction, conversation: ConversationRecord, lease: Lease) => Result | Promise<Result>,
  ): Promise<Result> {
    return this.documents.transaction(async (transaction) => {
      const conversation = await this.read(transaction, claim.turn.tenantId, claim.turn.conversationId);
      const lease = conversation?.lease;
      if (!conversation || !lease || lease.token !== claim.lease.token) {
        throw new StaleLease(`conversation ${claim.turn.conversationId} was taken over: lease ${claim.lease.token} is no longer valid`);
      }
      return write(transaction, conversation, lease);
    });
  }

  /** The claim's turn as it is now and, in order, those that it answers too. */
  async turnsOf(transaction: Transaction, claim: Claim): Promise<readonly [TurnRecord, ...TurnRecord[]]> {
    const { tenantId, eventId } = claim.turn;
    const lead = (await transaction.get<TurnRecord>(paths.turn(tenantId, eventId)))?.data ?? claim.turn;
    const merged: TurnRecord[] = [];
    for (const id of lead.merged ?? []) {
      const turn = (await transaction.get<TurnRecord>(paths.turn(tenantId, id)))?.data;
      // One that was stopped and replayed meanwhile is a turn of its own again.
      if (turn?.open && turn.answeredBy === eventId) merged.push(turn);
    }
    return [lead, ...merged];
  }

  /** Takes into the running turn what waits right behind it and wants to be seen by it. Resolves with what was taken, in order. */
  async takeIn(claim: Claim): Promise<TurnRecord[]> {
    const { tenantId, conversationId, seq } = claim.turn;
    const behind = await this.documents.query<TurnRecord>(this.openAfter(tenantId, conversationId, seq, lookAhead));
    if (behind.items.length === 0) return [];
    return this.fenced(claim, async (transaction) => {
      const [lead] = await this.turnsOf(transaction, claim);
      const waiting = await this.openIn(transaction, tenantId, conversationId, seq, lookAhead);
      const taken = steeringInto(
        lead,
        waiting.items.map(({ data }) => data),
      ).map((turn) => this.answeredBy(lead, turn));
      if (taken.length === 0) return taken;
      for (const turn of taken) this.putTurn(transaction, turn);
      this.putTurn(transaction, { ...lead, merged: [...(lead.merged ?? []), ...taken.map((turn) => turn.eventId)] });
      return taken;
    });
  }

  /**
   * Ends the claim's turn and those that it answers as `end` says, with what `write` adds, and in the same transaction claims the conversation's next turn,
   * or releases the lease when there is none to begin now.
   */
  async finish(claim: Claim, end: (turn: TurnRecord) => TurnRecord, write: (transaction: Transaction) => void): Promise<Next> {
    return this.fenced(claim, async (transaction, conversation, lease) => {
      const turns = await this.turnsOf(transaction, claim);
      const lastSeq = Math.max(...turns.map((turn) => turn.seq));
      const next = await this.next(transaction, claim.turn.tenantId, claim.turn.conversationId, lastSeq);
      for (const turn of turns) this.putTurn(transaction, end(turn));
      write(transaction);
      if (next.kind === 'turns') {
        return this.begin(transaction, conversation, { ...lease, expiresAt: this.documents.now() + this.options.leaseMs }, next);
      }
      this.put(transaction, claim, { ...conversation, lease: undefined });
      return next;
    });
  }

  /**
   * Gives the conversation back with its turn still open: another claim may take it at once. `amend` changes the turn on the way; those that it was to
   * answer too wait again.
   */
  async release(claim: Claim, amend: (turn: TurnRecord) => TurnRecord): Promise<void> {
    await this.fenced(claim, async (transaction, conversation) => {
      const [lead, ...merged] = await this.turnsOf(transaction, claim);
      const amended = amend(lead);
      this.putTurn(transaction, amended);
      if (amended.state === 'pending') for (const turn of merged) this.putTurn(transaction, { ...turn, state: 'pending' });
      this.put(transaction, claim, { ...conversation, lease: undefined });
    });
  }

  private begin(transaction: Transaction, conversation: ConversationRecord, lease: Lease, { lead, waiting }: NextTurns): Next {
    const held = { ...conversation, lease, updatedAt: this.now() };
    transaction.set(paths.conversation(lead.tenantId, lead.conversationId), held);
    const resumed = lead.startedAt !== undefined || lead.replays > 0;
    if (lead.state === 'answered') {
      return { kind: 'claimed', claim: { lease, conversation: held, turn: lead, merged: [], resumed } };
    }
    const merged = answeredWith(lead, waiting).map((turn) => this.answeredBy(lead, turn));
    const ids = merged.map((turn) => turn.eventId);
    const { merged: _, answeredBy: __, ...own } = lead;
    const turn: TurnRecord = {
      ...own,
      state: 'running',
      attempts: lead.attempts + 1,
      startedAt: lead.startedAt ?? this.now(),
      ...(ids.length > 0 && { merged: ids }),
    };
    this.putTurn(transaction, turn);
    for (const one of merged) this.putTurn(transaction, one);
    // What an earlier run had taken in and this one does not waits for its own turn again.
    for (const { answeredBy, ...one } of waiting) {
      if (answeredBy === lead.eventId && !ids.includes(one.eventId)) this.putTurn(transaction, { ...one, state: 'pending' });
    }
    return { kind: 'claimed', claim: { lease, conversation: held, turn, merged, resumed } };
  }

  private answeredBy(lead: TurnRecord, turn: TurnRecord): TurnRecord {
    return { ...turn, state: 'running', answeredBy: lead.eventId, startedAt: turn.startedAt ?? this.now() };
  }

  /** The first open turn after that place, with as many behind it as have a say in how it begins. */
  private async next(
    transaction: Transaction,
    tenantId: TenantId,
    conversationId: ConversationId,
    after = 0,
  ): Promise<NextTurns | Exclude<Next, { kind: 'claimed' }>> {
    const first = await this.openIn(transaction, tenantId, conversationId, after, 1);
    const lead = first.items[0]?.data;
    if (!lead) return { kind: 'empty' };
    if (!dependsOnNext(lead)) return { kind: 'turns', lead, waiting: [] };
    const behind = await this.openIn(transaction, tenantId, conversationId, lead.seq, lookAhead);
    const waiting = behind.items.map(({ data }) => data);
    const afterMs = quietForMs(lead, waiting, this.now());
    return afterMs > 0 ? { kind: 'waiting', afterMs } : { kind: 'turns', lead, waiting };
  }

  /** Open turns as of the conversation that the transaction has read: whoever gives a turn its place writes its number there. */
  private openIn(transaction: Transaction, tenantId: TenantId, conversationId: ConversationId, seq: number, limit: number) {
    return transaction.query<TurnRecord>(this.openAfter(tenantId, conversationId, seq, limit), {
      guard: paths.conversation(tenantId, conversationId),
    });
  }

  private openAfter(tenantId: TenantId, conversationId: ConversationId, seq: number, limit: number): Query {
    return {
      from: { collection: paths.turns(tenantId) },
      where: { conversationId, open: true },
      range: { field: 'seq', gt: seq },
      orderBy: { field: 'seq' },
      limit,
    };
  }

  private async read(transaction: Transaction, tenantId: TenantId, conversationId: ConversationId) {
    return (await transaction.get<ConversationRecord>(paths.conversation(tenantId, conversationId)))?.data;
  }

  private put(transaction: Transaction, claim: Claim, conversation: ConversationRecord): void {
    transaction.set(this.path(claim), { ...conversation, updatedAt: this.now() });
  }

  private putTurn(transaction: Transaction, turn: TurnRecord): void {
    transaction.set(paths.turn(turn.tenantId, turn.eventId), turn);
  }

  private path(claim: Claim): string {
    return paths.conversation(claim.turn.tenantId, claim.turn.conversationId);
  }
}
