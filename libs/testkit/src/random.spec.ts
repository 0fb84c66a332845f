import { describe, expect, it } from '@jest/globals';
import { Random } from './random.js';

describe('the random numbers of a seed', () => {
  it('are the same every time, and others for another seed', () => {
    const draw = (seed: string) =>
      Array.from(
        { length: 5 },
        (
          (random) => () =>
            random.next()
        )(new Random(seed)),
      );
    expect(draw('a')).toEqual(draw('a'));
    expect(draw('a')).not.toEqual(draw('b'));
  });

  it('are spread evenly', () => {
    const random = new Random(1);
    const counts = Array.from({ length: 10 }, () => 0);
    for (let draw = 0; draw < 10_000; draw++) counts[random.integer(0, 9)]! += 1;
    expect(Math.min(...counts)).toBeGreaterThan(900);
    expect(Math.max(...counts)).toBeLessThan(1100);
  });

  it('shuffle without losing anything', () => {
    const items = [1, 2, 3, 4, 5, 6, 7, 8];
    const shuffled = new Random(1).shuffle(items);
    expect(shuffled).not.toEqual(items);
    expect(shuffled.sort()).toEqual(items);
    expect(() => new Random(1).pick([])).toThrow('nothing to pick from');
  });
});
