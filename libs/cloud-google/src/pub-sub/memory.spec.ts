import { describe, expect, it } from '@jest/globals';
import { Memory } from './memory.js';

describe('what was seen lately', () => {
  it('is forgotten after its time, and when more recent things take its place', () => {
    let now = 0;
    const memory = new Memory(2, 100, () => now);
    memory.add('a');
    now = 99;
    expect(memory.has('a')).toBe(true);
    now = 100;
    expect(memory.has('a')).toBe(false);
    for (const name of ['b', 'c', 'd']) memory.add(name);
    expect(['b', 'c', 'd'].map((name) => memory.has(name))).toEqual([false, true, true]);
  });

  it('is kept anew when it is seen again', () => {
    const memory = new Memory(2, 100, () => 0);
    for (const name of ['a', 'b', 'a', 'c']) memory.add(name);
    expect(['a', 'b', 'c'].map((name) => memory.has(name))).toEqual([true, false, true]);
  });
});
