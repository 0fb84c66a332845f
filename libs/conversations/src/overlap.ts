import type { TurnRecord } from './records.js';

/**
 * What becomes of messages that come while a turn runs or waits. The policy is stamped on a message when it comes, so every decision here is a pure function of
 * the inbox, and a claim after a crash decides as the one before it did.
 *
 *     followup    pending ─────────────────────────────► running ─► answered ─► done
 *     collect     pending ─► with the first that waits ► running, answeredBy ─────► done, answeredBy
 *     interrupt   pending ─► the running turn is given back uncounted, then as collect
 *     steer       pending ─► between two steps ────────► running, answeredBy ─────► done, answeredBy
 *
 * A turn that is answered by another ends in the transaction that ends the other, with the same outcome.
 */

/** Open turns that are looked at behind the first: at most so many messages are answered together. */
export const lookAhead = 20;
/** More text than this is not put together: it would push the conversation's history out of the model's sight. */
const longestTogetherCharacters = 20_000;
/** Runs of a turn together with others. After these it runs alone, so that a message that ends its runs takes no other with it. */
const runsTogether = 3;
/** However often its sender goes on writing, a turn begins so long after it came. */
const longestQuietMs = 30_000;

/** Whether the turns behind this one have a say in how it begins. */
export function dependsOnNext(lead: TurnRecord): boolean {
  return lead.state !== 'answered' && (lead.quietUntil !== undefined || lead.merged !== undefined || takesOthers(lead));
}

/** How long its sender may still go on writing; 0: it may begin. `waiting` are the open turns behind it, in order. */
export function quietForMs(lead: TurnRecord, waiting: readonly TurnRecord[], now: number): number {
  if (lead.state !== 'pending') return 0;
  const ownMessages = [lead, ...waiting].filter((turn) => turn.message.sender.id === lead.message.sender.id);
  const quietUntil = Math.max(...ownMessages.map((turn) => turn.quietUntil ?? 0));
  return Math.max(0, Math.min(quietUntil, lead.receivedAt + longestQuietMs) - now);
}

/** Those of the turns behind it, in order and without a gap, that its next run answers too. */
export function answeredWith(lead: TurnRecord, waiting: readonly TurnRecord[]): TurnRecord[] {
  if (lead.attempts >= runsTogether) return [];
  const together: TurnRecord[] = [];
  let characters = lead.message.text.length;
  for (const turn of waiting) {
    characters += turn.message.text.length;
    const wasTaken = turn.answeredBy === lead.eventId;
    if (!wasTaken && !(takesOthers(lead) && joins(turn) && characters <= longestTogetherCharacters)) break;
    together.push(turn);
  }
  return together;
}

/** Those of the turns behind a running one, in order and without a gap, that want to be seen by it and were not taken in yet. */
export function steeringInto(lead: TurnRecord, waiting: readonly TurnRecord[]): TurnRecord[] {
  if (lead.attempts > runsTogether) return [];
  const behind = waiting.filter((turn) => turn.answeredBy !== lead.eventId);
  const end = behind.findIndex((turn) => turn.overlap !== 'steer' || turn.state !== 'pending');
  return end < 0 ? behind : behind.slice(0, end);
}

function takesOthers(lead: TurnRecord): boolean {
  return lead.interrupted === true || joins(lead);
}

function joins(turn: TurnRecord): boolean {
  return turn.overlap === 'collect' || turn.overlap === 'interrupt';
}
