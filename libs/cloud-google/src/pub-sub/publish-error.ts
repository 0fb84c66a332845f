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
  return new RockpoolError('unavailable', `the message for ${topic} could not be published: ${detail}`, { cause });
}
