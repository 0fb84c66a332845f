import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { conversationId, eventId, idPart, joinId, tenantId } from './ids.js';

const hostileText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '/', '../x', 'a:b', 'a%3Ab', '%', '%25', '\u0000', 'é', 'e\u0301', '日本', 'İ', '\u2028', ' ', '__proto__'),
);

describe('idPart', () => {
  it('uses only characters that are safe in a document path, a URL segment and a message attribute', () => {
    fc.assert(fc.property(hostileText, (text) => /^(?:[A-Za-z0-9\-_.@+=]|%[0-9A-F]{2})*$/.test(idPart(text))));
  });

  it('is undone by percent-decoding, so that two texts never share an id', () => {
    fc.assert(fc.property(hostileText, (text) => decodeURIComponent(idPart(text)) === text));
  });

  it('keeps characters above U+FFFF apart', () => {
    expect(idPart('👍')).not.toBe(idPart('👎'));
  });

  it('leaves the ids that providers use as they are', () => {
    for (const plain of ['T0123ABC', '-1001234567890', '1700000000.123456', 'wamid.HBgL+a=', 'user@example.org'])
      expect(idPart(plain)).toBe(plain);
  });

  it('takes a number as its decimal digits', () => {
    expect(idPart(9_007_199_254_740_991)).toBe('9007199254740991');
    expect(idPart(-42)).toBe('-42');
  });

  it('takes a lone surrogate as the replacement character instead of throwing', () => {
    expect(idPart('a\ud800b')).toBe('a%EF%BF%BDb');
  });

  it('escapes the separator of ids', () => {
    expect(idPart('a:b')).toBe('a%3Ab');
  });
});

describe('joinId', () => {
  it('never makes the same id from different parts', () => {
    const parts = fc.array(hostileText, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(parts, (made) =>
        expect(
          joinId(...made)
            .split(':')
            .map(decodeURIComponent),
        ).toEqual(made),
      ),
    );
  });

  it('makes what conversation and event ids allow, whatever the provider sent', () => {
    fc.assert(
      fc.property(
        fc.array(
          hostileText.filter((text) => text.length < 20),
          { minLength: 1, maxLength: 3 },
        ),
        (made) => {
          const id = joinId('telegram', ...made);
          expect(conversationId.safeParse(id).success).toBe(true);
          expect(eventId.safeParse(id).success).toBe(true);
        },
      ),
    );
  });
});

describe('a tenant id', () => {
  it.each(['a', '0', 'alice', 'a-b', 'a--b', 'a'.repeat(40)])('may be %p', (id) => {
    expect(tenantId.parse(id)).toBe(id);
  });

  it.each([
    '',
    '-a',
    'a-',
    '-',
    'Alice',
    'a_b',
    'a/b',
    '../a',
    'a.b',
    'é',
    'a b',
    'a\n',
    '\na',
    'a'.repeat(41),
    42,
    null,
    undefined,
    ['a'],
  ])('may not be %p', (id) => {
    expect(tenantId.safeParse(id).success).toBe(false);
  });
});

describe('conversation and event ids', () => {
  it.each(['', 'a/b', '/', 'a\u0000', 'a\nb', 'a\u007f', 'x'.repeat(601)])('refuse %p', (id) => {
    expect(conversationId.safeParse(id).success).toBe(false);
    expect(eventId.safeParse(id).success).toBe(false);
  });
});
