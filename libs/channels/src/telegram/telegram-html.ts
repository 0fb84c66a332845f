import { escapeHtml } from '../markdown/entities.js';
import type { Dialect } from '../markdown/split.js';
import { textOfRuns, withAddresses, type Mark, type Run } from '../markdown/styled-text.js';

/** Telegram counts what is left after its tags are parsed, in UTF-16 units. https://core.telegram.org/bots/api#sendmessage */
export const telegramDialect: Dialect = { limit: 4096, measure: (runs) => runs.reduce((length, run) => length + run.text.length, 0) };

/** The runs in Telegram's HTML, every tag closed. https://core.telegram.org/bots/api#html-style */
export function telegramHtml(runs: readonly Run[]): string {
  let html = '';
  let open: readonly Mark[] = [];
  for (const run of runs) {
    const marks = allowedTogether(run.marks);
    const shared = open.findIndex((mark, depth) => mark !== marks[depth]);
    const kept = shared < 0 ? open.length : shared;
    html += closing(open.slice(kept)) + marks.slice(kept).map(openingTag).join('') + escapeHtml(run.text);
    open = marks;
  }
  return html + closing(open);
}

/** The same piece without formatting, for the case that Telegram cannot parse the other: with the addresses of its links where they fit. */
export function telegramPlainText(runs: readonly Run[]): string {
  const text = withAddresses(runs);
  return text.length <= telegramDialect.limit ? text : textOfRuns(runs);
}

/** Code may be inside nothing but a quote, and contains nothing. A link says more than the font of its label, so it wins over inline code. */
function allowedTogether(marks: readonly Mark[]): readonly Mark[] {
  const quote = marks.filter((mark) => mark.kind === 'quote');
  const pre = marks.find((mark) => mark.kind === 'pre');
  if (pre !== undefined) return [...quote, pre];
  const code = marks.find((mark) => mark.kind === 'code');
  if (code === undefined) return [...quote, ...marks.filter((mark) => mark.kind !== 'quote')];
  return marks.some((mark) => mark.kind === 'link') ? marks.filter((mark) => mark.kind !== 'code') : [...quote, code];
}

const tags = { bold: 'b', italic: 'i', strike: 's', code: 'code', quote: 'blockquote' } as const;

function openingTag(mark: Mark): string {
  if (mark.kind === 'link') return `<a href="${escapeHtml(mark.value ?? '')}">`;
  if (mark.kind !== 'pre') return `<${tags[mark.kind]}>`;
  return mark.value === undefined ? '<pre>' : `<pre><code class="language-${escapeHtml(mark.value)}">`;
}

function closingTag(mark: Mark): string {
  if (mark.kind === 'link') return '</a>';
  if (mark.kind !== 'pre') return `</${tags[mark.kind]}>`;
  return mark.value === undefined ? '</pre>' : '</code></pre>';
}

function closing(marks: readonly Mark[]): string {
  return marks.toReversed().map(closingTag).join('');
}
