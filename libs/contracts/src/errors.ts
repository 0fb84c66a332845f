/**
 * The two kinds of failure every consumer tells apart, and the one function that decides what happens next.
 *
 * Identity is a `Symbol.for` marker, never `instanceof`: two copies of this package, or two Jest realms, must agree on what an error is.
 */
const marker = Symbol.for('dev.rockpool.error');

/** Stable, documented names of failures. They appear in HTTP problems, logs, dead letters and `--json` output, and are never renamed. */
export type ErrorCode = keyof typeof errorCodes;

/** Every code with the HTTP status it is translated to and what it means for the caller. docs/errors.md is made from this table. */
export const errorCodes = {
  unauthenticated: {
    status: 401,
    consequence: 'The signature or token is missing or wrong. Nothing was stored; sending it again changes nothing.',
  },
  forbidden: { status: 403, consequence: 'The caller is known but may not do this.' },
  not_found: { status: 404, consequence: 'No such thing exists, or this caller may not know that it does.' },
  already_exists: { status: 409, consequence: 'The name is taken; the existing one was left as it was.' },
  conflict: { status: 409, consequence: 'Somebody changed it meanwhile. Read it again and repeat.' },
  invalid: { status: 400, consequence: 'The input breaks a rule that the message names. Nothing was stored.' },
  too_large: { status: 413, consequence: 'The body is over the cap for this route. Nothing was stored.' },
  rate_limited: { status: 429, consequence: 'Too many requests; wait for Retry-After.' },
  unavailable: {
    status: 503,
    consequence: 'A part that is needed does not answer. Nothing was accepted; wait for Retry-After and send it again.',
  },
  stale_lease: { status: 409, consequence: 'The work was taken over by another holder. What this holder writes now is refused.' },
  terminal: { status: 422, consequence: 'It can never succeed. It is recorded where an operator looks, and not tried again.' },
  outcome_unknown: { status: 502, consequence: 'The other side may have done it. It is not repeated blindly.' },
  undeclared_index: { status: 500, consequence: 'The query needs an index that no collection declares; add it to the collection.' },
  internal: { status: 500, consequence: 'A fault of ours. It is logged with the trace id and tried again.' },
} as const satisfies Record<string, { status: number; consequence: string }>;

interface Marked {
  readonly [marker]: ErrorCode;
}

/** Everything thrown on purpose. `code` is stable, the message is for people, `cause` keeps what happened below. */
export class RockpoolError extends Error {
  readonly [marker]: ErrorCode;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = new.target.name;
    this[marker] = code;
  }
}

/** Can never succeed: the message is acknowledged and recorded as a dead letter; nobody tries again. */
export class TerminalError extends RockpoolError {
  constructor(message: string, options?: { cause?: unknown; code?: ErrorCode }) {
    super(options?.code ?? 'terminal', message, options);
    Object.defineProperty(this, terminal, { value: true });
  }
}
const terminal = Symbol.for('dev.rockpool.error.terminal');

/** Would succeed later: the message comes back after `afterMs` milliseconds. Counts as an attempt. */
export class RetryLater extends RockpoolError {
  constructor(
    readonly afterMs: number,
    message: string,
    options?: { cause?: unknown; code?: ErrorCode },
  ) {
    super(options?.code ?? 'unavailable', message, options);
  }
}

/** The request left, the answer never came: the other side may or may not have done it. Only the reply ledger may decide what follows. */
export class OutcomeUnknown extends RockpoolError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('outcome_unknown', message, options);
  }
}

/** The sender could not prove who it is: 401, nothing is stored, nothing is published. */
export class Unauthenticated extends TerminalError {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, { ...options, code: 'unauthenticated' });
  }
}

/** The input breaks a rule: 400 with the rule in the message. */
export class InvalidInput extends TerminalError {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, { ...options, code: 'invalid' });
  }
}

/** The document, secret, tenant or blob is not there. */
export class NotFound extends TerminalError {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, { ...options, code: 'not_found' });
  }
}

/** Create-if-absent found one. */
export class AlreadyExists extends RockpoolError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('already_exists', message, options);
  }
}

/** The version a write was conditioned on is no longer the current one. */
export class Conflict extends RockpoolError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('conflict', message, options);
  }
}

/** The lease this holder writes under was taken by another: stop at once, write nothing, send nothing. */
export class StaleLease extends RockpoolError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('stale_lease', message, options);
  }
}

/** The stable code of anything thrown: ours keep theirs, everything else is `internal`. */
export function codeOf(error: unknown): ErrorCode {
  return isRockpoolError(error) ? error[marker] : 'internal';
}

/** True for errors of this vocabulary, whichever copy of the package made them. */
export function isRockpoolError(error: unknown): error is RockpoolError & Marked {
  return typeof error === 'object' && error !== null && marker in error;
}

/** True when repeating can never help. */
export function isTerminal(error: unknown): boolean {
  return typeof error === 'object' && error !== null && (error as Record<symbol, unknown>)[terminal] === true;
}

/** What becomes of work whose handler threw. */
export type Outcome =
  { kind: 'discard'; code: ErrorCode; reason: string } | { kind: 'retry'; afterMs?: number; code: ErrorCode; reason: string };

/**
 * The one decision. Terminal: discard and record. `RetryLater`: come back after its delay. Anything else, known or not: come back with
 * the backoff of the subscription or queue, until its attempts are used up.
 */
export function outcomeOf(error: unknown): Outcome {
  const code = codeOf(error);
  const reason = error instanceof Error ? error.message : String(error);
  if (isTerminal(error)) return { kind: 'discard', code, reason };
  const afterMs = isRockpoolError(error) ? (error as unknown as { afterMs?: unknown }).afterMs : undefined;
  return typeof afterMs === 'number' ? { kind: 'retry', afterMs, code, reason } : { kind: 'retry', code, reason };
}

/** RFC 9457 body of a failure. `code` is the stable field to program against. Internal faults do not leak their message. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: ErrorCode;
  detail?: string;
}

/** Translates any thrown value to its RFC 9457 problem. */
export function problemOf(error: unknown): Problem {
  const code = codeOf(error);
  const { status } = errorCodes[code];
  const problem: Problem = { type: `https://rockpool.dev/problems/${code}`, title: code.replaceAll('_', ' '), status, code };
  return code === 'internal' || !(error instanceof Error || isRockpoolError(error))
    ? problem
    : { ...problem, detail: (error as Error).message };
}
