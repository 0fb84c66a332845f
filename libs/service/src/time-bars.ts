/** The time that a row of bars covers, in epoch milliseconds, and how many columns it takes. */
export interface TimeScale {
  readonly from: number;
  readonly until: number;
  readonly width: number;
}

/** Where something lies in time: at least one column of `stroke`, with blanks before and after it, `scale.width` columns in all. */
export function timeBar(
  { startMs, durationMs }: { readonly startMs: number; readonly durationMs: number },
  { from, until, width }: TimeScale,
  stroke = '━',
): string {
  const scale = width / Math.max(until - from, Number.EPSILON);
  const begin = Math.max(0, Math.min(width - 1, Math.floor((startMs - from) * scale)));
  const length = Math.max(1, Math.min(width - begin, Math.round(durationMs * scale)));
  return `${' '.repeat(begin)}${stroke.repeat(length)}`.padEnd(width);
}

/** `4.3 ms`, `60 ms`, `1.40 s`, `2m05s`, `3h07m`, `2d04h`: at most eight columns below a hundred days. */
export function durationText(milliseconds: number): string {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1_000).toFixed(2)} s`;
  const seconds = Math.round(milliseconds / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m${twoDigits(seconds % 60)}s`;
  const minutes = Math.round(milliseconds / 60_000);
  if (minutes < 1_440) return `${Math.floor(minutes / 60)}h${twoDigits(minutes % 60)}m`;
  const hours = Math.round(milliseconds / 3_600_000);
  return `${Math.floor(hours / 24)}d${twoDigits(hours % 24)}h`;
}

/** US dollars; four digits after the point for small amounts: an answer may cost a hundredth of a cent. */
export function costText(usd: number): string {
  if (usd === 0) return '$0';
  return `$${usd < 0.1 ? usd.toFixed(4) : usd.toFixed(2)}`;
}

/** The text in exactly so many columns. */
export function fitted(text: string, width: number): string {
  return text.length <= width ? text.padEnd(width) : `${text.slice(0, width - 1)}…`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
