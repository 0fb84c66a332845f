import { describe, expect, it } from '@jest/globals';
import { codeOf, inboundMessage, tenantId } from '@rockpool/contracts';
import { maxWebTextLength, parseWebMessage, webInboundMessage } from './web-message.js';

const alice = tenantId.parse('alice');
const id = '0b6c9a0e-5f0d-4b8e-9a51-1f2e3d4c5b6a';
const receivedAt = new Date('2026-03-01T12:00:00Z');

function problem(body: unknown): string {
  try {
    parseWebMessage(body);
  } catch (error) {
    return `${codeOf(error)}: ${(error as Error).message}`;
  }
  throw new Error('it was accepted');
}

describe('a posted message', () => {
  it('becomes an event that fits the contract, addressed, in the conversation of its visitor', () => {
    const message = webInboundMessage(alice, 'visitor', parseWebMessage({ id, text: 'hello' }), receivedAt);
    expect(inboundMessage.parse(message)).toEqual(message);
    expect(message).toMatchObject({
      eventId: `web:alice:visitor:${id}`,
      tenantId: 'alice',
      conversationId: 'web:alice:visitor',
      chatKind: 'direct',
      addressed: true,
      target: { channel: 'web', account: 'alice', chatId: 'visitor', messageId: id },
    });
  });

  it('is the same event when it is posted again, however its id is spelled', () => {
    const first = webInboundMessage(alice, 'visitor', parseWebMessage({ id, text: 'hello' }), receivedAt);
    const again = webInboundMessage(alice, 'visitor', parseWebMessage({ id: id.toUpperCase(), text: 'hello' }), new Date());
    expect(again.eventId).toBe(first.eventId);
  });

  it('is another event when another visitor uses the same id', () => {
    const input = parseWebMessage({ id, text: 'hello' });
    expect(webInboundMessage(alice, 'one', input, receivedAt).eventId).not.toBe(webInboundMessage(alice, 'two', input, receivedAt).eventId);
  });

  it('keeps its text, but for lone surrogates, which JSON and UTF-8 cannot carry', () => {
    expect(parseWebMessage({ id, text: '  a\n\ud800b 👋  ' }).text).toBe('  a\n\ufffdb 👋  ');
  });

  it('is refused with the rule it breaks', () => {
    expect(problem({ id: 'not-a-uuid', text: 'hello' })).toContain('invalid: the message does not fit: id');
    expect(problem({ id, text: '  \n ' })).toContain('a message has some text');
    expect(problem({ id, text: 'a'.repeat(maxWebTextLength + 1) })).toContain(`at most ${maxWebTextLength} characters`);
    for (const body of [undefined, null, 'text', [], { id }, { text: 'x' }, { id, text: 5 }]) expect(problem(body)).toMatch(/^invalid: /);
  });
});
