import { styleText } from 'node:util';

/** Prints a line for the operator. What a script reads goes through {@link printJson}. */
export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** One JSON value, the only thing on stdout. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

type Color = 'green' | 'yellow' | 'red' | 'dim' | 'bold' | 'cyan';

/** Coloured where stdout is a terminal that wants it (`NO_COLOR`, `FORCE_COLOR`). */
export function color(name: Color, text: string): string {
  return styleText(name, text, { stream: process.stdout });
}

/** Columns as wide as their widest cell. Cells are plain text: control characters that someone put into a name are shown as `?`. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heads, ...rows].map((cells) => cells.map(printable));
  const widths = heads.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  return lines
    .map((cells, index) => {
      const line = cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd();
      return index === 0 ? color('dim', line) : line;
    })
    .join('\n');
}

/** Text of strangers, safe for a terminal and on one line. */
export function printable(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/\p{Cc}/gu, '?');
}

/** The beginning of a stranger's text, on one line. */
export function shortened(text: string, length: number): string {
  const line = printable(text);
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}

/** `850 ms`, `12 s`, `3 min`, `5 h`, `9 d`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  const steps: [number, string][] = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1000, 's'],
  ];
  const [size, unit] = steps.find(([step]) => ms >= step) as [number, string];
  return `${Math.floor(ms / size)} ${unit}`;
}
