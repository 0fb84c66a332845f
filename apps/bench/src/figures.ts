/** The value below which a share of the samples lies; `share` from 0 to 1. NaN without samples. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** One decimal, enough for milliseconds on a shared machine. */
export function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

/** One line of the result: what was measured, the figure, its unit, and the target where there is one. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly target?: { readonly at: 'most' | 'least'; readonly value: number };
}

/** The figures as a table for a terminal. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, value, unit, target }) => {
    const met = target && (target.at === 'most' ? value <= target.value : value >= target.value);
    const aim = target ? `${target.at === 'most' ? '≤' : '≥'} ${target.value} ${unit}` : '';
    return [name, `${value} ${unit}`, aim, target ? (met ? 'met' : 'missed') : ''];
  });
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}
