import {
  APICallError,
  InvalidResponseDataError,
  JSONParseError,
  LoadAPIKeyError,
  NoSuchModelError,
  TypeValidationError,
} from '@ai-sdk/provider';

/**
 * Why a model call failed, by what can be done about it.
 * - `key`: the provider does not accept the key, or not for this model. An operator must act.
 * - `account`: no credit, or a hard quota. An operator must act.
 * - `model`: there is no such model at that provider. An operator must act.
 * - `too_long`: the prompt is over what the model takes. Send less.
 * - `refused`: the provider calls the request itself wrong. Repeating it changes nothing.
 * - `busy`: rate limit, overload, fault of the provider. Later, no sooner than `retryAfterMs`.
 * - `network`: no answer, or it broke off. Again.
 */
export type FailureKind = 'key' | 'account' | 'model' | 'too_long' | 'refused' | 'busy' | 'network';

export interface ProviderFailure {
  readonly kind: FailureKind;
  readonly status?: number;
  /** What the provider asked for; absent when it said nothing. */
  readonly retryAfterMs?: number;
  /** Status and the provider's own error code. Never its message, which may quote the prompt or the key. */
  readonly reason: string;
}

const accountMarks = /insufficient_quota|billing|credit balance|payment|exceeded your current quota/i;
const tooLongMarks =
  /context[ _]?(?:length|window)|maximum context|too many (?:input )?tokens|prompt is too long|input token count|exceeds? the (?:maximum|limit).{0,40}tokens|string too long/i;
const busyMarks = /overloaded|rate[_ ]?limit|server[_ ]?error|unavailable|timeout|internal|api_error|capacity/i;

/** Sorts anything a model call can throw or stream as an error. `undefined` for what is not a provider's failure: a bug of ours, an abort. */
export function failureOf(error: unknown): ProviderFailure | undefined {
  if (APICallError.isInstance(error)) return ofCall(error);
  if (LoadAPIKeyError.isInstance(error)) return { kind: 'key', reason: 'no key' };
  if (NoSuchModelError.isInstance(error)) return { kind: 'model', reason: 'no such model' };
  if (InvalidResponseDataError.isInstance(error) || JSONParseError.isInstance(error) || TypeValidationError.isInstance(error))
    return { kind: 'network', reason: 'the answer broke off or is not what the protocol says' };
  if (error instanceof Error || isErrorLike(error)) return ofThrown(error);
  if (typeof error === 'object' && error !== null) return ofStreamed(error as Record<string, unknown>);
  return typeof error === 'string' ? ofStreamed({ message: error }) : undefined;
}

function ofCall(error: APICallError): ProviderFailure {
  const status = error.statusCode;
  if (status === undefined) return { kind: 'network', reason: 'no answer' };
  const body = `${error.responseBody ?? ''} ${error.message}`.slice(0, 10_000);
  const code = errorCodeOf(error.responseBody);
  const reason = code ? `${status} ${code}` : String(status);
  const retryAfterMs = retryAfterOf(error.responseHeaders ?? {});
  const failure = (kind: FailureKind): ProviderFailure => ({ kind, status, reason, ...(retryAfterMs !== undefined && { retryAfterMs }) });
  if (status === 401 || status === 403) return failure('key');
  if (status === 402 || ((status === 429 || status === 400) && accountMarks.test(body))) return failure('account');
  if (status === 413 || (status === 400 && tooLongMarks.test(body))) return failure('too_long');
  if (status === 404) return failure('model');
  if (status === 408 || status === 409 || status === 425 || status === 429 || status >= 500) return failure('busy');
  // Below 400 the transport was fine and the body was not: a proxy's page, a cut stream.
  return failure(status < 400 ? 'network' : 'refused');
}

/** Providers report faults inside a stream that began well as objects such as `{ type: 'overloaded_error', message }`. */
function ofStreamed(error: Record<string, unknown>): ProviderFailure {
  const inner = typeof error['error'] === 'object' && error['error'] !== null ? (error['error'] as Record<string, unknown>) : error;
  const label = [inner['type'], inner['code'], inner['message']].filter((part) => typeof part === 'string').join(' ');
  const code = safeCode(inner['code']) ?? safeCode(inner['type']) ?? 'error in the stream';
  if (tooLongMarks.test(label)) return { kind: 'too_long', reason: code };
  if (accountMarks.test(label)) return { kind: 'account', reason: code };
  return { kind: busyMarks.test(label) ? 'busy' : 'network', reason: code };
}

const networkCodes = /^(?:E[A-Z]+|UND_ERR_.+)$/;

function ofThrown(error: Error): ProviderFailure | undefined {
  for (let cause: unknown = error, depth = 0; isErrorLike(cause) && depth < 5; cause = cause.cause, depth++) {
    const code = (cause as { code?: unknown }).code;
    if (typeof code === 'string' && networkCodes.test(code)) return { kind: 'network', reason: code };
    if (cause.name === 'TypeError' && /^(?:terminated|fetch failed|network error)$/i.test(cause.message))
      return { kind: 'network', reason: 'connection lost' };
  }
  return undefined;
}

/** Errors of another realm (a test runner's, a worker's) are not `instanceof` ours. */
function isErrorLike(error: unknown): error is Error {
  return typeof error === 'object' && error !== null && 'message' in error && 'stack' in error && 'name' in error;
}

function errorCodeOf(body: string | undefined): string | undefined {
  if (!body) return undefined;
  try {
    const json = JSON.parse(body) as { error?: { code?: unknown; type?: unknown; status?: unknown } | null } | null;
    return safeCode(json?.error?.code) ?? safeCode(json?.error?.type) ?? safeCode(json?.error?.status);
  } catch {
    // Gateways answer with HTML pages: there is no code in those.
    return undefined;
  }
}

function safeCode(value: unknown): string | undefined {
  return typeof value === 'string' && /^[A-Za-z][\w.-]{0,59}$/.test(value) ? value : undefined;
}

/** `retry-after-ms`, or `Retry-After` in seconds or as an HTTP date. */
function retryAfterOf(headers: Record<string, string | undefined>): number | undefined {
  const inMs = Number(headers['retry-after-ms']);
  if (headers['retry-after-ms'] !== undefined && Number.isFinite(inMs) && inMs >= 0) return inMs;
  const header = headers['retry-after'];
  if (header === undefined) return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return seconds >= 0 ? seconds * 1000 : undefined;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}
