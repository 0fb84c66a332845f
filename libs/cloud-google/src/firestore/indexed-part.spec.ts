import { describe, expect, it } from '@jest/globals';
import type { Json } from '@rockpool/cloud';
import fc from 'fast-check';
import { divide, reunite } from './indexed-part.js';

type Fields = { [key: string]: Json };

const data = fc.jsonValue({ noUnicodeString: false, maxDepth: 6 }).map((value) => JSON.parse(JSON.stringify({ value })) as Fields);
const named = fc.dictionary(fc.constantFrom('a', 'b', '', '__proto__', '__x__', 'é.b'), data, { noNullPrototype: true });

/** All values in fields of their own, with the names that lead to them. */
function leavesOf(fields: Fields, path: readonly string[] = []): [string[], Json][] {
  return Object.entries(fields).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? leavesOf(value as Fields, [...path, key])
      : [[[...path, key], value] as [string[], Json]],
  );
}

describe('a divided document', () => {
  it('is whole again when its parts are reunited', () => {
    fc.assert(
      fc.property(fc.oneof(data, named), (whole) => {
        const { indexed, rest } = divide(whole);
        const stored = rest === undefined ? { indexed } : { indexed, rest: JSON.parse(JSON.stringify(rest)) as Fields };
        expect(reunite(stored)).toEqual(whole);
      }),
    );
  });

  it('has as fields only what Firestore can hold and find', () => {
    fc.assert(
      fc.property(fc.oneof(data, named), (whole) => {
        for (const [path, value] of leavesOf(divide(whole).indexed)) {
          expect(path.length).toBeLessThanOrEqual(16);
          for (const key of path) expect(key).not.toMatch(/^(__.*__)?$/s);
          expect(Array.isArray(value)).toBe(false);
          if (typeof value === 'string') expect([value.isWellFormed(), Buffer.byteLength(value) <= 1_500]).toEqual([true, true]);
        }
      }),
    );
  });

  it('keeps short values as fields, also beside what is no field', () => {
    expect(divide({ state: 'open', seq: 1, tags: ['a'], message: { id: 'x', text: 'y'.repeat(2_000), parts: [] } })).toEqual({
      indexed: { state: 'open', seq: 1, message: { id: 'x' } },
      rest: { tags: ['a'], message: { text: 'y'.repeat(2_000), parts: [] } },
    });
    expect(divide({ deep: { empty: {} } })).toEqual({ indexed: { deep: { empty: {} } } });
  });

  it('has at most 5,000 fields', () => {
    const { indexed, rest } = divide(Object.fromEntries(Array.from({ length: 5_001 }, (_, n) => [`f${n}`, n])));
    expect([Object.keys(indexed).length, rest]).toEqual([5_000, { f5000: 5_000 }]);
  });
});
