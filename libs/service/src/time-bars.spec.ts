import { describe, expect, it } from '@jest/globals';
import { costText, durationText, fitted, timeBar } from './time-bars.js';

const scale = { from: 1_000, until: 2_000, width: 10 };

describe('a bar', () => {
  it.each([
    ['lies where it lies in time', 1_300, 200, '   ━━     '],
    ['is one column however short it is', 1_000, 0, '━         '],
    ['stays within the row when it begins at the end', 2_000, 500, '         ━'],
    ['stays within the row when it began before it', 0, 9_000, '━━━━━━━━━━'],
  ])('%s', (_, startMs, durationMs, drawn) => {
    expect(timeBar({ startMs, durationMs }, scale)).toBe(drawn);
  });

  it('is of the stroke that is wanted, also where no time passes', () => {
    expect(timeBar({ startMs: 1_000, durationMs: 0 }, { from: 1_000, until: 1_000, width: 3 }, '┄')).toBe('┄  ');
  });
});

describe('what is said of times and amounts', () => {
  it.each([
    [4.26, '4.3 ms'],
    [60, '60 ms'],
    [1_400, '1.40 s'],
    [125_000, '2m05s'],
    [3_599_600, '1h00m'],
    [11_220_000, '3h07m'],
    [187_200_000, '2d04h'],
  ])('says %d milliseconds as %s', (milliseconds, text) => {
    expect(durationText(milliseconds)).toBe(text);
  });

  it('says small amounts of money to a hundredth of a cent, and makes text fit', () => {
    expect([0, 0.00123, 2.5].map(costText)).toEqual(['$0', '$0.0012', '$2.50']);
    expect([fitted('name', 6), fitted('a longer name', 6)]).toEqual(['name  ', 'a lon…']);
  });
});
