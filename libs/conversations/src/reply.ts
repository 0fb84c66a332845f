import { codeOf, crashPoint, isTerminal, type ReplyTarget } from '@rockpool/contracts';
import type { Documents, Transaction } from '@rockpool/cloud';
import { pause } from './pause.js';
import { paths, type ReplyRecord, type TurnRecord } from './records.js';
import type { KnownMessages, Receipt, ReplyChannel } from './reply-channel.js';
import { inSpan } from './spans.js';

/** Runs a transaction that fails with `stale_lease` once the writer has lost the conversation. */
export type FencedWrite = (write: (transaction: Transaction) => void) => Promise<void>;

/** Waits that are shorter than this are taken in place; a longer one gives the conversation back. */
const longestWaitMs = 15_000;
/** Turns of a conversation that are looked at for messages which are no strays. */
const knownTurns = 50;
/** How often one send is tried before the conversation is given back. */
const sendTries = 5;

/**
 * The answer to one turn: rows of the reply ledger, each written before what it says is done.
 *
 *     queued ──► placing ──► placed ──► sent | failed
 *
 * A placeholder is placed and its receipt recorded; the content is recorded; then it is put into that message, which may be repeated. So a crash
 * anywhere leaves at most an empty placeholder behind, and never a second answer. Once the answer is out, the channel is
 * asked to look for it.
 */
export class Reply {
  private constructor(
    private readonly documents: Documents,
    private readonly turn: TurnRecord,
    private readonly channel: ReplyChannel,
    private readonly write: FencedWrite,
    private readonly rows: Map<number, ReplyRecord>,
    private readonly tries: number,
  ) {}

  /** The reply to a turn that nobody began to answer before: there is nothing to read. */
  static begin(documents: Documents, turn: TurnRecord, channel: ReplyChannel, write: FencedWrite): Reply {
    return new Reply(documents, turn, channel, write, new Map(), sendTries);
  }

  /** Goes on from what an earlier run left. A send that fails for the `tries`th time rejects; those before are repeated in place. */
  static async open(documents: Documents, turn: TurnRecord, channel: ReplyChannel, write: FencedWrite, tries = sendTries): Promise<Reply> {
    const page = await documents.query<ReplyRecord>({ from: { collection: paths.replies(turn.tenantId, turn.eventId) }, limit: 1000 });
    const rows = new Map(page.items.map(({ data }) => [data.n, data]));
    return new Reply(documents, turn, channel, write, rows, tries);
  }

  /** True when an answer is on record already. */
  get recorded(): boolean {
    return [...this.rows.values()].some((row) => row.chunk !== undefined);
  }

  get target(): ReplyTarget {
    return this.turn.message.target;
  }

  /** The first message's receipt, placing a placeholder if there is none yet. */
  async place(signal?: AbortSignal): Promise<Receipt> {
    return this.placed(0, signal);
  }

  /** Shows what there is of the answer in the first message. Failures are the caller's to ignore: the final content follows. */
  async preview(receipt: Receipt, markdown: string): Promise<void> {
    const chunk = this.channel.render(markdown)[0];
    if (chunk) await this.channel.update(this.target, receipt, chunk, { final: false });
  }

  /** Renders the answer and returns the write that puts it on record, for the caller's transaction. Not while a placement is under way. */
  record(markdown: string): (transaction: Transaction) => void {
    const rows = this.channel.render(markdown).map((chunk, n) => {
      const before = this.rows.get(n);
      const state = before?.receipt !== undefined ? 'placed' : before?.state === 'placing' ? 'placing' : 'queued';
      return this.row(n, { state, chunk });
    });
    return (transaction) => {
      for (const row of rows) this.put(transaction, row);
    };
  }

  /**
   * Sends what is on record, in order; rows already sent are left alone. Resolves with the write that marks them, for the caller's transaction. Rejects with
   * `TerminalError` when the channel will never take it, with anything else when it may later.
   */
  async deliver(signal?: AbortSignal): Promise<(transaction: Transaction) => void> {
    const waiting = [...this.rows.values()].filter((row) => row.chunk && row.state !== 'sent' && row.state !== 'failed');
    waiting.sort((a, b) => a.n - b.n);
    const last = waiting.at(-1);
    for (const { n, chunk } of waiting) {
      const receipt = await this.placed(n, signal);
      await this.patiently(signal, () =>
        inSpan('reply.send', this.attributes(n), () => this.channel.update(this.target, receipt, chunk!, { final: true })),
      );
      crashPoint('after-send-before-receipt');
      const sent = this.row(n, { state: 'sent' });
      // The last row is marked together with the end of the turn; a crash before that repeats an update, which changes nothing.
      if (n !== last?.n) await this.write((transaction) => this.put(transaction, sent));
    }
    for (const row of this.rows.values()) if (row.unknownPlacements > 0) await this.sweep(row, signal);
    return (transaction) => {
      if (last) this.put(transaction, this.rows.get(last.n)!);
    };
  }

  /** The write that marks what was not sent as failed. */
  fail(error: string): (transaction: Transaction) => void {
    const rows = [...this.rows.values()].filter((row) => row.state !== 'sent').map((row) => this.row(row.n, { state: 'failed', error }));
    return (transaction) => {
      for (const row of rows) this.put(transaction, row);
    };
  }

  private async placed(n: number, signal?: AbortSignal): Promise<Receipt> {
    return this.patiently(signal, async () => {
      const before = this.rows.get(n);
      if (before?.receipt !== undefined) return before.receipt;
      // Left in `placing`, by a crash or by a request without an answer: that placeholder may exist, and nobody knows its id.
      const lost = before?.state === 'placing' && this.channel.guarantee === 'edit' ? 1 : 0;
      const placing = this.row(n, { state: 'placing', unknownPlacements: (before?.unknownPlacements ?? 0) + lost });
      await this.write((transaction) => this.put(transaction, placing));
      let receipt: Receipt;
      try {
        receipt = await inSpan('reply.place', this.attributes(n), () => this.channel.place(this.target, placing.key));
      } catch (error) {
        if (codeOf(error) !== 'outcome_unknown') this.row(n, { state: 'queued' });
        throw error;
      }
      crashPoint('after-send-before-receipt');
      const placed = this.row(n, { state: 'placed', receipt });
      await this.write((transaction) => this.put(transaction, placed));
      return receipt;
    });
  }

  /**
   * Has the channel take away what placements without an answer left. One that the channel does not let be done is not done: a stray placeholder says nothing
   * wrong. One that is cut short is for the next run.
   */
  private async sweep(row: ReplyRecord, signal: AbortSignal | undefined): Promise<void> {
    const { receipt } = row;
    if (receipt === undefined) return;
    const sweep = () => this.channel.sweep(this.target, row.key, receipt, () => this.knownMessages(row));
    const sweeping = inSpan('reply.sweep', this.attributes(row.n), () => this.patiently(signal, sweep));
    await sweeping.catch((error: unknown) => {
      if (signal?.aborted) throw error;
      // The span says why.
    });
  }

  /**
   * The receipts of this conversation's recent answers, whichever tenant's they were. A row is written before its message is sent, so a message that is older than
   * the placement that just succeeded is either among them or its row is still in `placing`.
   */
  private async knownMessages({ n }: ReplyRecord): Promise<KnownMessages> {
    const { conversationId, eventId, receivedAt } = this.turn;
    const { items } = await this.documents.query<TurnRecord>({
      from: { group: 'turns' },
      where: { conversationId },
      orderBy: { field: 'receivedAt', direction: 'desc' },
      limit: knownTurns,
    });
    const oldest = items.at(-1)?.data;
    let isComplete = items.length < knownTurns || (oldest?.finishedAt !== undefined && oldest.finishedAt < receivedAt);
    const receipts = new Set<Receipt>();
    for (const { data: turn } of items) {
      const page = await this.documents.query<ReplyRecord>({
        from: { collection: paths.replies(turn.tenantId, turn.eventId) },
        limit: 1000,
      });
      for (const { data: row } of page.items) {
        if (row.receipt !== undefined) receipts.add(row.receipt);
        else if (row.state === 'placing' && !(turn.eventId === eventId && row.n === n)) isComplete = false;
      }
    }
    return { receipts, isComplete };
  }

  /** Repeats what the channel did not take yet: after the delay it asks for, or with backoff. */
  private async patiently<Result>(signal: AbortSignal | undefined, attempt: () => Promise<Result>): Promise<Result> {
    for (let tries = 1; ; tries++) {
      try {
        return await attempt();
      } catch (error) {
        const waitMs = error instanceof Error && 'afterMs' in error ? Number(error.afterMs) : 100 * 4 ** (tries - 1);
        if (isTerminal(error) || tries >= this.tries || waitMs > longestWaitMs || codeOf(error) === 'stale_lease') throw error;
        await pause(waitMs, signal);
      }
    }
  }

  private row(n: number, change: Partial<ReplyRecord>): ReplyRecord {
    const key = `${this.turn.eventId}#${this.turn.replays}.${n}`;
    const row: ReplyRecord = { n, state: 'placing', unknownPlacements: 0, ...this.rows.get(n), key, ...change, updatedAt: Date.now() };
    this.rows.set(n, row);
    return row;
  }

  private put(transaction: Transaction, row: ReplyRecord): void {
    transaction.set(paths.reply(this.turn.tenantId, this.turn.eventId, row.n), row);
  }

  private attributes(n: number) {
    return {
      'rockpool.tenant.id': this.turn.tenantId,
      'rockpool.event.id': this.turn.eventId,
      'rockpool.channel': this.target.channel,
      'rockpool.reply.n': n,
    };
  }
}
