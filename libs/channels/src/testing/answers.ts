import fc from 'fast-check';

const word = fc.constantFrom(
  'word',
  'ünïcode',
  'שלום',
  'مرحبا',
  '👩‍👩‍👧‍👦',
  '🇩🇪🇫🇷',
  '你好',
  'e\u0301',
  '2*3',
  'a_b',
  '<tag>',
  '&',
  'x.',
  '!',
  'veryveryverylongword'.repeat(5),
);
const words = fc.array(word, { minLength: 1, maxLength: 40 }).map((list) => list.join(' '));
const inline = fc.oneof(
  words,
  words.map((text) => `**${text}**`),
  words.map((text) => `*${text}*`),
  words.map((text) => `~~${text}~~`),
  words.map((text) => `\`${text}\``),
  words.map((text) => `[${text}](https://example.com/?q=1&r=2)`),
);
const paragraph = fc.array(inline, { minLength: 1, maxLength: 5 }).map((spans) => spans.join(' '));
const fence = fc
  .array(words, { minLength: 1, maxLength: 60 })
  .map((lines) => `\`\`\`js\n${lines.map((line) => `  ${line}`).join('\n')}\n\`\`\``);
const list = fc
  .array(paragraph, { minLength: 1, maxLength: 6 })
  .map((items) => items.map((item, index) => `${index % 3 === 2 ? '  ' : ''}- ${item}`).join('\n'));
const quote = fc.array(paragraph, { minLength: 1, maxLength: 4 }).map((lines) => lines.map((line) => `> ${line}`).join('\n'));
const table = fc
  .array(fc.tuple(fc.constantFrom('a', 'bc', '日本'), fc.constantFrom('1', '😀')), { minLength: 1, maxLength: 8 })
  .map((rows) => `| h | i |\n|---|---|\n${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}`);
const block = fc.oneof(
  paragraph,
  fence,
  list,
  quote,
  table,
  paragraph.map((text) => `# ${text}`),
);
/** Answers as models write them: prose, code fences, lists, quotes, tables; in many scripts, both directions, with emoji of several code points. */
export const answers = fc.array(block, { minLength: 1, maxLength: 30 }).map((blocks) => blocks.join('\n\n'));
