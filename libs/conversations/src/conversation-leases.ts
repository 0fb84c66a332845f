import { StaleLease, type ConversationId, type TenantId } from '@rockpool/contracts';
import type { Documents, Transaction } from '@rockpool/cloud';
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
}

/** What came of asking for a conversation. */
export type ClaimResult =
  | { readonly kind: 'claimed'; readonly claim: Claim }
  /** Nothing is open. */
  | { readonly kind: 'empty' }
  /** Another holds it. `ownWake`: by this very wake, so its delivery was repeated and must wait until the lease has run out. */
  | { readonly kind: 'held'; readonly ownWake: boolean; readonly expiresInMs: number };

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
      const now = this.now();
      const held = conversation.lease;
      if (held && held.expiresAt > now && (this.options.mayBeAlive?.(held.holder) ?? true)) {
        return { kind: 'held', ownWake: held.wakeId === wakeId, expiresInMs: held.expiresAt - now };
      }
      const turn = await this.head(transaction, tenantId, conversationId);
      if (!turn) return { kind: 'empty' };
      const token = conversation.fence + 1;
      const lease: Lease = { holder: this.options.holder, token, expiresAt: now + this.options.leaseMs, wakeId };
      return { kind: 'claimed', claim: this.begin(transaction, { ...conversation, fence: token }, lease, turn) };
    });
  }

  /** Keeps the lease. Rejects with `stale_lease` when it was taken. */
  async renew(claim: Claim): Promise<void> {
    await this.fenced(claim, (transaction, conversation, lease) => {
      transaction.set(this.path(claim), { ...conversation, lease: { ...lease, expiresAt: this.now() + this.options.leaseMs } });
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

  /**
   * Ends the claim's turn with what `finish` writes, and in the same transaction claims the conversation's next turn, or releases the lease when there is
   * none. Resolves with the next claim, or `undefined`.
   */
  async finish(
    claim: Claim,
    finish: (transaction: Transaction, conversation: ConversationRecord) => Promise<void> | void,
  ): Promise<Claim | undefined> {
    return this.fenced(claim, async (transaction, conversation, lease) => {
      const next = await this.head(transaction, claim.turn.tenantId, claim.turn.conversationId, claim.turn.seq);
      await finish(transaction, conversation);
      if (next) return this.begin(transaction, conversation, { ...lease, expiresAt: this.now() + this.options.leaseMs }, next);
      this.put(transaction, claim, { ...conversation, lease: undefined });
      return undefined;
    });
  }

  /** Gives the conversation back with its turn still open: another claim may take it at once. `amend` changes the turn on the way. */
  async release(claim: Claim, amend: (turn: TurnRecord) => TurnRecord): Promise<void> {
    await this.fenced(claim, async (transaction, conversation) => {
      const turn = await transaction.get<TurnRecord>(paths.turn(claim.turn.tenantId, claim.turn.eventId));
      if (turn) transaction.set(turn.path, amend(turn.data));
      this.put(transaction, claim, { ...conversation, lease: undefined });
    });
  }

  private begin(transaction: Transaction, conversation: ConversationRecord, lease: Lease, turn: TurnRecord): Claim {
    const resumed = turn.state === 'answered';
    const running: TurnRecord = resumed
      ? turn
      : { ...turn, state: 'running', attempts: turn.attempts + 1, startedAt: turn.startedAt ?? this.now() };
    const held = { ...conversation, lease, updatedAt: this.now() };
    if (!resumed) transaction.set(paths.turn(turn.tenantId, turn.eventId), running);
    transaction.set(paths.conversation(turn.tenantId, turn.conversationId), held);
    return { lease, conversation: held, turn: running };
  }

  private async head(
    transaction: Transaction,
    tenantId: TenantId,
    conversationId: ConversationId,
    after = 0,
  ): Promise<TurnRecord | undefined> {
    const page = await transaction.query<TurnRecord>({
      from: { collection: paths.turns(tenantId) },
      where: { conversationId, open: true },
      range: { field: 'seq', gt: after },
      orderBy: { field: 'seq' },
      limit: 1,
    });
    return page.items[0]?.data;
  }

  private async read(transaction: Transaction, tenantId: TenantId, conversationId: ConversationId) {
    return (await transaction.get<ConversationRecord>(paths.conversation(tenantId, conversationId)))?.data;
  }

  private put(transaction: Transaction, claim: Claim, conversation: ConversationRecord): void {
    transaction.set(this.path(claim), { ...conversation, updatedAt: this.now() });
  }

  private path(claim: Claim): string {
    return paths.conversation(claim.turn.tenantId, claim.turn.conversationId);
  }
}
