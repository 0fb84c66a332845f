import { codeOf, isTerminal, StaleLease, type EventId, type TenantId } from '@rockpool/contracts';
import type { Document, Documents } from '@rockpool/cloud';
import { endedNotice } from './notices.js';
import { paths, type ReplyRecord, type TurnRecord } from './records.js';
import { Reply, type FencedWrite } from './reply.js';
import type { ReplyChannels } from './reply-channel.js';

/** What is younger is with somebody: a host, or a delivery that is repeated. */
const looseAfterMs = 60_000;
/** What the platform says at once is finished by the next delivery of its event; the bus gives that up after about twenty minutes. */
const immediateAfterMs = 30 * 60_000;
/** A channel that did not take the end for so long never will. */
const givenUpAfterMs = 24 * 3_600_000;
const pageSize = 100;
const atOnce = 8;
/** More are counted by whoever looks into the inbox. */
const unresolvedShown = 1_000;

/** A message of which nobody can say whether it is at the channel, or that the channel does not let be ended. */
export interface UnresolvedReply {
  readonly tenantId: TenantId;
  readonly eventId: EventId;
  readonly channel: string;
  /** Epoch milliseconds. */
  readonly since: number;
}

export interface LooseEndsResult {
  /** Turns whose messages came to an end. */
  readonly ended: number;
  /** At most 1,000. */
  readonly unresolved: readonly UnresolvedReply[];
}

/**
 * Brings to an end what turns left at the channel that ended without an answer there: a turn that waited for another try and was discarded leaves its placeholder. What is on
 * record is put into the message; where nothing is, an honest word. Rows end as `sent` or `failed`.
 *
 * Looks at closed turns only, and every write checks that the turn is still closed and the same run of it, so it is safe beside running hosts and replays. A row is taken by
 * touching it: who comes at the same moment leaves it alone, and after a crash it is loose again a minute later. All that is sent may be repeated.
 */
export class LooseEnds {
  constructor(
    private readonly documents: Documents,
    private readonly channels: ReplyChannels,
    private readonly options: {
      readonly now?: () => number;
      /** Told what the channel answered where the end could not be put there. */
      readonly onWarning: (message: string, error: unknown, turn: TurnRecord) => void;
    },
  ) {}

  /** Goes through everything that is loose, or stops soon after the signal: the next run begins with the oldest again. */
  async end(signal: AbortSignal): Promise<LooseEndsResult> {
    const unresolved: UnresolvedReply[] = [];
    const seen = new Set<string>();
    let ended = 0;
    for (const state of ['placing', 'placed'] as const) {
      let cursor: string | undefined;
      do {
        const page = await this.documents.query<ReplyRecord>({
          from: { group: 'replies' },
          where: { state },
          range: { field: 'updatedAt', lt: this.now() - looseAfterMs },
          orderBy: { field: 'updatedAt' },
          limit: pageSize,
          ...(cursor && { cursor }),
        });
        // All rows of a turn come to an end together.
        const waiting = page.items.filter((row) => {
          const turn = turnPathOf(row);
          return !seen.has(turn) && seen.add(turn);
        });
        const work = async () => {
          for (let row = waiting.shift(); row && !signal.aborted; row = waiting.shift()) {
            const outcome = await this.endOne(row, signal);
            if (outcome === 'ended') ended++;
            else if (outcome !== 'left' && unresolved.length < unresolvedShown) unresolved.push(outcome);
          }
        };
        await Promise.all(Array.from({ length: atOnce }, work));
        cursor = page.nextCursor;
      } while (cursor !== undefined && !signal.aborted);
    }
    return { ended, unresolved };
  }

  private async endOne(row: Document<ReplyRecord>, signal: AbortSignal): Promise<'ended' | 'left' | UnresolvedReply> {
    const turnPath = turnPathOf(row);
    const turn = (await this.documents.get<TurnRecord>(turnPath))?.data;
    if (!turn) return this.failOrphan(row, turnPath);
    const { tenantId, eventId } = turn;
    const unresolved = (since: number): UnresolvedReply => ({ tenantId, eventId, channel: turn.message.target.channel, since });
    // A run resolves it by itself; one that waits, or whose answer the channel does not take, may not for long.
    if (turn.open) return turn.state !== 'running' && row.data.state === 'placing' ? unresolved(row.data.updatedAt) : 'left';
    const finishedAt = turn.finishedAt ?? turn.receivedAt;
    const isImmediate = turn.command !== undefined || turn.notice !== undefined;
    if (this.now() - finishedAt < (isImmediate ? immediateAfterMs : looseAfterMs)) return 'left';
    if (!(await this.take(row, turn))) return 'left';
    try {
      return await this.say(turn, signal);
    } catch (error) {
      if (codeOf(error) === 'stale_lease') return 'left';
      this.options.onWarning('a message could not be ended', error, turn);
      return unresolved(finishedAt);
    }
  }

  /** Puts the end into the message. Rejects when it may be had later. */
  private async say(turn: TurnRecord, signal: AbortSignal): Promise<'ended'> {
    const write = this.whileClosed(turn);
    const channel = await this.channels.for(turn.tenantId, turn.message.target).catch((error: unknown) => {
      if (isTerminal(error)) return error as Error;
      throw error;
    });
    if (channel instanceof Error) {
      await write(await failed(this.documents, turn, channel.message));
      return 'ended';
    }
    // One try: the next minute is the next one.
    const reply = await Reply.open(this.documents, turn, channel, write, 1);
    try {
      if (!reply.recorded) await write(reply.record(endedNotice(turn.state)));
      await write(await reply.deliver(signal));
    } catch (error) {
      const late = this.now() - (turn.finishedAt ?? turn.receivedAt) > givenUpAfterMs;
      if (codeOf(error) === 'stale_lease' || (!isTerminal(error) && !late)) throw error;
      await write(reply.fail(`undeliverable: ${error instanceof Error ? error.message : String(error)}`));
    }
    return 'ended';
  }

  /** False when somebody else has taken the row, or the turn was begun anew. */
  private take({ path, data: seen }: Document<ReplyRecord>, turn: TurnRecord): Promise<boolean> {
    return this.documents.transaction(async (transaction) => {
      const current = (await transaction.get<TurnRecord>(paths.turn(turn.tenantId, turn.eventId)))?.data;
      const row = (await transaction.get<ReplyRecord>(path))?.data;
      if (!row || row.updatedAt !== seen.updatedAt || row.state !== seen.state || !isSameRun(current, turn)) return false;
      transaction.set(path, { ...row, updatedAt: this.now() } satisfies ReplyRecord);
      return true;
    });
  }

  private failOrphan({ path }: Document<ReplyRecord>, turnPath: string): Promise<'ended' | 'left'> {
    return this.documents.transaction(async (transaction) => {
      const [turn, row] = [await transaction.get(turnPath), (await transaction.get<ReplyRecord>(path))?.data];
      if (turn || !row) return 'left';
      transaction.set(path, { ...row, state: 'failed', error: 'its turn is gone', updatedAt: this.now() } satisfies ReplyRecord);
      return 'ended';
    });
  }

  private whileClosed(turn: TurnRecord): FencedWrite {
    return (write) =>
      this.documents.transaction(async (transaction) => {
        const current = (await transaction.get<TurnRecord>(paths.turn(turn.tenantId, turn.eventId)))?.data;
        if (!isSameRun(current, turn)) throw new StaleLease(`turn ${turn.eventId} was begun anew`);
        write(transaction);
      });
  }

  private now(): number {
    return this.options.now?.() ?? Date.now();
  }
}

function turnPathOf({ path }: Document<ReplyRecord>): string {
  return path.split('/').slice(0, -2).join('/');
}

function isSameRun(current: TurnRecord | undefined, turn: TurnRecord): boolean {
  return current !== undefined && !current.open && current.replays === turn.replays;
}

/** The write that marks what is not sent as failed, where there is no channel to ask. */
async function failed(documents: Documents, { tenantId, eventId }: TurnRecord, reason: string): Promise<Parameters<FencedWrite>[0]> {
  const { items } = await documents.query<ReplyRecord>({ from: { collection: paths.replies(tenantId, eventId) }, limit: 1000 });
  return (transaction) => {
    for (const { path, data } of items) {
      if (data.state === 'sent') continue;
      transaction.set(path, { ...data, state: 'failed', error: `undeliverable: ${reason}`, updatedAt: Date.now() } satisfies ReplyRecord);
    }
  };
}
