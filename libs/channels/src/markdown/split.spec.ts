import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Marked } from 'marked';
import { answers } from '../testing/answers.js';
import { slackDialect, slackMrkdwn } from '../slack/slack-mrkdwn.js';
import { telegramDialect, telegramHtml, telegramPlainText } from '../telegram/telegram-html.js';
import { renderHtml } from './html.js';
import { plainText } from './plain-text.js';
import { splitRuns } from './split.js';
import { styledText, textOfRuns } from './styled-text.js';

const telegram = (markdown: string) => splitRuns(styledText(markdown), telegramDialect).map(telegramHtml);
const slack = (markdown: string) => splitRuns(styledText(markdown), slackDialect).map(slackMrkdwn);

// `ANSWER_RUNS=10000` is the long form.
const numRuns = Number(process.env['ANSWER_RUNS'] ?? 300);
const testMs = 1_200_000;

/** What a reader sees by marked's own HTML, which shares nothing with the runs: tags away, references decoded, blanks away. */
function visibleByMarked(markdown: string): string {
  const escape = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const reader = new Marked({ renderer: { html: ({ text }) => escape(text) } });
  return visibleOfHtml(reader.parse(markdown, { async: false }).replace(/<input[^>]*>/g, ''));
}

function visibleOfHtml(html: string): string {
  const text = html.replace(/<\/?[a-z][^<>]*>/g, '');
  const decoded = text.replace(
    /&(?:lt|gt|quot|#39|amp);/g,
    (reference) => ({ '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" })[reference] ?? '&',
  );
  return decoded.replace(/\s/g, '');
}

function visibleOfMrkdwn(mrkdwn: string): string {
  const text = mrkdwn.replace(/<([^<>|]*)(?:\|([^<>]*))?>/g, (_link, address: string, label: string | undefined) => label ?? address);
  return text.replace(/&(?:lt|gt|amp);/g, (reference) => ({ '&lt;': '<', '&gt;': '>' })[reference] ?? '&').replace(/[\s\u200b]/g, '');
}

function isSubsequence(part: string, whole: string): boolean {
  let position = 0;
  for (const character of part) {
    position = whole.indexOf(character, position);
    if (position < 0) return false;
    position += character.length;
  }
  return true;
}

function isBalanced(html: string): boolean {
  const open: string[] = [];
  for (const [, closing, tag] of html.matchAll(/<(\/?)([a-z]+)[^<>]*>/g)) {
    if (closing === '') open.push(tag!);
    else if (open.pop() !== tag) return false;
  }
  return open.length === 0;
}

function checkTelegram(markdown: string): void {
  const chunks = telegram(markdown);
  checkFallback(markdown);
  const withoutTags = chunks.map((chunk) => chunk.replace(/<\/?[a-z][^<>]*>/g, '').replace(/&(?:lt|gt|quot|#39|amp);/g, '?'));
  expect(withoutTags.every((text) => text.length <= 4096 && text.trim() !== '')).toBe(true);
  expect(chunks.every((chunk) => isBalanced(chunk) && chunk.isWellFormed())).toBe(true);
  const seen = chunks.map(visibleOfHtml).join('');
  expect(seen).toBe(textOfRuns(styledText(markdown)).replace(/\s/g, ''));
  expect(isSubsequence(visibleByMarked(markdown), seen)).toBe(true);
}

/** What is sent in place of a chunk that Telegram cannot parse. */
function checkFallback(markdown: string): void {
  const plain = splitRuns(styledText(markdown), telegramDialect).map(telegramPlainText);
  expect(plain.every((text) => text.length <= 4096 && text.trim() !== '' && text.isWellFormed())).toBe(true);
  expect(isSubsequence(visibleByMarked(markdown), plain.join('').replace(/\s/g, ''))).toBe(true);
}

function checkSlack(markdown: string): void {
  const chunks = slack(markdown);
  expect(chunks.every((chunk) => chunk.length <= 3_900 && chunk.trim() !== '' && chunk.isWellFormed())).toBe(true);
  expect(chunks.every((chunk) => chunk.split('```').length % 2 === 1)).toBe(true);
  const seen = chunks.map(visibleOfMrkdwn).join('');
  expect(isSubsequence(textOfRuns(styledText(markdown)).replace(/[\s\u200b]/g, ''), seen)).toBe(true);
  expect(isSubsequence(visibleByMarked(markdown), seen)).toBe(true);
}

describe('long answers', () => {
  it(
    'lose no visible character on Telegram, and no chunk is too long or unbalanced',
    () => {
      fc.assert(fc.property(answers, checkTelegram), { numRuns });
    },
    testMs,
  );

  it(
    'lose no visible character on Slack, and no chunk is too long or has an open fence',
    () => {
      fc.assert(fc.property(answers, checkSlack), { numRuns });
    },
    testMs,
  );

  it(
    'lose no visible character where they are not split, for programs and in the browser',
    () => {
      const check = (markdown: string): void => {
        const visible = visibleByMarked(markdown);
        const [forPrograms, inBrowser] = [plainText(markdown), renderHtml(markdown)];
        expect(forPrograms.isWellFormed() && inBrowser.isWellFormed()).toBe(true);
        expect(isSubsequence(visible, forPrograms.replace(/\s/g, ''))).toBe(true);
        expect(isSubsequence(visible, visibleOfHtml(inBrowser))).toBe(true);
      };
      fc.assert(fc.property(answers, check), { numRuns });
    },
    testMs,
  );

  it(
    'may have 100 kB',
    () => {
      const [seed = ''] = fc.sample(answers, { numRuns: 1, seed: 7 });
      const long = `${seed}\n\n`.repeat(Math.ceil(100_000 / seed.length));
      checkTelegram(long);
      checkSlack(long);
    },
    testMs,
  );

  it(
    'may be anything at all',
    () => {
      const anything = fc.array(
        fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('*', '`', '```\n', '> ', '- ', '\n', '|', '[', '](', ')', '<', '\ud83d')),
        { maxLength: 200 },
      );
      fc.assert(
        fc.property(anything, (parts) => {
          const markdown = parts.join('');
          expect(telegram(markdown).every(isBalanced)).toBe(true);
          expect(telegram(markdown).length > 0 && slack(markdown).length > 0).toBe(true);
        }),
        { numRuns },
      );
    },
    testMs,
  );

  it('stay whole graphemes where there is no blank to cut at', () => {
    const family = '👩‍👩‍👧‍👦';
    const chunks = telegram(family.repeat(1_000));
    expect(chunks.length).toBeGreaterThan(1);
    for (const chunk of chunks) expect(chunk.replaceAll(family, '')).toBe('');
  });

  it('are cut inside a grapheme only when it is longer than a message', () => {
    const endless = `e${'\u0301'.repeat(10_000)}`;
    expect(telegram(endless).join('')).toBe(endless);
  });

  it('are cut between paragraphs where they can be', () => {
    const paragraphs = Array.from({ length: 3 }, (_, index) => `${index} ${'word. '.repeat(400).trim()}`);
    expect(telegram(paragraphs.join('\n\n'))).toEqual(paragraphs);
  });

  it('are cut between sentences where a paragraph is too long', () => {
    const chunks = telegram('This is a sentence. '.repeat(500));
    expect(chunks.every((chunk) => chunk.endsWith('sentence.'))).toBe(true);
  });

  it('keep a block of code in one piece that fits one message', () => {
    const code = Array.from({ length: 100 }, (_, line) => `line ${line} of the code`).join('\n');
    const [before, after] = telegram(`${'Prose. '.repeat(350)}\n\n\`\`\`\n${code}\n\`\`\``);
    expect(before).not.toContain('<pre>');
    expect(after).toBe(`<pre>${code}</pre>`);
  });

  it('close and reopen a block of code that does not, with the indentation of every line', () => {
    const lines = Array.from({ length: 600 }, (_, line) => `    indented line ${line}`);
    const chunks = slack(`\`\`\`py\n${lines.join('\n')}\n\`\`\``);
    const code = chunks.map((chunk) => /^```\n(.*)\n```$/s.exec(chunk)?.[1] ?? '');
    expect(code.join('\n').split('\n')).toEqual(lines);
  });
});
