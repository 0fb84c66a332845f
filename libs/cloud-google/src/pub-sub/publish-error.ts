import { InvalidInput, RockpoolError, TerminalError } from '@rockpool/contracts';
import { codeOfCall, grpcCode } from '../api-calls.js';

/**
 * What a failed publish is to its caller. Only what Pub/Sub calls invalid is the message's own fault; a topic that is missing or a permission that was not
 * given is ours, and passes.
 */
export function publishError(topic: string, cause: unknown): RockpoolError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  if (codeOfCall(cause) === grpcCode.invalidArgument) {
    return /too large|size|exceeds/i.test(detail)
      ? new TerminalError(`Pub/Sub finds the message for ${topic} too large`, { code: 'too_large', cause })
      : new InvalidInput(`Pub/Sub refuses the message for ${topic}: ${detail}`, { cause });
  }
  // Senders of webhooks read this; what exactly happened is for the log.
  const code = Object.entries(grpcCode).find(([, number]) => number === codeOfCall(cause))?.[0] ?? 'no answer';
  return new RockpoolError('unavailable', `Pub/Sub did not take the message for ${topic}: ${code}`, { cause });
}
