/** A moment on a message's way at which a test ends the process, to see what is made of it after a restart. */
export type CrashPoint =
  | 'before-verify'
  | 'after-verify'
  | 'after-publish-before-200'
  | 'after-receive-before-commit'
  | 'after-commit-before-wake'
  | 'after-wake-before-ack'
  | 'after-lease'
  | 'mid-run'
  | 'after-run-before-ledger'
  | 'after-ledger-before-send'
  | 'after-send-before-receipt'
  | 'after-receipt-before-release'
  | 'after-release-before-ack'
  | 'during-drain'
  | 'after-job-before-task'
  | 'after-job-claim'
  | 'before-step-record'
  | 'after-step-record'
  | 'after-step-before-record'
  | 'after-step-end'
  | 'after-builders-before-wait'
  | 'after-job-end-before-outcome'
  | 'after-outcome-before-settled'
  | 'after-schedule-before-task'
  | 'after-fire-before-advance'
  | 'after-advance-before-task';

const hook = Symbol.for('dev.rockpool.crash-point');

/**
 * Marks a {@link CrashPoint}. It does nothing, and nothing in the environment can change that: only a module that is loaded before this one
 * (`node --import`, as the chaos run does) can put something else in its place.
 */
export const crashPoint: (point: CrashPoint) => void = (globalThis as { [hook]?: (point: CrashPoint) => void })[hook] ?? (() => undefined);
