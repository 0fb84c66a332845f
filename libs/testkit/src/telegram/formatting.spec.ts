import { describe, expect, it } from '@jest/globals';
import { messageText } from './formatting.js';

const parse = (text: string, mode?: string) => messageText(text, mode, undefined, 'too long');
const kinds = (text: string, mode: string) => parse(text, mode).entities.map(({ type }) => type);

describe('HTML', () => {
  it('removes tags and remembers where they were', () => {
    expect(parse('a <b>b<i>c</i></b> <a href="https://x.io/?a=1&amp;b=2">l</a>', 'HTML')).toEqual({
      text: 'a bc l',
      entities: [
        { type: 'bold', offset: 2, length: 2 },
        { type: 'italic', offset: 3, length: 1 },
        { type: 'text_link', offset: 5, length: 1, url: 'https://x.io/?a=1&b=2' },
      ],
    });
  });

  it('joins pre and code with a language', () => {
    const { text, entities } = parse('<pre><code class="language-ts">a &lt; b</code></pre>', 'HTML');
    expect({ text, entities }).toEqual({ text: 'a < b', entities: [{ type: 'pre', offset: 0, length: 5, language: 'ts' }] });
  });

  it('leaves references it does not know as they are', () => {
    expect(parse('a&nbsp;b &#33; &#x1F600; & c', 'HTML').text).toBe('a&nbsp;b ! 😀 & c');
  });

  it.each([
    ['<h1>no</h1>', 'Unsupported start tag "h1" at byte offset 0'],
    ['ü <x', 'Unclosed start tag at byte offset 3'],
    ['</b>', 'Unexpected end tag at byte offset 0'],
    ['<b>x</i>', 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'],
    ['<b>x', 'Can\'t find end tag corresponding to start tag "b"'],
    ['1 < 2 > 0', 'Unsupported start tag "" at byte offset 2'],
    ['<span>x</span>', 'Tag "span" must have class "tg-spoiler" at byte offset 0'],
    ['<a href=x/y>z</a>', 'Unexpected end of name token at byte offset 8'],
  ])('refuses %s', (text, reason) => {
    expect(() => parse(text, 'HTML')).toThrow(`can't parse entities: ${reason}`);
  });
});

describe('MarkdownV2', () => {
  it('removes marks and remembers where they were', () => {
    expect(parse('*bold _both_* __under__ ~gone~ ||secret|| `code` [t](https://x.io/\\))', 'MarkdownV2')).toEqual({
      text: 'bold both under gone secret code t',
      entities: [
        { type: 'bold', offset: 0, length: 9 },
        { type: 'italic', offset: 5, length: 4 },
        { type: 'underline', offset: 10, length: 5 },
        { type: 'strikethrough', offset: 16, length: 4 },
        { type: 'spoiler', offset: 21, length: 6 },
        { type: 'code', offset: 28, length: 4 },
        { type: 'text_link', offset: 33, length: 1, url: 'https://x.io/)' },
      ],
    });
  });

  it('reads fences with a language, in which only the backtick is special', () => {
    expect(parse('```ts\nif (a*b > 1) {}\n```', 'MarkdownV2')).toEqual({
      text: 'if (a*b > 1) {}',
      entities: [{ type: 'pre', offset: 0, length: 15, language: 'ts' }],
    });
  });

  it('reads quotations over several lines, foldable ones too', () => {
    expect(kinds('>one\n>two\nafter', 'MarkdownV2')).toEqual(['blockquote']);
    expect(kinds('>one\n>two||', 'MarkdownV2')).toEqual(['expandable_blockquote']);
  });

  it.each([
    ['Done.', "Character '.' is reserved and must be escaped with the preceding '\\'"],
    ['a - b', "Character '-' is reserved and must be escaped with the preceding '\\'"],
    ['1 > 0', "Character '>' is reserved and must be escaped with the preceding '\\'"],
    ['*open', "Can't find end of Bold entity at byte offset 0"],
    ['`open', "Can't find end of Code entity at byte offset 0"],
    ['[a](https://x', "Can't find end of a URL at byte offset 4"],
  ])('refuses %s', (text, reason) => {
    expect(() => parse(text, 'MarkdownV2')).toThrow(`can't parse entities: ${reason}`);
  });

  it('takes every escaped character', () => {
    const reserved = '_*[]()~`>#+-=|{}.!';
    expect(parse([...reserved].map((character) => `\\${character}`).join(''), 'MarkdownV2').text).toBe(reserved);
  });
});

describe('text without markup', () => {
  it('is cleaned of control characters and trimmed', () => {
    expect(parse('  a\r\n\tb \u0001c  \n').text).toBe('a\n b  c');
  });

  it('gets the entities Telegram finds by itself', () => {
    expect(parse('/stop @helper_bot https://x.io, or a@b.c').entities.map(({ type }) => type)).toEqual(['bot_command', 'mention', 'url']);
  });
});

describe('the first Markdown', () => {
  it('knows bold, italic, code and links', () => {
    expect(kinds('*b* _i_ `c` [l](http://x.io)', 'Markdown')).toEqual(['bold', 'italic', 'code', 'text_link']);
    expect(() => parse('a _ b', 'Markdown')).toThrow("can't parse entities: Can't find end of the entity starting at byte offset 2");
  });
});
