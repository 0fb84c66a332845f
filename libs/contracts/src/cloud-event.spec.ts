import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import { decodeEvent, encodeEvent } from './cloud-event.js';
import { codeOf, isTerminal } from './errors.js';
import { defineEvent } from './event.js';
import { DriveConversation, MessageReceived } from './inbound.js';

const ReefPainted = defineEvent({
  type: 'dev.rockpool.reefs.reef-painted.v1',
  topic: 'inbound-messages',
  data: z.object({ reef: z.string(), coats: z.number().int(), colour: z.string().optional(), tags: z.array(z.string()).default([]) }),
  orderingKey: (data) => `reef/${data.reef}`,
});
const context = { id: 'e1', source: '/painters/1', time: '2026-01-02T03:04:05Z' };
const painted = { reef: 'north', coats: 2, colour: 'blue', tags: ['wet'] };
const bytes = (text: string) => new TextEncoder().encode(text);

/** What decoding this body as {@link ReefPainted} throws. */
function failure(body: Uint8Array, attributes: Record<string, string> = { 'ce-type': ReefPainted.type }): unknown {
  try {
    decodeEvent(ReefPainted, { body, attributes });
  } catch (error) {
    return error;
  }
  throw new Error('the body was accepted');
}

describe('encodeEvent', () => {
  it('writes CloudEvents 1.0 attributes, the data as the body, and the ordering key', () => {
    const event = encodeEvent(ReefPainted, painted, { ...context, tenantId: 'alice', subject: 'north' });
    expect(event).toMatchObject({
      topic: 'inbound-messages',
      orderingKey: 'reef/north',
      attributes: {
        'ce-specversion': '1.0',
        'ce-id': 'e1',
        'ce-source': '/painters/1',
        'ce-type': ReefPainted.type,
        'ce-time': '2026-01-02T03:04:05Z',
        'ce-tenantid': 'alice',
        'ce-subject': 'north',
        'content-type': 'application/json',
      },
    });
    expect(JSON.parse(new TextDecoder().decode(event.body))).toEqual(painted);
  });

  it('leaves out what is not known', () => {
    const event = encodeEvent(DriveConversation, { tenantId: 'alice' as never, conversationId: 'c' as never }, context);
    expect(event).not.toHaveProperty('orderingKey');
    expect(event.attributes).not.toHaveProperty('ce-tenantid');
    expect(event.attributes).not.toHaveProperty('ce-subject');
  });

  it('refuses data that breaks the schema', () => {
    expect(() => encodeEvent(ReefPainted, { ...painted, coats: 1.5 }, context)).toThrow(z.ZodError);
  });

  it('fills defaults before it writes, so that every reader sees them', () => {
    const event = encodeEvent(ReefPainted, { reef: 'north', coats: 1 }, context);
    expect(JSON.parse(new TextDecoder().decode(event.body))).toEqual({ reef: 'north', coats: 1, tags: [] });
  });
});

describe('decodeEvent', () => {
  it('gives back what was encoded, for any data', () => {
    const data = fc.record(
      { reef: fc.string({ unit: 'grapheme' }), coats: fc.integer(), colour: fc.string({ unit: 'grapheme' }), tags: fc.array(fc.string()) },
      { requiredKeys: ['reef', 'coats', 'tags'] },
    );
    fc.assert(fc.property(data, (value) => expect(decodeEvent(ReefPainted, encodeEvent(ReefPainted, value, context))).toEqual(value)));
  });

  it("reads tomorrow's message: unknown members are stripped", () => {
    const body = bytes(JSON.stringify({ ...painted, since: 'v9', nested: { deep: [1] } }));
    expect(decodeEvent(ReefPainted, { body, attributes: { 'ce-type': ReefPainted.type, 'ce-future': 'x' } })).toEqual(painted);
  });

  it("reads yesterday's message: members that were added later may be absent", () => {
    const body = bytes('{"reef":"north","coats":1}');
    expect(decodeEvent(ReefPainted, { body, attributes: { 'ce-type': ReefPainted.type } })).toEqual({ reef: 'north', coats: 1, tags: [] });
  });

  it.each<[string, Uint8Array]>([
    ['an empty body', bytes('')],
    ['text', bytes('hello')],
    ['half a document', bytes('{"reef":"north","co')],
    ['bytes that are not UTF-8', Uint8Array.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
    ['an overlong encoding', Uint8Array.from([0x22, 0xc0, 0xaf, 0x22])],
    ['a surrogate in UTF-8', Uint8Array.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['null', bytes('null')],
    ['an array', bytes('[]')],
    ['a missing member', bytes('{"reef":"north"}')],
    ['a member of another type', bytes('{"reef":{},"coats":"2"}')],
    ['an array nested 100,000 deep', bytes('['.repeat(100_000) + ']'.repeat(100_000))],
    ['an object nested 100,000 deep without end', bytes('{"reef":'.repeat(100_000))],
    ['a prototype in place of the data', bytes('{"__proto__":{"reef":"north","coats":1}}')],
  ])('refuses %s as something that can never succeed', (_what, body) => {
    const error = failure(body);
    expect(isTerminal(error)).toBe(true);
    expect(codeOf(error)).toBe('terminal');
    expect((error as Error).cause).toBeDefined();
  });

  it('survives deep nesting in a member it does not know', () => {
    const body = bytes(`{"reef":"north","coats":1,"future":${'['.repeat(50_000)}${']'.repeat(50_000)}}`);
    expect(decodeEvent(ReefPainted, { body, attributes: { 'ce-type': ReefPainted.type } })).toEqual({ reef: 'north', coats: 1, tags: [] });
  });

  it('does not let a member named __proto__ reach the data or any prototype', () => {
    const body = bytes('{"reef":"north","coats":1,"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
    const data = decodeEvent(ReefPainted, { body, attributes: { 'ce-type': ReefPainted.type } });
    expect((data as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it.each([{}, { 'ce-type': '' }, { 'ce-type': 'dev.rockpool.reefs.reef-painted.v2' }, { type: ReefPainted.type }])(
    'refuses an event of another type (%j)',
    (attributes) => {
      const error = failure(bytes(JSON.stringify(painted)), attributes as Record<string, string>);
      expect(isTerminal(error)).toBe(true);
      expect((error as Error).message).toContain(ReefPainted.type);
    },
  );

  it('never throws anything but a terminal error, whatever the bytes', () => {
    const body = fc.oneof(
      fc.uint8Array(),
      fc.json().map(bytes),
      fc.anything().map((value) => bytes(JSON.stringify(value) ?? '')),
    );
    fc.assert(
      fc.property(body, (random) => {
        try {
          decodeEvent(MessageReceived, { body: random, attributes: { 'ce-type': MessageReceived.type } });
        } catch (error) {
          expect(isTerminal(error)).toBe(true);
        }
      }),
    );
  });
});

describe('defineEvent', () => {
  it.each([
    'painted',
    'dev.rockpool.reefs.painted',
    'dev.rockpool.reefs.painted.v0',
    'dev.rockpool.Reefs.painted.v1',
    'com.rockpool.reefs.painted.v1',
  ])('refuses the type %p', (type) => {
    expect(() => defineEvent({ type, topic: 'inbound-messages', data: z.object({}) })).toThrow('does not match');
  });
});
