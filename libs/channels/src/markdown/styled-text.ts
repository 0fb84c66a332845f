import type { Token, Tokens } from 'marked';
import { decodeEntities } from './entities.js';
import { lexMarkdown } from './lex.js';
import { linkAddress } from './links.js';
import { tableLines } from './table.js';

/**
 * What surrounds a stretch of text. `value` is the address of a link and the language of a code block. Two marks are one span only when they are the same
 * object, so that two quotes or code blocks after one another stay two.
 */
export interface Mark {
  readonly kind: 'bold' | 'italic' | 'strike' | 'code' | 'link' | 'quote' | 'pre';
  readonly value?: string;
}

/** Text with the marks around it, outermost first. Line breaks are in the text. */
export interface Run {
  readonly text: string;
  readonly marks: readonly Mark[];
}

/**
 * Markdown as runs of text: exactly what a person reads, bullets and table columns included, in reading order. Splitting and every dialect work on this,
 * so that none of them has a say in which characters there are.
 */
export function styledText(markdown: string): Run[] {
  const writer = new RunWriter();
  writer.blocks(lexMarkdown(markdown), []);
  return writer.finish(markdown.toWellFormed());
}

/** The characters of the runs without their marks. */
export function textOfRuns(runs: readonly Run[]): string {
  return runs.map((run) => run.text).join('');
}

const visible = /[^\s\p{Cc}\p{Cf}]/u;

/** Whether a person would see anything of it. A message without anything to see is refused by every provider. */
export function isVisible(text: string): boolean {
  return visible.test(text);
}

class RunWriter {
  private readonly runs: Run[] = [];

  finish(source: string): Run[] {
    if (this.runs.some((run) => isVisible(run.text))) return this.runs;
    // Nothing but definitions or blanks: what was written is shown as it is, and a sign that there was an answer where even that shows nothing.
    return [{ text: isVisible(source) ? source : '…', marks: [] }];
  }

  /** Blocks with an empty line between them; `tight` ones (in a list item) with a line break only. */
  blocks(tokens: readonly Token[], marks: readonly Mark[], options: { indent?: string; tight?: boolean } = {}): void {
    const { indent = '', tight = false } = options;
    let first = true;
    for (const token of tokens) {
      if (token.type === 'space' || token.type === 'def') continue;
      if (token.type === 'checkbox') {
        this.write((token as Tokens.Checkbox).checked ? '☑ ' : '☐ ', marks);
        continue;
      }
      if (!first) this.write(`${tight ? '\n' : '\n\n'}${indent}`, marks);
      this.block(token, marks, indent);
      first = false;
    }
  }

  private block(token: Token, marks: readonly Mark[], indent: string): void {
    switch (token.type) {
      case 'heading':
        return this.inline(childrenOf(token), within(marks, { kind: 'bold' }), indent);
      case 'code':
        return this.code(token as Tokens.Code, marks);
      case 'blockquote':
        // Providers know no quote in a quote; the inner one is told by the mark that Markdown has for it.
        if (marks.some((mark) => mark.kind === 'quote')) this.write('> ', marks);
        return this.blocks(childrenOf(token), within(marks, { kind: 'quote' }), { indent });
      case 'list':
        return this.list(token as Tokens.List, marks, indent);
      case 'table':
        return this.table(token as Tokens.Table, marks);
      case 'hr':
        return this.write('──────────', marks);
      case 'html':
        return this.write(token.raw.replace(/\n+$/, ''), marks);
      default:
        return this.inline('tokens' in token && token.tokens !== undefined ? token.tokens : [token], marks, indent);
    }
  }

  private code(token: Tokens.Code, marks: readonly Mark[]): void {
    const [language] = /^[\w+#.-]{1,32}/.exec(token.lang ?? '') ?? [];
    const pre: Mark = language === undefined ? { kind: 'pre' } : { kind: 'pre', value: language };
    this.write(token.text.replace(/^\n+|\s+$/g, ''), within(marks, pre));
  }

  private list(list: Tokens.List, marks: readonly Mark[], indent: string): void {
    const start = typeof list.start === 'number' ? list.start : 1;
    list.items.forEach((item, index) => {
      const bullet = list.ordered ? `${start + index}. ` : item.task ? '' : '• ';
      this.write(`${index === 0 ? '' : `\n${indent}`}${bullet}`, marks);
      this.blocks(item.tokens, marks, { indent: `${indent}${' '.repeat(Math.max(2, bullet.length))}`, tight: true });
    });
  }

  private table(table: Tokens.Table, marks: readonly Mark[]): void {
    const cell = ({ tokens }: Tokens.TableCell) => {
      const writer = new RunWriter();
      writer.inline(tokens, [], '');
      return writer.runs;
    };
    const header = table.header.map(cell);
    const rows = table.rows.map((row) => row.map(cell));
    const lines = tableLines([header, ...rows].map((row) => row.map((runs) => withAddresses(runs))));
    if (lines !== undefined) return this.write(lines.join('\n'), within(marks, { kind: 'pre' }));
    // Too wide to stand in columns: each row is an entry, each further cell a line that names its column.
    const bold = within(marks, { kind: 'bold' });
    rows.forEach((row, rowIndex) => {
      if (rowIndex > 0) this.write('\n\n', marks);
      row.forEach((runs, column) => {
        if (column > 0) this.write('\n', marks);
        this.append(header[column]!, bold);
        this.write(': ', marks);
        this.append(runs, marks);
      });
    });
    if (rows.length === 0) this.append(header.flat(), bold);
  }

  private inline(tokens: readonly Token[], marks: readonly Mark[], indent: string): void {
    for (const token of tokens) this.span(token, marks, indent);
  }

  private span(token: Token, marks: readonly Mark[], indent: string): void {
    switch (token.type) {
      case 'strong':
        return this.inline(childrenOf(token), within(marks, { kind: 'bold' }), indent);
      case 'em':
        return this.inline(childrenOf(token), within(marks, { kind: 'italic' }), indent);
      case 'del':
        return this.inline(childrenOf(token), within(marks, { kind: 'strike' }), indent);
      case 'codespan':
        return this.write((token as Tokens.Codespan).text, within(marks, { kind: 'code' }));
      case 'br':
        return this.write(`\n${indent}`, marks);
      case 'link':
      case 'image':
        return this.link(token as Tokens.Link | Tokens.Image, marks, indent);
      case 'html':
        return this.write(token.raw, marks);
      case 'escape':
        return this.write(token['text'] as string, marks);
      default:
        if ('tokens' in token && token.tokens !== undefined) return this.inline(token.tokens, marks, indent);
        return this.write(decodeEntities((token as Tokens.Text).text).replaceAll('\n', `\n${indent}`), marks);
    }
  }

  private link(token: Tokens.Link | Tokens.Image, marks: readonly Mark[], indent: string): void {
    const address = linkAddress(token);
    const label = new RunWriter();
    if ('autolink' in token && token.autolink === true) label.write(token.text, []);
    else label.inline(token.tokens ?? [], [], indent);
    if (!label.runs.some((run) => isVisible(run.text))) label.write(decodeEntities(token.href), []);
    this.append(label.runs, address === undefined ? marks : within(marks, { kind: 'link', value: address }));
    if (address === undefined && isVisible(token.href)) this.write(` (${decodeEntities(token.href)})`, marks);
  }

  /** Runs written elsewhere, inside further marks. */
  private append(runs: readonly Run[], marks: readonly Mark[]): void {
    for (const run of runs) this.write(run.text, run.marks.reduce(within, marks));
  }

  private write(text: string, marks: readonly Mark[]): void {
    if (text !== '') this.runs.push({ text, marks });
  }
}

/** The text of runs that cannot carry links, each followed by its address where it does not show it. */
export function withAddresses(runs: readonly Run[]): string {
  return runs
    .map((run, index) => {
      const link = run.marks.find((mark) => mark.kind === 'link');
      const endsHere = link !== undefined && !runs[index + 1]?.marks.includes(link);
      return endsHere && !sameAddress(run.text, link.value!) ? `${run.text} (${link.value})` : run.text;
    })
    .join('');
}

/** Whether a label already says where its link leads. */
export function sameAddress(label: string, address: string): boolean {
  const bare = (text: string) => text.replace(/^(?:https?:\/\/|mailto:)/, '').replace(/\/$/, '');
  return bare(label.trim()) === bare(address);
}

/** Adds a mark, unless one of its kind is there already: bold in bold is bold, and a link in a link leads where the outer one does. */
function within(marks: readonly Mark[], mark: Mark): readonly Mark[] {
  return marks.some((other) => other.kind === mark.kind) ? marks : [...marks, mark];
}

function childrenOf(token: Token): Token[] {
  return ('tokens' in token ? token.tokens : undefined) ?? [];
}
