import { AlreadyExists, Conflict, InvalidInput, NotFound, RockpoolError } from '@rockpool/contracts';
import { setTimeout } from 'node:timers/promises';

/** https://grpc.io/docs/guides/status-codes */
export const grpcCode = {
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** What may well succeed a moment later. */
const transient: ReadonlySet<number> = new Set([
  grpcCode.unavailable,
  grpcCode.deadlineExceeded,
  grpcCode.internal,
  grpcCode.resourceExhausted,
]);
const pausesMs = [100, 300, 900];

/** For every call: no retries by the client, which would hide from us that an earlier attempt may have been carried out. */
export const oneAttempt = { timeout: 10_000, retry: null };

/**
 * Makes a gRPC call, up to four times while the service is away for a moment, and translates what it fails with at last. `what` is for people: `create the task work/x`.
 * `attempt` counts from 1: a call that is made again may already have been carried out.
 */
export async function callApi<T>(what: string, call: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call(attempt);
    } catch (error) {
      const pauseMs = pausesMs[attempt - 1];
      if (pauseMs === undefined || !transient.has(codeOfCall(error) ?? -1)) throw translated(what, error);
      await setTimeout(pauseMs * (0.5 + Math.random()));
    }
  }
}

/** The gRPC code that a client's error carries. */
export function codeOfCall(error: unknown): number | undefined {
  const code = typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'number' ? code : undefined;
}

/**
 * The error in the vocabulary of the ports. That we ourselves may not call the service (no permission, no credentials) is `unavailable`: whoever sent the message that
 * we were working on is not to blame, and it succeeds once the operator has put it right.
 */
function translated(what: string, cause: unknown): unknown {
  const code = codeOfCall(cause);
  if (code === undefined) return cause;
  const message = `cannot ${what}: ${(cause as Error).message}`;
  switch (code) {
    case grpcCode.invalidArgument:
    case grpcCode.outOfRange:
      return new InvalidInput(message, { cause });
    case grpcCode.notFound:
      return new NotFound(message, { cause });
    case grpcCode.alreadyExists:
      return new AlreadyExists(message, { cause });
    case grpcCode.failedPrecondition:
    case grpcCode.aborted:
      return new Conflict(message, { cause });
    case grpcCode.resourceExhausted:
      return new RockpoolError('rate_limited', message, { cause });
    default:
      return new RockpoolError('unavailable', message, { cause });
  }
}
