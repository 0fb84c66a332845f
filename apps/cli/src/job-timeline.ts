import { styleText } from 'node:util';
import type { JobDetails, JobTree } from '@rockpool/console';
import type { JobRecord, StepRecord } from '@rockpool/jobs';
import { costText, durationText, fitted, timeBar, type TimeScale } from '@rockpool/service';
import { jobFacts, progressText, questionLines, stateText } from './job-text.js';
import { printable } from './output.js';

export interface TimelineOptions {
  /** Columns of the terminal; at least 80 are used. */
  readonly width: number;
  readonly color: boolean;
  /** Where the bars of what is under way end. Epoch milliseconds. */
  readonly now: number;
}

type Style = Parameters<typeof styleText>[0];

interface Row {
  readonly number: string;
  readonly name: string;
  readonly state: string;
  readonly tries: number;
  /** Absent when it has not begun. */
  readonly began?: number;
  readonly ended?: number;
  readonly isWait: boolean;
  readonly style: Style;
  readonly notes: readonly string[];
  /** What stands below it, in lines of their own. */
  readonly below: readonly string[];
}

const work = '━';
const wait = '┄';
const numberWidth = 4;
const stateWidth = 9;
const triesWidth = 5;
const timeWidth = 9;
const maxBarWidth = 32;
const maxNameWidth = 40;

/**
 * Draws a job for a terminal: what is known of it, then a line for each step, with when it began after the job, how long it took and where that lies in the job's time.
 * Work is a solid bar, waiting a dotted one. Builders stand below the step that made them. Ends with what the job asks.
 */
export function jobTimeline(details: JobDetails, { width: given, color, now }: TimelineOptions): string {
  const { job, steps } = details;
  const paint = color
    ? (style: Style, text: string) => styleText(style, text, { validateStream: false })
    : (_: Style, text: string) => text;
  const lines = jobFacts(job, now).map(([name, value]) => `${name.padEnd(14)}${value}`);
  const rows = rowsOf(details);
  if (rows.length > 0) {
    const width = Math.max(80, given);
    const nameWidth = Math.min(maxNameWidth, Math.max(...rows.map(({ name }) => name.length)));
    const fixed = numberWidth + 1 + nameWidth + 1 + stateWidth + 1 + triesWidth + 1 + timeWidth + 1 + timeWidth + 2;
    const barWidth = Math.max(10, Math.min(maxBarWidth, Math.floor((width - fixed) * 0.5)));
    const scale: TimeScale = { from: job.createdAt, until: job.finishedAt ?? now, width: barWidth };
    lines.push('', paint('dim', heads(nameWidth)));
    const earlier = job.steps - steps.length;
    if (earlier > 0) lines.push(paint('dim', `${' '.repeat(numberWidth + 1)}… ${earlier} earlier ${earlier === 1 ? 'step' : 'steps'}`));
    for (const row of rows) {
      const { number, name, state, tries, began, ended = scale.until, isWait, style } = row;
      const times = [began === undefined ? '' : `+${durationText(began - job.createdAt)}`];
      times.push(began === undefined ? '' : durationText(ended - began));
      const bar =
        began === undefined ? ' '.repeat(barWidth) : timeBar({ startMs: began, durationMs: ended - began }, scale, isWait ? wait : work);
      const head = [
        number.padStart(numberWidth),
        fitted(name, nameWidth),
        paint(style, fitted(state, stateWidth)),
        (tries > 0 ? String(tries) : '').padStart(triesWidth),
        ...times.map((time) => paint('gray', time.padStart(timeWidth))),
      ].join(' ');
      const notes = cut(row.notes.join(' · '), width - fixed - barWidth - 1);
      const drawn = paint(isWait ? 'yellow' : style, notes === '' ? bar.trimEnd() : bar);
      lines.push(`${head}  ${drawn}${notes === '' ? '' : ` ${paint('gray', notes)}`}`.trimEnd());
      for (const line of row.below) lines.push(`${' '.repeat(numberWidth + 1 + indentOf(name) + 2)}${paint('yellow', line)}`);
    }
  }
  const asked = questionLines(job);
  if (asked.length > 0) lines.push('', ...asked.map((line) => paint('yellow', line)));
  return lines.join('\n');
}

function heads(nameWidth: number): string {
  const names = ['BEGAN', 'TOOK'].map((name) => name.padStart(timeWidth));
  return ['NO'.padStart(numberWidth), 'STEP'.padEnd(nameWidth), 'STATE'.padEnd(stateWidth), 'TRIES'.padStart(triesWidth), ...names].join(
    ' ',
  );
}

function rowsOf({ steps, builders }: JobDetails): Row[] {
  const shown = new Set(steps.map(({ n }) => n));
  const byStep = Map.groupBy(builders, ({ job: { parent } }) => (shown.has(parent!.step) ? parent!.step : 0));
  const below = (step: number) => (byStep.get(step) ?? []).flatMap((builder) => builderRows(builder, 1));
  return [...below(0), ...steps.flatMap((step) => [stepRow(step), ...below(step.n)])];
}

function stepRow(step: StepRecord): Row {
  const { n, kind, name, state, attempts, startedAt, finishedAt, error, spent } = step;
  const isWait = kind !== 'act';
  const notes: string[] = [];
  if (error && state !== 'succeeded') notes.push(`${error.code}: ${printable(error.message)}`);
  if (!isWait && spent && spent.tokens > 0) notes.push(`${spent.tokens.toLocaleString('en')} tokens, ${costText(spent.costUsd)}`);
  return {
    ...{ number: String(n), name: printable(name), state, tries: isWait ? 0 : attempts, isWait, notes, below: [] },
    ...{ began: startedAt, style: styleOf(state) },
    ...(finishedAt !== undefined && { ended: finishedAt }),
  };
}

function builderRows({ job, builders }: JobTree, depth: number): Row[] {
  const { label, title, state, parent, startedAt, finishedAt } = job;
  const row: Row = {
    ...{
      number: '',
      name: `${'  '.repeat(depth)}${label}`,
      state,
      tries: startedAt === undefined && parent!.attempt === 1 ? 0 : parent!.attempt,
      isWait: state === 'waiting' || startedAt === undefined,
    },
    ...(startedAt !== undefined && { began: startedAt }),
    ...(finishedAt !== undefined && { ended: finishedAt }),
    ...{ style: styleOf(state), notes: [printable(title), ...noteOf(job)], below: questionLines(job) },
  };
  return [row, ...builders.flatMap((builder) => builderRows(builder, depth + 1))];
}

function noteOf(job: JobRecord): string[] {
  if (!job.open) return job.reason === undefined ? [] : [printable(job.reason)];
  const state = questionLines(job).length > 0 ? job.state : stateText(job);
  return [...(state === job.state ? [] : [state]), ...(job.progress ? [progressText(job)] : [])];
}

function styleOf(state: JobRecord['state'] | StepRecord['state']): Style {
  if (state === 'failed' || state === 'unknown') return 'red';
  if (state === 'succeeded') return 'green';
  if (state === 'cancelled') return 'gray';
  return state === 'waiting' || state === 'retrying' ? 'yellow' : 'cyan';
}

function indentOf(name: string): number {
  return name.length - name.trimStart().length;
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
