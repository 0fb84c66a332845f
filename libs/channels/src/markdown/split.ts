import { isVisible, textOfRuns, type Run } from './styled-text.js';

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** How much of a channel's dialect fits one message. */
export interface Dialect {
  readonly limit: number;
  /** Length of a piece as its provider counts it. */
  measure(runs: readonly Run[]): number;
}

/**
 * Cuts runs into pieces that each fit one message, as late as possible, and there between paragraphs, else lines, else sentences, else words, else
 * graphemes. Only blanks at a cut are dropped. A mark that spans a cut is in both pieces: the dialects close and reopen it.
 */
export function splitRuns(runs: readonly Run[], dialect: Dialect): Run[][] {
  const whole = new Sliceable(runs);
  const pieces: Run[][] = [];
  let from = whole.skipBlanks(0);
  while (from < whole.text.length) {
    const end = farthestEnd(whole, from, dialect);
    let cut = end === whole.text.length ? end : bestCut(whole, from, end);
    // A dialect may spend more on a shorter piece, for it can format a word there that the longer one cut off.
    while (cut - from > 2 && dialect.measure(whole.slice(from, cut)) > dialect.limit) cut = bestCut(whole, from, cut - 1);
    const piece = whole.slice(from, whole.dropBlanks(from, cut));
    if (isVisible(textOfRuns(piece))) pieces.push(piece);
    from = whole.skipBlanks(cut);
  }
  return pieces;
}

/** The largest end such that the piece fits. At least one code point is taken, so that the split always ends. */
function farthestEnd(whole: Sliceable, from: number, dialect: Dialect): number {
  const fits = (end: number) => dialect.measure(whole.slice(from, end)) <= dialect.limit;
  let fitting = from + 1;
  let excessive = Math.min(whole.text.length, from + dialect.limit) + 1;
  while (excessive - fitting > 1) {
    const middle = (fitting + excessive) >> 1;
    if (fits(middle)) fitting = middle;
    else excessive = middle;
  }
  return isSurrogatePair(whole.text, fitting) ? Math.max(fitting - 1, from + 2) : fitting;
}

const sentenceEnd = /[.!?…。！？؟](?:["'”’»)\]]*)(?=\s)|[。！？]/g;

/** Where to cut a text of which [from, end) fits. A cut that would leave a piece nearly empty is not taken for the sake of a paragraph. */
function bestCut(whole: Sliceable, from: number, end: number): number {
  const window = whole.text.slice(from, end);
  const quarter = window.length / 4;
  const half = window.length / 2;
  const isBoundary = graphemeBoundaries(whole.text.slice(from, end + 64));
  const last = (positions: number[], least: number, accept: (position: number) => boolean = () => true) =>
    positions.findLast((position) => position >= least && position > 0 && isBoundary(position) && accept(from + position));
  const paragraphs = positionsOf(/\n\s*\n/g, window, 0);
  const lines = positionsOf(/\n/g, window, 0);
  const outsideCode = (position: number) => !whole.isInCode(position);
  const cut =
    last(paragraphs, quarter, outsideCode) ??
    last(lines, quarter, outsideCode) ??
    last(lines, quarter) ??
    last(positionsOf(sentenceEnd, window, 'after'), half, outsideCode) ??
    last(positionsOf(/\s/g, window, 0), window.length / 8) ??
    lastGrapheme(isBoundary, window.length);
  return cut === undefined ? end : from + cut;
}

function positionsOf(pattern: RegExp, text: string, side: 0 | 'after'): number[] {
  return [...text.matchAll(pattern)].map((match) => match.index + (side === 'after' ? match[0].length : 0));
}

/** A grapheme longer than a message (letters can be stacked without end) leaves no boundary: `undefined`. */
function lastGrapheme(isBoundary: (position: number) => boolean, end: number): number | undefined {
  for (let position = end; position > 0; position--) if (isBoundary(position)) return position;
  return undefined;
}

function graphemeBoundaries(text: string): (position: number) => boolean {
  const segments = graphemes.segment(text);
  return (position) => position >= text.length || segments.containing(position)?.index === position;
}

function isSurrogatePair(text: string, position: number): boolean {
  const before = text.charCodeAt(position - 1);
  const after = text.charCodeAt(position);
  return before >= 0xd800 && before <= 0xdbff && after >= 0xdc00 && after <= 0xdfff;
}

/** Runs that can be cut by position in their text. */
class Sliceable {
  readonly text: string;
  private readonly starts: number[] = [];

  constructor(private readonly runs: readonly Run[]) {
    let start = 0;
    for (const run of runs) {
      this.starts.push(start);
      start += run.text.length;
    }
    this.text = textOfRuns(runs);
  }

  slice(from: number, to: number): Run[] {
    const piece: Run[] = [];
    for (let index = this.runAt(from); index < this.runs.length && this.starts[index]! < to; index++) {
      const { text, marks } = this.runs[index]!;
      const start = this.starts[index]!;
      const part = text.slice(Math.max(0, from - start), to - start);
      if (part !== '') piece.push({ text: part, marks });
    }
    return piece;
  }

  /** Whether both sides of a position are in the same code block. */
  isInCode(position: number): boolean {
    const pre = (index: number) => this.runs[this.runAt(index)]?.marks.find((mark) => mark.kind === 'pre');
    return position > 0 && pre(position - 1) !== undefined && pre(position - 1) === pre(position);
  }

  /** The position after empty lines, or after the blanks at which a line was cut; the indentation of a line that begins here is kept. */
  skipBlanks(position: number): number {
    const isLineStart = position === 0 || this.text[position - 1] === '\n';
    const blanks = isLineStart ? /(?:[^\S\n]*\n)*/y : /[^\S\n]*(?:\n(?:[^\S\n]*\n)*)?/y;
    blanks.lastIndex = position;
    return position + (blanks.exec(this.text)?.[0].length ?? 0);
  }

  dropBlanks(from: number, to: number): number {
    let end = to;
    while (end > from && /\s/.test(this.text[end - 1]!)) end--;
    return end;
  }

  private runAt(position: number): number {
    let low = 0;
    let high = this.starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.starts[middle]! <= position) low = middle;
      else high = middle;
    }
    return low;
  }
}
