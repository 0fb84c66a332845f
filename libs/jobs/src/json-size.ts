import type { Json } from '@rockpool/cloud';
import { TerminalError } from '@rockpool/contracts';

/** What one value of a job or step may take, in bytes of UTF-8: a document holds a few of them, and a mebibyte. */
export const longestValueBytes = 300_000;

/** Resolves to the value as it is stored; throws a `TerminalError` (`too_large`) when it is longer than that. `what` names it in the message. */
export function sized(what: string, value: Json | undefined): Json {
  const bytes = bytesOf(value);
  if (bytes > longestValueBytes)
    throw new TerminalError(`${what} has ${bytes} bytes; at most ${longestValueBytes} are kept`, { code: 'too_large' });
  return value ?? null;
}

/** The value if it takes no more than that many bytes; else the beginning of a text, and nothing of anything else. */
export function cutTo(bytes: number, value: Json): Json {
  if (bytesOf(value) <= bytes) return value;
  // A character takes up to six bytes of JSON.
  return typeof value === 'string' ? `${value.slice(0, Math.floor(bytes / 6)).toWellFormed()} [The rest is left out.]` : null;
}

function bytesOf(value: Json | undefined): number {
  return Buffer.byteLength(JSON.stringify(value ?? null));
}
