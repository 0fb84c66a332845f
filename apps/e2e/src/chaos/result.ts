import { cpus, totalmem } from 'node:os';
import type { Finding, Violation } from '@rockpool/testkit';
import type { Answers } from './answers.js';
import type { Endings } from './endings.js';
import { Errands, type ErrandFindings } from './errand-findings.js';
import type { RunFindings } from './model-runs.js';
import type { ChaosOptions } from './options.js';
import type { Stage } from './stage.js';

/** Of many durations the middle, the twentieth from the top in a hundred, and the longest; absent when there are none. */
export interface Durations {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

/** What a run came to. Times in milliseconds. */
export interface ChaosResult {
  /** Every promise held. */
  readonly ok: boolean;
  /** Each broken promise, in words. */
  readonly broken: readonly string[];
  readonly options: ChaosOptions;
  readonly machine: string;
  readonly durationMs: number;
  readonly messages: {
    readonly sent: number;
    /** Got 2xx. */
    readonly accepted: number;
    readonly answered: number;
    /** Given up by a sender that never got 2xx: no promise was made for them. */
    readonly givenUp: number;
  };
  readonly lost: readonly Finding[];
  readonly duplicated: readonly Finding[];
  readonly outOfOrder: readonly Finding[];
  readonly misdirected: readonly Finding[];
  /** Messages of the product that answer nothing and are no placeholder. */
  readonly unaskedFor: readonly { readonly conversation: string; readonly text: string }[];
  /** Turns that the product itself says are not over, nor in anybody's hands. */
  readonly leftOpen: number;
  /** Placeholders that were left behind; a promise is broken when there are more than endings. */
  readonly orphanPlaceholders: readonly { readonly conversation: string; readonly id: string; readonly between: readonly string[] }[];
  /** Of turns. */
  readonly modelRuns: Omit<RunFindings, 'resumedMs' | 'jobSteps'>;
  /** Work in the background, its cancellation, and what its steps cost. */
  readonly jobs: ErrandFindings['jobs'] & { readonly steps: RunFindings['jobSteps'] };
  readonly reminders: Omit<ErrandFindings['reminders'], 'lateMs'> & { readonly lateMs?: Durations };
  readonly kills: number;
  /** How often each app was ended, by either signal. */
  readonly endedApps: Readonly<Record<string, number>>;
  /** What was ended when, in the order of the run. */
  readonly endings: readonly { readonly app: string; readonly signal: string; readonly at: string; readonly duringStart: boolean }[];
  readonly terms: {
    readonly count: number;
    readonly exitMs?: Durations;
    readonly exitCodes: readonly (number | null)[];
    readonly slow: readonly string[];
  };
  /** From a kill to the next answer. */
  readonly recoveryMs?: Durations;
  /** From the end of a process to the next run of a message that it was running. */
  readonly resumedMs?: Durations;
  /** From 2xx to the answer. */
  readonly answerMs?: Durations;
  /** The messages that waited longest. */
  readonly slowest: readonly { readonly token: string; readonly conversation: string; readonly acceptedAt: string; readonly ms: number }[];
  /** Requests that came before the time a simulator had told to wait for. */
  readonly rateViolations: readonly (Violation & { readonly msAfterStart: number })[];
}

const recoveryWithinMs = 30_000;
const exitWithinMs = 9_000;
/** The longest wait that the simulators' limits ask for. */
const longestBreakMs = 5_000;

interface Evidence {
  readonly options: ChaosOptions;
  readonly stage: Stage;
  readonly answers: Answers;
  readonly endings: Endings;
  readonly errands: Errands;
  readonly runs: RunFindings;
  readonly givenUp: number;
  readonly leftOpen: number;
  readonly durationMs: number;
  /** Names the conversation of a token. */
  readonly conversationOf: (token: string) => string;
}

/** Judges a run by what people see, what the model was asked, and how the process ended. */
export function resultOf(evidence: Evidence): ChaosResult {
  const { options, stage, answers, endings, errands, runs, givenUp, leftOpen, durationMs, conversationOf } = evidence;
  const { resumedMs, jobSteps, ...modelRuns } = runs;
  const shown = stage.shown();
  const verdict = stage.ledger.check(Errands.asAnswers(shown));
  const { jobs, reminders } = errands.findings(shown, stage.model.requests);
  const isPlaceholder = ({ text }: { text: string }) => text.trim() === '…';
  const killed = endings.all.filter(({ signal }) => signal === 'SIGKILL');
  const termed = endings.all.filter(({ signal }) => signal === 'SIGTERM');
  const recoveries = killed.flatMap(({ at, gone }) => {
    const next = answers.firstAfter(gone);
    return next === undefined ? [] : [next - at];
  });
  const result = {
    options,
    machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
    durationMs,
    messages: { sent: verdict.sent, accepted: verdict.accepted, answered: verdict.answered, givenUp },
    lost: verdict.lost,
    duplicated: verdict.duplicated,
    outOfOrder: verdict.outOfOrder,
    misdirected: verdict.misdirected,
    unaskedFor: verdict.orphans.filter((message) => !isPlaceholder(message)).map(({ conversation, text }) => ({ conversation, text })),
    orphanPlaceholders: verdict.orphans.filter(isPlaceholder).map(({ conversation, id }) => {
      const screen = shown.filter((message) => message.conversation === conversation);
      const at = screen.findIndex((message) => message.id === id);
      return { conversation, id, between: [screen[at - 1], screen[at + 1]].map((message) => message?.text.slice(0, 80) ?? '') };
    }),
    leftOpen,
    modelRuns,
    jobs: { ...jobs, steps: jobSteps },
    reminders: { ...reminders, lateMs: durations(reminders.lateMs) },
    kills: killed.length,
    endedApps: Object.fromEntries(Object.entries(Object.groupBy(endings.all, ({ app }) => app)).map(([app, ended]) => [app, ended.length])),
    terms: {
      count: termed.length,
      exitMs: durations(termed.map(({ at, exitedAt }) => exitedAt - at)),
      exitCodes: [...new Set(termed.map(({ exitCode }) => exitCode))],
      slow: termed
        .filter(({ at, exitedAt }) => exitedAt - at > exitWithinMs)
        .map(({ app, at, exitedAt }) => `${app} took ${exitedAt - at} ms to end after SIGTERM`),
    },
    endings: endings.all.map(({ app, signal, at, duringStart }) => ({ app, signal, at: new Date(at).toISOString(), duringStart })),
    recoveryMs: durations(recoveries),
    resumedMs: durations(resumedMs),
    answerMs: durations(answers.waits.map(({ ms }) => ms)),
    slowest: answers.waits
      .sort((a, b) => b.ms - a.ms)
      .slice(0, 10)
      .map(({ token, acceptedAt, ms }) => ({
        token,
        conversation: conversationOf(token),
        acceptedAt: new Date(acceptedAt).toISOString(),
        ms,
      })),
    rateViolations: [...stage.telegram.violations, ...stage.slack.violations].map((violation) => ({
      ...violation,
      msAfterStart: violation.at - Math.max(0, ...endings.all.filter(({ gone }) => gone <= violation.at).map(({ gone }) => gone)),
    })),
  };
  const broken = brokenPromises(result, [...endings.unasked, ...stage.product.faults]);
  return { ok: broken.length === 0, broken, ...result };
}

function brokenPromises(result: Omit<ChaosResult, 'ok' | 'broken'>, faults: readonly string[]): string[] {
  const { modelRuns, terms, recoveryMs, jobs, reminders } = result;
  // A request to wait that was not answered, or that the process did not live to heed, cannot be kept to.
  const tooEarly = result.options.dropped > 0 ? [] : result.rateViolations.filter(({ msAfterStart }) => msAfterStart > longestBreakMs);
  const findings = [
    [result.lost, 'accepted and never answered'],
    [result.duplicated, 'answered more than once'],
    [result.outOfOrder, 'answered out of order'],
    [result.misdirected, 'answered in the wrong place'],
    [result.unaskedFor, 'said without being asked'],
    [modelRuns.needless, 'run again without a reason'],
    [modelRuns.overlapping, 'run while another of the same conversation was running'],
    [jobs.lost, 'jobs whose result was never shown'],
    [jobs.duplicated, 'jobs whose result was shown more than once'],
    [jobs.afterCancel, 'cancelled jobs that showed a result'],
    [jobs.outOfOrder, 'results out of order'],
    [jobs.misdirected, 'results in the wrong place'],
    [jobs.incomplete, 'results without the work of a builder'],
    [jobs.steps.needless, 'steps of jobs repeated without a reason'],
    [jobs.steps.severalForOneEnding, 'jobs of which one ending had several steps repeated'],
    [reminders.lost, 'reminders never shown'],
    [reminders.duplicated, 'reminders shown more than once'],
    [reminders.early, 'reminders too early'],
    [reminders.misdirected, 'reminders in the wrong place'],
  ] as const;
  return [
    ...findings.filter(([list]) => list.length > 0).map(([list, what]) => `${list.length} ${what}: ${JSON.stringify(list.slice(0, 3))}`),
    ...(recoveryMs && recoveryMs.max > recoveryWithinMs ? [`recovery took ${recoveryMs.max} ms`] : []),
    ...(result.orphanPlaceholders.length > result.kills + terms.count
      ? [`${result.orphanPlaceholders.length} placeholders left behind`]
      : []),
    ...(result.leftOpen > 0 ? [`${result.leftOpen} turns are still open`] : []),
    ...terms.slow,
    ...(terms.exitCodes.some((code) => code !== 0) ? [`exit codes after SIGTERM: ${terms.exitCodes.join(', ')}`] : []),
    ...(tooEarly.length > 0
      ? [`${tooEarly.length} requests before the time a channel had asked to wait for: ${JSON.stringify(tooEarly.slice(0, 3))}`]
      : []),
    ...faults,
  ];
}

function durations(values: readonly number[]): Durations | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]!;
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), max: sorted.at(-1)! };
}
