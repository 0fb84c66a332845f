import type { ChaosResult, Durations } from './result.js';

/** The result as lines for a terminal. */
export function tableOf(result: ChaosResult): string {
  const { messages, modelRuns, terms, jobs, reminders } = result;
  const named = Object.entries(result.endedApps).map(([app, times]) => `${app} ${times}`);
  const rows: [string, string | number][] = [
    ['seed', result.options.seed],
    ['messages sent / accepted / answered', `${messages.sent} / ${messages.accepted} / ${messages.answered}`],
    ['given up by their sender, never accepted', messages.givenUp],
    ['kills / terminations', `${result.kills} / ${terms.count}`],
    ...(named.length > 1 ? [['of which', named.join(', ')] as [string, string]] : []),
    ['lost', result.lost.length],
    ['answered more than once', result.duplicated.length],
    ['out of order', result.outOfOrder.length],
    ['in the wrong place', result.misdirected.length],
    ['said without being asked', result.unaskedFor.length],
    ['turns left open', result.leftOpen],
    ['placeholders left behind', result.orphanPlaceholders.length],
    [
      'model runs / repeated / needlessly / overlapping',
      `${modelRuns.runs} / ${modelRuns.repeated} / ${modelRuns.needless.length} / ${modelRuns.overlapping.length}`,
    ],
    ['jobs started / with a result / cancelled', `${jobs.started} / ${jobs.finished} / ${jobs.cancelled}`],
    [
      'their results lost / shown twice / after a cancellation',
      `${jobs.lost.length} / ${jobs.duplicated.length} / ${jobs.afterCancel.length}`,
    ],
    [
      'out of order / in the wrong place / without a builder’s work',
      `${jobs.outOfOrder.length} / ${jobs.misdirected.length} / ${jobs.incomplete.length}`,
    ],
    [
      'steps of jobs / repeated / needlessly / several for one ending',
      `${jobs.steps.asked} / ${jobs.steps.repeated} / ${jobs.steps.needless.length} / ${jobs.steps.severalForOneEnding.length}`,
    ],
    ['status messages that were not brought up to date', jobs.staleStatuses.length],
    [
      'reminders planned / shown / lost / twice / early / misplaced',
      [
        reminders.planned,
        reminders.shown,
        ...[reminders.lost, reminders.duplicated, reminders.early, reminders.misdirected].map(({ length }) => length),
      ].join(' / '),
    ],
    ['reminders late by, p50 / p95 / max', durationText(reminders.lateMs)],
    ['kill to next answer, p50 / p95 / max', durationText(result.recoveryMs)],
    ['end to next run of what was running, p50 / p95 / max', durationText(result.resumedMs)],
    ['2xx to answer, p50 / p95 / max', durationText(result.answerMs)],
    ['SIGTERM to exit, p50 / p95 / max', durationText(terms.exitMs)],
    ['requests too early for a rate limit', result.rateViolations.length],
    ['took', `${Math.round(result.durationMs / 1000)} s`],
    ['machine', result.machine],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
  const verdict = result.ok ? ['every promise held'] : ['BROKEN', ...result.broken.map((promise) => `  ${promise}`)];
  return `${[...lines, '', ...verdict].join('\n')}\n`;
}

function durationText(durations: Durations | undefined): string {
  if (!durations) return '–';
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  return `${seconds(durations.p50)} / ${seconds(durations.p95)} / ${seconds(durations.max)}`;
}
