import { describe, expect, it } from '@jest/globals';
import { ReadCache } from './read-cache.js';

const limits = { maxAgeMs: 100, maxEntries: 2, absentMaxAgeMs: 10, maxAbsentEntries: 2 };

function counted(values: Record<string, string | undefined>) {
  const reads: string[] = [];
  let time = 0;
  const cache = new ReadCache<string>(limits, () => time);
  return {
    cache,
    reads,
    pass: (ms: number) => (time += ms),
    get: (key: string) =>
      cache.get(key, async () => {
        reads.push(key);
        return values[key];
      }),
  };
}

describe('a read cache', () => {
  it('reads once while a value is fresh, and again when it is not', async () => {
    const { get, reads, pass } = counted({ a: '1' });
    await get('a');
    pass(99);
    expect(await get('a')).toBe('1');
    expect(reads).toEqual(['a']);
    pass(1);
    await get('a');
    expect(reads).toEqual(['a', 'a']);
  });

  it('remembers for a shorter time that there is none', async () => {
    const { get, reads, pass } = counted({});
    await get('a');
    await get('a');
    pass(10);
    await get('a');
    expect(reads).toEqual(['a', 'a']);
  });

  it('makes reads of one key at the same time one read', async () => {
    const { get, reads } = counted({ a: '1' });
    expect(await Promise.all([get('a'), get('a')])).toEqual(['1', '1']);
    expect(reads).toEqual(['a']);
  });

  it('keeps what is there when many made-up names are asked for', async () => {
    const { get, reads } = counted({ a: '1' });
    await get('a');
    for (const name of ['x', 'y', 'z', 'w']) await get(name);
    await get('a');
    expect(reads.filter((key) => key === 'a')).toHaveLength(1);
  });

  it('does not remember a value that was forgotten while it was being read', async () => {
    const { cache, reads, get } = counted({ a: '1' });
    const reading = get('a');
    cache.forget(['a']);
    await reading;
    await get('a');
    expect(reads).toEqual(['a', 'a']);
  });

  it('does not remember a failure', async () => {
    const cache = new ReadCache<string>(limits);
    await expect(cache.get('a', () => Promise.reject(new Error('down')))).rejects.toThrow('down');
    expect(await cache.get('a', async () => '1')).toBe('1');
  });
});
