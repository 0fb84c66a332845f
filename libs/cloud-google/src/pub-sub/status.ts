import { status } from '@grpc/grpc-js';
import { InvalidInput, RockpoolError, TerminalError } from '@rockpool/contracts';

/** The gRPC status of an error of a Google client; `undefined` for anything else. */
export function statusOf(error: unknown): status | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'number' ? code : undefined;
}

/**
 * What a failed publish is to its caller. Only what Pub/Sub calls invalid is the message's own fault; a topic that is missing or a permission that was not
 * given is ours, and passes.
 */
export function publishError(topic: string, cause: unknown): RockpoolError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  if (statusOf(cause) === status.INVALID_ARGUMENT) {
    return /too large|size|exceeds/i.test(detail)
      ? new TerminalError(`Pub/Sub finds the message for ${topic} too large`, { code: 'too_large', cause })
      : new InvalidInput(`Pub/Sub refuses the message for ${topic}: ${detail}`, { cause });
  }
  return new RockpoolError('unavailable', `the message for ${topic} could not be published: ${detail}`, { cause });
}

/** Everything else that fails between us and Pub/Sub. */
export function unavailable(what: string, cause: unknown): RockpoolError {
  return new RockpoolError('unavailable', `${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}
