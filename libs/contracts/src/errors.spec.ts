import { describe, expect, it, jest } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import * as contracts from './index.js';
import {
  codeOf,
  errorCodes,
  InvalidInput,
  isRockpoolError,
  isTerminal,
  outcomeOf,
  OutcomeUnknown,
  problemOf,
  RetryLater,
  RockpoolError,
  StaleLease,
  TerminalError,
  type ErrorCode,
} from './errors.js';

type ErrorClass = new (...args: never[]) => RockpoolError;

/** Every exported error class, found by walking the module: a new one is tested without being listed here. */
const errorClasses = (Object.entries(contracts) as [string, unknown][]).filter(
  (entry): entry is [string, ErrorClass] => entry[1] === RockpoolError || (entry[1] as ErrorClass).prototype instanceof RockpoolError,
);

/** Classes whose code the caller chooses, or whose first argument is not the message. */
const construct: Record<string, () => RockpoolError> = {
  RockpoolError: () => new RockpoolError('rate_limited', 'why'),
  RetryLater: () => new RetryLater(1500, 'why'),
};
const make = (name: string, Class: ErrorClass): RockpoolError =>
  construct[name]?.() ?? new (Class as unknown as new (message: string) => RockpoolError)('why');

describe('every exported error', () => {
  it.each(errorClasses)('%s has a documented code, its own name, and its message', (name, Class) => {
    const error = make(name, Class);
    expect(Object.keys(errorCodes)).toContain(error.code);
    expect(codeOf(error)).toBe(error.code);
    expect(error.name).toBe(name);
    expect(error.message).toBe('why');
  });

  it('has a code of its own, so that a code names one class', () => {
    const fixed = errorClasses.filter(([name]) => !['RockpoolError', 'RetryLater', 'TerminalError'].includes(name));
    const codes = fixed.map(([name, Class]) => make(name, Class).code);
    expect(new Set(codes).size).toBe(codes.length);
  });

  it('keeps what happened below as its cause', () => {
    const cause = new Error('socket closed');
    expect(new InvalidInput('why', { cause }).cause).toBe(cause);
    expect(new RetryLater(1, 'why', { cause }).cause).toBe(cause);
  });
});

describe('the code table', () => {
  it.each(Object.entries(errorCodes))(
    '%s has an HTTP error status and says what follows in whole sentences',
    (code, { status, consequence }) => {
      expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(600);
      expect(consequence).toMatch(/^[A-Z].*\.$/s);
    },
  );

  it('explains every code in words of its own', () => {
    const consequences = Object.values(errorCodes).map(({ consequence }) => consequence);
    expect(new Set(consequences).size).toBe(consequences.length);
  });

  it('is what docs/errors.md shows (UPDATE_DOCS=1 writes it)', async () => {
    const file = new URL('../../../docs/errors.md', import.meta.url);
    const expected = errorsDocument();
    if (process.env['UPDATE_DOCS']) await writeFile(file, expected);
    expect(await readFile(file, 'utf8')).toBe(expected);
  });
});

describe('outcomeOf', () => {
  const retried = (code: ErrorCode) => ({ kind: 'retry', code, reason: 'why' });
  const discarded = (code: ErrorCode) => ({ kind: 'discard', code, reason: 'why' });

  it.each<[string, unknown, object]>([
    ['discards what can never succeed', new TerminalError('why'), discarded('terminal')],
    ['discards a terminal error with the code it was given', new TerminalError('why', { code: 'forbidden' }), discarded('forbidden')],
    ['discards unauthenticated', new contracts.Unauthenticated('why'), discarded('unauthenticated')],
    ['discards invalid input', new InvalidInput('why'), discarded('invalid')],
    ['discards what is not there', new contracts.NotFound('why'), discarded('not_found')],
    ['retries after the delay that was asked for', new RetryLater(1500, 'why'), { ...retried('unavailable'), afterMs: 1500 }],
    ['retries at once when that was asked for', new RetryLater(0, 'why'), { ...retried('unavailable'), afterMs: 0 }],
    ['retries a conflict', new contracts.Conflict('why'), retried('conflict')],
    ['retries a taken name', new contracts.AlreadyExists('why'), retried('already_exists')],
    ['retries a stale lease', new StaleLease('why'), retried('stale_lease')],
    ['retries an unknown outcome', new OutcomeUnknown('why'), retried('outcome_unknown')],
    ['retries an error it does not know', new TypeError('why'), retried('internal')],
    ['retries a thrown string', 'why', retried('internal')],
    ['retries a thrown undefined', undefined, { ...retried('internal'), reason: 'undefined' }],
    ['retries a thrown null', null, { ...retried('internal'), reason: 'null' }],
  ])('%s', (_what, error, outcome) => {
    expect(outcomeOf(error)).toEqual(outcome);
  });

  it('does not take the delay of an error that is not ours', () => {
    expect(outcomeOf(Object.assign(new Error('why'), { afterMs: 5 }))).toEqual(retried('internal'));
  });
});

describe('problemOf', () => {
  it('gives status, code and detail of an error of ours', () => {
    expect(problemOf(new InvalidInput('the name is empty'))).toEqual({
      type: 'https://rockpool.dev/problems/invalid',
      title: 'invalid',
      status: 400,
      code: 'invalid',
      detail: 'the name is empty',
    });
  });

  it.each([
    new Error('password=hunter2'),
    'password=hunter2',
    { message: 'password=hunter2' },
    new RockpoolError('internal', 'password=hunter2'),
  ])('does not leak what an internal fault says (%#)', (error) => {
    expect(JSON.stringify(problemOf(error))).not.toContain('hunter2');
    expect(problemOf(error)).toMatchObject({ status: 500, code: 'internal' });
  });
});

describe('an error made by another copy of this package', () => {
  it('is known by its marker', async () => {
    jest.resetModules();
    const other = await import('./errors.js');
    expect(other.TerminalError).not.toBe(TerminalError);
    const foreign = new other.NotFound('why');
    expect(foreign).not.toBeInstanceOf(RockpoolError);
    expect(isRockpoolError(foreign)).toBe(true);
    expect(isTerminal(foreign)).toBe(true);
    expect(outcomeOf(foreign)).toEqual({ kind: 'discard', code: 'not_found', reason: 'why' });
    expect(outcomeOf(new other.RetryLater(7, 'why'))).toMatchObject({ kind: 'retry', afterMs: 7 });
  });

  it.each([undefined, null, 'text', 42, {}, new Error('why')])('is not mistaken for something else (%p)', (value) => {
    expect(isRockpoolError(value)).toBe(false);
    expect(isTerminal(value)).toBe(false);
  });
});

function errorsDocument(): string {
  const rows = Object.entries(errorCodes).map(([code, { status, consequence }]) => `| \`${code}\` | ${status} | ${consequence} |`);
  return [
    '# Error codes',
    '',
    'Every failure Rockpool reports carries one of these codes: in the `code` member of an HTTP problem (RFC 9457), in logs, in dead letters and in `--json`',
    'output. A code is never renamed and never changes its meaning.',
    '',
    '| code | HTTP status | what follows from it |',
    '|---|---|---|',
    ...rows,
    '',
    'Made from `errorCodes` in `libs/contracts/src/errors.ts`; `UPDATE_DOCS=1 npx nx test contracts` writes it again.',
    '',
  ].join('\n');
}
