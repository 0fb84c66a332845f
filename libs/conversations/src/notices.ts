import type { Excess } from './message-limits.js';
import type { TurnRecord, TurnState } from './records.js';

/** What the platform itself says to a person, in Markdown. Never a detail of the fault: that is in the inbox, for the operator. */

const lateAfterMs = 15 * 60_000;

/** What is added when `/stop` ended an answer. */
export function stoppedNotice(soFar: string): string {
  return soFar.trim() ? `${soFar.trimEnd()}\n\n_Stopped._` : '_Stopped._';
}

/** An honest word about an answer that will not come. */
export function failureNotice(code: string): string {
  switch (code) {
    case 'timeout':
      return '⚠️ I did not finish in time and stopped. Please try again, perhaps with a smaller question.';
    case 'quarantined':
      return '⚠️ I tried several times and could not answer this message. I set it aside for the operator; you can go on writing.';
    default:
      return '⚠️ I could not answer this message. Trying again will not help until the operator of this assistant has looked at it; you can go on writing.';
  }
}

/** What is put into a message that a turn left empty when it ended. */
export function endedNotice(state: TurnState): string {
  switch (state) {
    case 'discarded':
      return '🗂 The operator of this assistant set this message aside: it will not be answered. You can go on writing.';
    case 'cancelled':
      return stoppedNotice('');
    case 'done':
      return '_Answered in another message._';
    default:
      return failureNotice(state);
  }
}

/** What a person is told, once a minute, whose messages are not taken in any more. */
export function rateLimitNotice(excess: Excess): string {
  return excess === 'sender'
    ? '🐢 That was faster than I can read. I did not take in this message, nor any more of them for now: please wait a minute, then send it again.'
    : '🐢 I am getting more messages than I can read just now, and did not take in this one. Please send it again in a minute.';
}

/** Begins an answer that comes long after its message, or is empty. */
export function lateNotice(turn: TurnRecord, now: number): string {
  if (now - turn.receivedAt < lateAfterMs) return '';
  const minutes = Math.round((now - turn.receivedAt) / 60_000);
  const ago = minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
  return `_This comes late: it answers your message of ${ago} ago._\n\n`;
}
