import { AlreadyExists, Conflict, type ErrorCode, InvalidInput, isRockpoolError, NotFound, RockpoolError } from '@rockpool/contracts';
import { setTimeout } from 'node:timers/promises';

/** The codes of gRPC that drivers tell apart: https://grpc.io/docs/guides/status-codes */
export const grpcCode = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  internal: 13,
  unavailable: 14,
} as const;

const pausesMs = [100, 300, 900];
/** After this long no other attempt is begun. */
const patienceMs = 10_000;

/** For every call: no retries by the client, which would hide from us that an earlier attempt may have been carried out. */
export const oneAttempt = { timeout: 10_000, retry: null };

/** What a failed call means, by the gRPC code or the HTTP status that its error carries. The two do not overlap. */
const meanings: Readonly<Record<number, ErrorCode>> = {
  [grpcCode.invalidArgument]: 'invalid',
  [grpcCode.outOfRange]: 'invalid',
  [grpcCode.notFound]: 'not_found',
  [grpcCode.alreadyExists]: 'already_exists',
  [grpcCode.failedPrecondition]: 'conflict',
  [grpcCode.aborted]: 'conflict',
  [grpcCode.resourceExhausted]: 'rate_limited',
  400: 'invalid',
  404: 'not_found',
  409: 'conflict',
  412: 'conflict',
  413: 'too_large',
  429: 'rate_limited',
};

/** What may well succeed a moment later. */
const transient: ReadonlySet<number> = new Set([
  grpcCode.unavailable,
  grpcCode.deadlineExceeded,
  grpcCode.internal,
  grpcCode.resourceExhausted,
  408,
  429,
  500,
  502,
  503,
  504,
]);

/**
 * Makes a call, up to four times while the service is away for a moment, and rejects with {@link callFailure} at last. `what` is for people: `create the task work/x`.
 * `attempt` counts from 1: a call that is made again may already have been carried out. With `limitMs` an attempt that takes longer has failed, though it may go on unseen: for
 * clients that would wait for ever.
 */
export async function callApi<T>(what: string, call: (attempt: number) => Promise<T>, limitMs?: number): Promise<T> {
  const begunAt = performance.now();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await (limitMs === undefined ? call(attempt) : within(limitMs, call(attempt)));
    } catch (error) {
      const pauseMs = performance.now() - begunAt < patienceMs ? pausesMs[attempt - 1] : undefined;
      const code = codeOfCall(error);
      if (pauseMs === undefined || (code === undefined ? !isConnectionError(error) : !transient.has(code))) throw callFailure(what, error);
      await setTimeout(pauseMs * (0.5 + Math.random()));
    }
  }
}

async function within<T>(limitMs: number, call: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = setTimeout(limitMs, undefined, { signal: over.signal }).then(
    () => {
      throw Object.assign(new Error(`no answer within ${limitMs} ms`), { code: 'ETIMEDOUT' });
    },
    // Called off: the call came to its end in time.
    () => call,
  );
  try {
    return await Promise.race([call, late]);
  } finally {
    over.abort();
  }
}

/** The gRPC code or HTTP status that a client's error carries. */
export function codeOfCall(error: unknown): number | undefined {
  const code = rawCodeOf(error);
  return typeof code === 'number' ? code : undefined;
}

/** Node names what befell a connection: `ECONNRESET`, `ERR_STREAM_PREMATURE_CLOSE`. */
function isConnectionError(error: unknown): boolean {
  const code = rawCodeOf(error);
  return typeof code === 'string' && code.startsWith('E');
}

function rawCodeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : undefined;
}

/**
 * The error of a client in the vocabulary of the ports; one that is none of a client's comes back as it is. That we ourselves may not call the service (no permission, no
 * credentials) is `unavailable`: whoever sent the message that we were working on is not to blame, and it succeeds once the operator has put it right.
 */
export function callFailure(what: string, cause: unknown): unknown {
  const code = codeOfCall(cause);
  if (isRockpoolError(cause) || (code === undefined && !isConnectionError(cause))) return cause;
  const message = `cannot ${what}: ${(cause as Error).message}`;
  const meaning = code === undefined ? 'unavailable' : (meanings[code] ?? 'unavailable');
  switch (meaning) {
    case 'invalid':
      return new InvalidInput(message, { cause });
    case 'not_found':
      return new NotFound(message, { cause });
    case 'already_exists':
      return new AlreadyExists(message, { cause });
    case 'conflict':
      return new Conflict(message, { cause });
    default:
      return new RockpoolError(meaning, message, { cause });
  }
}
