import { describe, expect, it } from '@jest/globals';
import type { TranscriptMessage } from '@rockpool/conversations';
import { estimateTokens, type ModelMessage } from '@rockpool/models';
import fc from 'fast-check';
import { ContextWindow, cutToTokens } from './context-window.js';
import { said } from './testing/turns.js';

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc.integer({ min: 0, max: 30_000 }).map((length) => 'All work and no play. '.repeat(length / 22)),
  fc.integer({ min: 0, max: 9_000 }).map((length) => '水温适宜'.repeat(length / 4)),
);
const message: fc.Arbitrary<TranscriptMessage> = fc
  .tuple(fc.constantFrom('user' as const, 'assistant' as const), text, fc.constantFrom(undefined, 'Ann', 'Ben'))
  .map(([role, body, name]) => said(role, body, role === 'user' ? name : undefined));
const content = fc.record({
  system: text,
  summary: fc.option(text, { nil: undefined }),
  history: fc.array(message, { maxLength: 30 }),
  message: text.map((body) => said('user', body)),
  toolTokens: fc.integer({ min: 0, max: 400 }),
});
const size = fc.constantFrom(4_000, 8_192, 32_000, 200_000);

describe('a context window', () => {
  it('is never over its budget', () => {
    fc.assert(
      fc.property(content, size, (what, tokens) => {
        const window = new ContextWindow(tokens);
        const { system, messages } = window.fit(what);
        const used = [system, ...messages.map((one) => one.content)].reduce((sum, one) => sum + estimateTokens(one) + 4, what.toolTokens);
        expect(used).toBeLessThanOrEqual(window.promptTokens);
      }),
    );
  });

  it('always keeps the newest message', () => {
    fc.assert(
      fc.property(content, size, (what, tokens) => {
        const { messages } = new ContextWindow(tokens).fit(what);
        const newest = what.message.text.trim();
        const last = messages.at(-1)!;
        expect(last.role).toBe('user');
        if (estimateTokens(newest) < 300) expect(last.content.endsWith(newest || '[an empty message]')).toBe(true);
        else expect(last.content).toContain(newest.slice(0, 50).toWellFormed());
      }),
    );
  });

  it('keeps whole exchanges, newest first, in their order', () => {
    fc.assert(
      fc.property(content, size, (what, tokens) => {
        const { dropped } = new ContextWindow(tokens).fit(what);
        const [before, first] = [what.history[dropped - 1], what.history[dropped]];
        if (before && first) expect([before.role, first.role]).toEqual(['assistant', 'user']);
      }),
    );
  });

  it('gives roles that alternate and begin with the person', () => {
    fc.assert(
      fc.property(content, size, (what, tokens) => {
        const { messages } = new ContextWindow(tokens).fit(what);
        expect(messages.map(({ role }) => role)).toEqual(messages.map((_, index) => (index % 2 ? 'assistant' : 'user')));
        expect(messages.every((one) => one.content.trim())).toBe(true);
      }),
    );
  });

  it('is no longer over its threshold once the oldest messages are a summary', () => {
    fc.assert(
      fc.property(content, (what) => {
        const window = new ContextWindow();
        fc.pre(window.isOver(what));
        const count = window.toCompact(what.history);
        const system = cutToTokens(what.system, 2_000);
        const compacted = { ...what, system, summary: 'word '.repeat(3_000), history: what.history.slice(count) };
        expect(window.isOver({ ...compacted, message: said('user', 'hi') })).toBe(false);
      }),
    );
  });

  it('empties the outputs of the oldest tools first, and never parts a call from its result', () => {
    const step = (id: string, length: number): ModelMessage[] => [
      { role: 'assistant', content: [{ type: 'tool-call', toolCallId: id, toolName: 't', input: {} }] },
      {
        role: 'tool',
        content: [{ type: 'tool-result', toolCallId: id, toolName: 't', output: { type: 'text', value: 'x'.repeat(length) } }],
      },
    ];
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 12 }), fc.integer({ min: 0, max: 7_000 }), (lengths, base) => {
        const steps = lengths.flatMap((length, index) => step(`call-${index}`, length));
        const window = new ContextWindow(8_192);
        const fitted = window.fitSteps(steps, base);
        const ids = (role: string) =>
          fitted.steps.filter((one) => one.role === role).map((one) => (one.content as { toolCallId: string }[])[0]!.toolCallId);
        expect(ids('tool')).toEqual(ids('assistant'));
        const emptied = fitted.steps.map((one) => JSON.stringify(one).includes('left out to save room'));
        const lastEmptied = emptied.lastIndexOf(true);
        // An output that is shorter than the note in its place may stay.
        const older = lengths.slice(0, Math.floor(lastEmptied / 2) + 1);
        expect(older.every((length, index) => length <= 200 || emptied[index * 2 + 1])).toBe(true);
        expect(fitted.tokens <= window.promptTokens || lengths.every((length, index) => length <= 200 || emptied[index * 2 + 1])).toBe(
          true,
        );
      }),
    );
  });

  it('takes no more of a large model than its own size, and less of a small one', () => {
    expect(new ContextWindow(1_000_000).promptTokens).toBe(28_000);
    expect(new ContextWindow(8_000).promptTokens).toBe(7_000);
  });
});

describe('a cut text', () => {
  it('has at most the tokens asked for, and keeps its beginning and its end', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 60, max: 3_000 }), (whole, tokens) => {
        const cut = cutToTokens(whole, tokens);
        expect(estimateTokens(cut)).toBeLessThanOrEqual(tokens);
        if (cut !== whole) expect([cut.startsWith(whole.slice(0, 5)), cut.endsWith(whole.slice(-3))]).toEqual([true, true]);
      }),
    );
  });
});
