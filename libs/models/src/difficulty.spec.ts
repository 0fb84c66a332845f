import { describe, expect, it } from '@jest/globals';
import { difficultyOf, type Difficulty } from './difficulty.js';
import { estimateTokens } from './tokens.js';

describe('difficulty', () => {
  it.each<[Difficulty, string]>([
    ['simple', 'hello'],
    ['simple', 'what is the weather like in Delft?'],
    ['simple', 'compare tea and coffee'],
    ['simple', 'Remind me to call Anna tomorrow at nine'],
    ['code', 'why does `foo` fail?\n```js\nfoo()\n```'],
    ['code', 'fix the bug in server.ts'],
    ['code', 'write a regex for dates'],
    ['code', 'Traceback (most recent call last): …'],
    ['code', `please shorten this: ${'lorem ipsum '.repeat(150)}`],
    ['design', 'Design an architecture for a message queue that survives the loss of one data centre.'],
    ['design', 'Compare three strategies to move our shop to another country, with costs and risks.'],
    ['design', `what do you make of this? ${'lorem ipsum '.repeat(600)}`],
  ])('is %s for “%s”', (difficulty, text) => expect(difficultyOf(text, 0)).toBe(difficulty));

  it('rises with the length of the conversation', () => {
    expect([difficultyOf('and then?', 40), difficultyOf('and then?', 41)]).toEqual(['simple', 'code']);
  });

  it('is judged in linear time', () => {
    for (const piece of ['at ', 'at a (', 'git ', '.t', '=', 'stack ', ' '])
      expect(typeof difficultyOf(piece.repeat(6_000 / piece.length), 0)).toBe('string');
  });
});

describe('an estimate of tokens', () => {
  it('is a little high for English and right for Chinese', () => {
    expect(estimateTokens('The quick brown fox jumps over the lazy dog.')).toBe(14);
    expect(estimateTokens('水温适宜')).toBe(4);
    expect(estimateTokens('')).toBe(0);
  });
});
