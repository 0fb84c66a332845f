const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Wider lines would wrap on a phone, and a wrapped table cannot be read. */
const maxWidth = 48;

/**
 * The lines of a table in a monospaced font: columns padded to one width, a rule under the header. `undefined` when it is too wide for that, or a cell has
 * more than one line.
 */
export function tableLines(rows: readonly (readonly string[])[]): string[] | undefined {
  const columns = rows[0]?.length ?? 0;
  const cells = rows.flat();
  if (cells.some((cell) => cell.length > maxWidth || cell.includes('\n'))) return undefined;
  const widths = Array.from({ length: columns }, (_, column) => Math.max(1, ...rows.map((row) => widthOf(row[column] ?? ''))));
  if (widths.reduce((sum, width) => sum + width + 3, -3) > maxWidth) return undefined;
  const line = (row: readonly string[]) =>
    widths
      .map((width, column) => (row[column] ?? '') + ' '.repeat(width - widthOf(row[column] ?? '')))
      .join(' | ')
      .trimEnd();
  const [header = [], ...body] = rows;
  return [line(header), widths.map((width) => '-'.repeat(width)).join('-+-'), ...body.map(line)];
}

/** Columns that a text takes: East Asian characters and emoji take two. */
function widthOf(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += wide.test(segment) ? 2 : 1;
  return width;
}

const wide = /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6])/u;
