import type { Dialect } from '../markdown/split.js';
import { sameAddress, textOfRuns, type Mark, type Run } from '../markdown/styled-text.js';

/** Slack advises 4,000 characters of a message as sent, marks and escapes included. */
export const slackDialect: Dialect = { limit: 3_900, measure: (runs) => slackMrkdwn(runs).length };

/**
 * The runs in Slack's mrkdwn. https://docs.slack.dev/messaging/formatting-message-text
 *
 * It has no escape for its own marks, ends each at the end of a line, and sees one only where no letter or digit touches it from outside. A mark it would not
 * see is left out, so that no stray asterisk is shown.
 */
export function slackMrkdwn(runs: readonly Run[]): string {
  let mrkdwn = '';
  for (const group of byCodeBlock(runs)) {
    const needsBreak = mrkdwn !== '' && !mrkdwn.endsWith('\n');
    const [first] = group;
    if (first?.marks.some((mark) => mark.kind === 'pre') === true) {
      mrkdwn += `${needsBreak ? '\n' : ''}\`\`\`\n${fenceFree(escapeMrkdwn(textOfRuns(group)))}\n\`\`\``;
    } else {
      mrkdwn += (needsBreak && first?.text.startsWith('\n') === false ? '\n' : '') + linesOf(group).map(lineMrkdwn).join('\n');
    }
  }
  return mrkdwn;
}

/** Slack asks for these three characters and no others to be escaped. */
function escapeMrkdwn(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Three backticks would end the block; an invisible space between them does not show. */
function fenceFree(text: string): string {
  return text.replaceAll('```', '`\u200b`\u200b`');
}

function byCodeBlock(runs: readonly Run[]): Run[][] {
  const groups: Run[][] = [];
  let current: Mark | undefined;
  for (const run of runs) {
    const pre = run.marks.find((mark) => mark.kind === 'pre');
    const group = groups.at(-1);
    if (group !== undefined && pre === current) group.push(run);
    else groups.push([run]);
    current = pre;
  }
  return groups;
}

function linesOf(runs: readonly Run[]): Run[][] {
  const lines: Run[][] = [[]];
  for (const { text, marks } of runs) {
    text.split('\n').forEach((part, index) => {
      if (index > 0) lines.push([]);
      lines.at(-1)!.push({ text: part, marks });
    });
  }
  return lines;
}

const delimiters: Partial<Record<Mark['kind'], string>> = { bold: '*', italic: '_', strike: '~', code: '`' };

function lineMrkdwn(line: readonly Run[]): string {
  const isQuote = line.some((run) => run.marks.some((mark) => mark.kind === 'quote'));
  const shown = shownMarks(line);
  let mrkdwn = isQuote ? '> ' : '';
  let open: readonly Mark[] = [];
  line.forEach((run, index) => {
    const link = linkOf(run);
    // A link is one word: written where it begins.
    if (run.text === '' || (link !== undefined && line[index - 1]?.marks.includes(link) === true)) return;
    const marks = run.marks.filter((mark) => shown.has(mark));
    const differing = open.findIndex((mark, depth) => mark !== marks[depth]);
    const kept = differing < 0 ? open.length : differing;
    mrkdwn += delimitersOf(open.slice(kept).toReversed()) + delimitersOf(marks.slice(kept));
    mrkdwn += link === undefined ? escapeMrkdwn(run.text) : linkMrkdwn(link, line.slice(index));
    open = marks;
  });
  return mrkdwn + delimitersOf(open.toReversed());
}

function linkMrkdwn(link: Mark, rest: readonly Run[]): string {
  const end = rest.findIndex((run) => !run.marks.includes(link));
  const label = textOfRuns(end < 0 ? rest : rest.slice(0, end));
  const address = escapeMrkdwn((link.value ?? '').replaceAll('|', '%7C').replaceAll('<', '%3C').replaceAll('>', '%3E'));
  return sameAddress(label, link.value ?? '') ? `<${address}>` : `<${address}|${escapeMrkdwn(label)}>`;
}

/** The marks of a line that Slack will see as such. In a label it sees none, so one that covers a part of a label is left out. */
function shownMarks(line: readonly Run[]): Set<Mark> {
  const text = textOfRuns(line);
  const extents = new Map<Mark, { start: number; end: number; partOfLabel: boolean }>();
  let start = 0;
  line.forEach((run, index) => {
    const end = start + run.text.length;
    const link = linkOf(run);
    for (const mark of run.marks) {
      const beyond = (neighbour: Run | undefined) =>
        link !== undefined && neighbour?.marks.includes(link) === true && !neighbour.marks.includes(mark);
      const partOfLabel = beyond(line[index - 1]) || beyond(line[index + 1]) || (mark.kind === 'code' && link !== undefined);
      const extent = extents.get(mark) ?? { start, end, partOfLabel };
      extents.set(mark, { start: extent.start, end, partOfLabel: extent.partOfLabel || partOfLabel });
    }
    start = end;
  });
  const isShown = ([mark, { start, end, partOfLabel }]: [Mark, { start: number; end: number; partOfLabel: boolean }]) => {
    const delimiter = delimiters[mark.kind];
    const inside = text.slice(start, end);
    if (delimiter === undefined || partOfLabel || inside === '' || inside.trim() !== inside || inside.includes(delimiter)) return false;
    return !/[\p{L}\p{N}_]$/u.test(text.slice(Math.max(0, start - 2), start)) && !/^[\p{L}\p{N}_]/u.test(text.slice(end, end + 2));
  };
  return new Set([...extents].filter(isShown).map(([mark]) => mark));
}

function linkOf(run: Run): Mark | undefined {
  return run.marks.find((mark) => mark.kind === 'link');
}

function delimitersOf(marks: readonly Mark[]): string {
  return marks.map((mark) => delimiters[mark.kind] ?? '').join('');
}
