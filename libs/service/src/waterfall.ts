import { styleText } from 'node:util';
import type { SpanValue, StoredSpan } from '@rockpool/cloud';
import { costText, durationText, fitted, timeBar } from './time-bars.js';

export interface WaterfallOptions {
  /** Columns of the terminal; at least 60 are used. */
  readonly width: number;
  readonly color: boolean;
}

const nameShare = 0.4;
const maxNameWidth = 60;
const barWidthLimit = 32;
const durationWidth = 8;

interface Row {
  readonly span: StoredSpan;
  readonly depth: number;
}

/**
 * Draws traces for a terminal: one line a span, indented below its parent, with its duration, a bar where it lies in time, and what one wants to know of it (model,
 * tokens, cost, outcome, status, error). Several linked traces follow one another on one time scale.
 */
export function renderWaterfall(spans: readonly StoredSpan[], options: WaterfallOptions): string {
  if (spans.length === 0) return 'no spans\n';
  const width = Math.max(60, options.width);
  const from = Math.min(...spans.map((span) => span.startMs));
  const until = Math.max(...spans.map((span) => span.startMs + span.durationMs));
  const traces = [...Map.groupBy(spans, (span) => span.traceId)].map(([traceId, members]) => ({ traceId, rows: rowsOf(members) }));
  const longestName = Math.max(...traces.flatMap(({ rows }) => rows.map((row) => labelOf(row).length)));
  const nameWidth = Math.min(longestName, maxNameWidth, Math.floor(width * nameShare));
  const barWidth = Math.min(barWidthLimit, Math.max(10, Math.floor((width - nameWidth - durationWidth) * 0.35)));
  const paint = options.color ? colored : (_style: unknown, text: string) => text;

  const lines: string[] = [];
  for (const { traceId, rows } of traces) {
    const start = new Date(rows[0]!.span.startMs).toISOString();
    lines.push(paint('bold', `trace ${traceId}`) + paint('gray', `  ${start}  ${rows.length} ${rows.length === 1 ? 'span' : 'spans'}`));
    for (const row of rows) {
      const failed = row.span.status.code === 'error';
      const name = fitted(labelOf(row), nameWidth);
      const bar = timeBar(row.span, { from, until, width: barWidth });
      const notes = fitNotes(notesOf(row.span), width - nameWidth - durationWidth - barWidth - 3);
      const line = `${failed ? paint('red', name) : name} ${paint('gray', durationText(row.span.durationMs).padStart(durationWidth))} ${paint(failed ? 'red' : 'cyan', bar)}`;
      lines.push(notes === '' ? line.trimEnd() : `${line} ${paint(failed ? 'red' : 'gray', notes)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Depth first, children by start; a span whose parent is not there stands at the margin. */
function rowsOf(spans: readonly StoredSpan[]): Row[] {
  const known = new Set(spans.map((span) => span.spanId));
  const byStart = [...spans].sort((one, other) => one.startMs - other.startMs);
  const children = Map.groupBy(byStart, (span) =>
    span.parentSpanId !== undefined && known.has(span.parentSpanId) ? span.parentSpanId : '',
  );
  const rows: Row[] = [];
  const visited = new Set<string>();
  const visit = (parent: string, depth: number): void => {
    for (const span of children.get(parent) ?? []) {
      if (visited.has(span.spanId)) continue;
      visited.add(span.spanId);
      rows.push({ span, depth });
      visit(span.spanId, depth + 1);
    }
  };
  visit('', 0);
  return rows;
}

function labelOf({ span, depth }: Row): string {
  return `${'  '.repeat(depth + 1)}${span.name}`;
}

function notesOf(span: StoredSpan): string[] {
  const { attributes, status, links } = span;
  const first = (...names: string[]): SpanValue | undefined => names.map((name) => attributes[name]).find((value) => value !== undefined);
  const notes: string[] = [];
  if (status.code === 'error') notes.push(`✗ ${status.message ?? first('error.type') ?? 'failed'}`);
  const model = first('gen_ai.response.model', 'gen_ai.request.model');
  if (model !== undefined) notes.push(String(model));
  const [input, output] = [first('gen_ai.usage.input_tokens'), first('gen_ai.usage.output_tokens')];
  if (input !== undefined || output !== undefined) notes.push(`${input ?? '?'}→${output ?? '?'} tokens`);
  const cost = first('rockpool.cost.usd');
  if (typeof cost === 'number') notes.push(costText(cost));
  const tool = first('gen_ai.tool.name');
  if (tool !== undefined && !span.name.includes(String(tool))) notes.push(String(tool));
  const outcome = first('rockpool.turn.outcome', 'rockpool.outcome', 'http.response.status_code');
  if (outcome !== undefined) notes.push(String(outcome));
  const waited = first('rockpool.queue_wait_ms');
  if (typeof waited === 'number' && waited >= 1) notes.push(`waited ${durationText(waited)}`);
  const attempt = first('rockpool.attempt', 'rockpool.turn.attempt');
  if (typeof attempt === 'number' && attempt > 1) notes.push(`attempt ${attempt}`);
  if (links.length > 0) notes.push(`linked to ${links.map((link) => link.traceId.slice(0, 8)).join(', ')}`);
  return notes;
}

/** Whatever the stream: the caller has decided. */
function colored(style: Parameters<typeof styleText>[0], text: string): string {
  return styleText(style, text, { validateStream: false });
}

function fitNotes(notes: readonly string[], width: number): string {
  const text = notes.join(' · ');
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
