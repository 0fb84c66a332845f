import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { duration, printable, table } from './output.js';

describe('what is printed', () => {
  it('stands in columns', () => {
    expect(
      stripVTControlCharacters(
        table(
          ['A', 'LONG'],
          [
            ['first', 'x'],
            ['2', ''],
          ],
        ),
      ),
    ).toBe('A      LONG\nfirst  x\n2');
  });

  it('cannot move the cursor or colour the terminal when strangers wrote it', () => {
    expect(printable('a\u001b[2J\nb\u0007')).toBe('a?[2J b?');
  });

  it.each([
    [-5, '0 ms'],
    [850, '850 ms'],
    [12_400, '12 s'],
    [200_000, '3 min'],
    [7_200_000, '2 h'],
    [900_000_000, '10 d'],
  ])('says %d milliseconds as %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});
