import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { cutToolOutput, toolOutputCharacters } from './tool-output.js';

describe('the output of a tool', () => {
  it('is left alone up to 5,000 characters', () => {
    expect(cutToolOutput('x'.repeat(5_000))).toBe('x'.repeat(5_000));
  });

  it('is never longer than that, and well-formed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.integer({ min: 1, max: 300 }), (piece, times) => {
        const cut = cutToolOutput(piece.repeat(times));
        expect(cut.length).toBeLessThanOrEqual(toolOutputCharacters);
        expect(cut.isWellFormed()).toBe(true);
      }),
    );
  });

  it('says how much was cut, and how it begins', () => {
    const chapters = Array.from({ length: 40 }, (_, n) => `Chapter ${n + 1}: ${'lorem ipsum '.repeat(30)}`).join('\n');
    const cut = cutToolOutput(chapters);
    expect(cut).toMatch(/^Chapter 1: /);
    expect(cut).toMatch(/\[[\d,]+ more characters in \d+ lines were cut\. They begin:\]\n/);
    expect(cut).toMatch(/- Chapter 3\d: /);
  });
});
