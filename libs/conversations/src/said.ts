import type { TranscriptMessage } from './agent-runtime.js';
import type { TurnRecord } from './records.js';

const maxNameCharacters = 60;

/** What the person of a turn said. */
export function saidIn({ message }: TurnRecord): TranscriptMessage {
  const { text, sender, attachments, sentAt } = message;
  return {
    role: 'user',
    text,
    at: sentAt,
    ...(sender.displayName && { senderName: sender.displayName }),
    ...(attachments.length > 0 && { attachments }),
  };
}

/** What the people of several turns said, as one message, in order. When they are several people each part begins with its speaker's name. */
export function saidTogether(turns: readonly TurnRecord[]): TranscriptMessage {
  const messages = turns.map(saidIn);
  const last = messages.at(-1)!;
  if (messages.length === 1) return last;
  const isOnePerson = new Set(turns.map((turn) => turn.message.sender.id)).size === 1;
  const attachments = messages.flatMap((message) => message.attachments ?? []);
  return {
    role: 'user',
    text: messages.map((message) => (isOnePerson ? message.text : named(message))).join('\n\n'),
    at: last.at,
    ...(isOnePerson && last.senderName && { senderName: last.senderName }),
    ...(attachments.length > 0 && { attachments }),
  };
}

/** A name is chosen by its bearer: one line of it, so that nobody speaks in the name of another. */
function named({ senderName = 'Somebody', text }: TranscriptMessage): string {
  const name = senderName
    .replace(/[\s\p{C}]+/gu, ' ')
    .trim()
    .slice(0, maxNameCharacters)
    .toWellFormed();
  return `${name}: ${text}`;
}
