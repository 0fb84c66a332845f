import { describe, expect, it } from '@jest/globals';
import { Ledger, type ShownMessage } from './ledger.js';

/** A history: messages made, sent and accepted one after another in one conversation, and echoes of them. */
function history(count: number, conversation = 'c') {
  const ledger = new Ledger('spec');
  const texts = Array.from({ length: count }, (_, index) => ledger.message(conversation, `message ${index}`));
  for (const text of texts) {
    ledger.sending(text);
    ledger.accepted(text);
  }
  const echo = (index: number, id = `a${index}`, where = conversation): ShownMessage => ({
    conversation: where,
    id,
    text: `You said: ${texts[index]}`,
  });
  return { ledger, texts, echo };
}

describe('the ledger', () => {
  it('finds nothing where every message has its answer, in order', () => {
    const { ledger, echo } = history(3);
    expect(ledger.check([echo(0), echo(1), echo(2)])).toEqual({
      ok: true,
      sent: 3,
      accepted: 3,
      answered: 3,
      lost: [],
      duplicated: [],
      outOfOrder: [],
      misdirected: [],
      orphans: [],
    });
  });

  it('finds a message that got 2xx and no answer', () => {
    const { ledger, texts, echo } = history(2);
    const verdict = ledger.check([echo(0)]);
    expect(verdict).toMatchObject({ ok: false, lost: [{ conversation: 'c' }] });
    expect(texts[1]).toContain(verdict.lost[0]?.token);
    expect(ledger.unanswered([echo(0)])).toEqual([verdict.lost[0]?.token]);
  });

  it('does not miss an answer to a message that was never accepted, nor mind one', () => {
    const ledger = new Ledger();
    const text = ledger.message('c');
    ledger.sending(text);
    expect(ledger.check([])).toMatchObject({ ok: true, accepted: 0 });
    expect(ledger.check([{ conversation: 'c', id: '1', text }])).toMatchObject({ ok: true, answered: 1 });
  });

  it('accepts another recorded end than an answer', () => {
    const { ledger, texts } = history(1);
    ledger.settled(texts[0] as string, 'dead letter');
    expect(ledger.check([])).toMatchObject({ ok: true, lost: [] });
  });

  it('finds a message answered twice', () => {
    const { ledger, echo } = history(1);
    expect(ledger.check([echo(0, 'a'), echo(0, 'b')])).toMatchObject({ ok: false, duplicated: [{ detail: 'answered by a, b' }] });
  });

  it('finds an answer above the answer to an earlier message', () => {
    const { ledger, echo } = history(3);
    expect(ledger.check([echo(1), echo(0), echo(2)])).toMatchObject({ ok: false, outOfOrder: [{ conversation: 'c' }] });
  });

  it('sees no order between messages that were under way together', () => {
    const ledger = new Ledger();
    const [first, second] = [ledger.message('c'), ledger.message('c')] as const;
    ledger.sending(first);
    ledger.sending(second);
    ledger.accepted(first);
    ledger.accepted(second);
    const shown = [second, first].map((text, index) => ({ conversation: 'c', id: String(index), text }));
    expect(ledger.check(shown).outOfOrder).toEqual([]);
  });

  it('sees no order between conversations', () => {
    const ledger = new Ledger();
    const texts = ['a', 'b'].map((conversation) => ({ conversation, text: ledger.message(conversation) }));
    for (const { text } of texts) ledger.accepted(text);
    const shown = texts.map((message, index) => ({ ...message, id: String(index) })).reverse();
    expect(ledger.check(shown)).toMatchObject({ ok: true });
  });

  it('finds an answer in a conversation of somebody else', () => {
    const { ledger, echo } = history(1);
    expect(ledger.check([echo(0, 'a', 'other')])).toMatchObject({ ok: false, misdirected: [{ detail: 'answered in other' }] });
  });

  it('expects an answer where it is told to', () => {
    const { ledger, texts, echo } = history(1);
    ledger.expectIn(texts[0] as string, 'c:thread');
    expect(ledger.check([echo(0, 'a', 'c:thread')]).misdirected).toEqual([]);
  });

  it('finds messages that answer nothing, but for those it is told to ignore', () => {
    const { ledger, echo } = history(1);
    const placeholder = { conversation: 'c', id: 'p', text: '…' };
    const welcome = { conversation: 'c', id: 'w', text: 'Welcome!' };
    const invented = { conversation: 'c', id: 'i', text: 'You said: zq00000000000000' };
    const verdict = ledger.check([echo(0), placeholder, welcome, invented], ({ text }) => text === 'Welcome!');
    expect(verdict).toMatchObject({ ok: false, orphans: [placeholder, invented] });
  });

  it('knows several messages answered in one', () => {
    const { ledger, texts } = history(2);
    expect(ledger.check([{ conversation: 'c', id: '1', text: texts.join(' and ') }])).toMatchObject({ ok: true, answered: 2 });
  });

  it('makes the same tokens from the same seed', () => {
    expect(new Ledger(7).message('c')).toBe(new Ledger(7).message('c'));
    expect(new Ledger(7).message('c')).not.toBe(new Ledger(8).message('c'));
  });
});
