import { describe, expect, it } from '@jest/globals';
import { slackMrkdwn } from '../slack/slack-mrkdwn.js';
import { telegramHtml } from '../telegram/telegram-html.js';
import { plainText } from './plain-text.js';
import { styledText } from './styled-text.js';

const telegram = (markdown: string) => telegramHtml(styledText(markdown));
const slack = (markdown: string) => slackMrkdwn(styledText(markdown));

/** One row a construct of Markdown: what Telegram, Slack and plain text make of it. */
const constructs: readonly { name: string; markdown: string; telegram: string; slack: string; plain: string }[] = [
  {
    name: 'a heading',
    markdown: '## Plan with `code`\n\ntext',
    telegram: '<b>Plan with </b><code>code</code>\n\ntext',
    slack: '*Plan with `code`*\n\ntext',
    plain: 'Plan with code\n\ntext',
  },
  {
    name: 'emphasis',
    markdown: '**bold _both_** *it* ~~gone~~ snake_case 2 * 3',
    telegram: '<b>bold <i>both</i></b> <i>it</i> <s>gone</s> snake_case 2 * 3',
    slack: '*bold _both_* _it_ ~gone~ snake_case 2 * 3',
    plain: 'bold both it gone snake_case 2 * 3',
  },
  {
    name: 'emphasis inside a word, which Slack would show as asterisks',
    markdown: 'un**bold**able',
    telegram: 'un<b>bold</b>able',
    slack: 'unboldable',
    plain: 'unboldable',
  },
  {
    name: 'lists, nested and with tasks',
    markdown: '- one\n  1. two\n  2. three\n- [ ] open\n- [x] done',
    telegram: '• one\n  1. two\n  2. three\n☐ open\n☑ done',
    slack: '• one\n  1. two\n  2. three\n☐ open\n☑ done',
    plain: '• one\n  1. two\n  2. three\n☐ open\n☑ done',
  },
  {
    name: 'a quote with a quote in it',
    markdown: '> said **so**\n> twice\n>\n> > before\n\nafter',
    telegram: '<blockquote>said <b>so</b>\ntwice\n\n&gt; before</blockquote>\n\nafter',
    slack: '> said *so*\n> twice\n> \n> &gt; before\n\nafter',
    plain: 'said so\ntwice\n\n> before\n\nafter',
  },
  {
    name: 'a fenced block with its language',
    markdown: '```ts\nif (a < b) {\n  run();\n}\n```',
    telegram: '<pre><code class="language-ts">if (a &lt; b) {\n  run();\n}</code></pre>',
    slack: '```\nif (a &lt; b) {\n  run();\n}\n```',
    plain: 'if (a < b) {\n  run();\n}',
  },
  {
    name: 'a narrow table',
    markdown: '| name | n |\n|---|---|\n| ä😀 | 1 |',
    telegram: '<pre>name | n\n-----+--\nä😀  | 1</pre>',
    slack: '```\nname | n\n-----+--\nä😀  | 1\n```',
    plain: 'name | n\n-----+--\nä😀  | 1',
  },
  {
    name: 'links and images',
    markdown: '[a *label*](https://example.com/?a=1&b=2) ![cat](https://example.com/c.png) https://bare.example.com/x',
    telegram:
      '<a href="https://example.com/?a=1&amp;b=2">a <i>label</i></a> <a href="https://example.com/c.png">cat</a> <a href="https://bare.example.com/x">https://bare.example.com/x</a>',
    slack: '<https://example.com/?a=1&amp;b=2|a label> <https://example.com/c.png|cat> <https://bare.example.com/x>',
    plain: 'a label (https://example.com/?a=1&b=2) cat (https://example.com/c.png) https://bare.example.com/x',
  },
  {
    name: 'a link that leads nowhere safe',
    markdown: '[x](javascript:alert(1))',
    telegram: 'x (javascript:alert(1))',
    slack: 'x (javascript:alert(1))',
    plain: 'x (javascript:alert(1))',
  },
  {
    name: 'HTML and character references',
    markdown: 'a <b>tag</b> &amp;lt; &copy; \\*literal\\* <!channel>',
    telegram: 'a &lt;b&gt;tag&lt;/b&gt; &amp;lt; © *literal* &lt;!channel&gt;',
    slack: 'a &lt;b&gt;tag&lt;/b&gt; &amp;lt; © *literal* &lt;!channel&gt;',
    plain: 'a <b>tag</b> &lt; © *literal* <!channel>',
  },
];

describe('an answer in the dialects of the channels', () => {
  it.each(constructs)('renders $name', (construct) => {
    expect(telegram(construct.markdown)).toBe(construct.telegram);
    expect(slack(construct.markdown)).toBe(construct.slack);
    expect(plainText(construct.markdown)).toBe(construct.plain);
  });

  it('writes a table that is too wide for columns row by row', () => {
    const wide = `| Name | What it does |\n|---|---|\n| first | ${'long '.repeat(12)} |\n| second | short |`;
    expect(slack(wide)).toBe(`*Name*: first\n*What it does*: ${'long '.repeat(12).trim()}\n\n*Name*: second\n*What it does*: short`);
  });

  it('keeps a fence closed when the code has one in it', () => {
    expect(slack('````\n```\nx\n````').split('```')).toHaveLength(3);
  });

  it('shows what was written when Markdown would show nothing', () => {
    expect(telegram('[hidden]: https://example.com')).toBe('[hidden]: https://example.com');
    expect(telegram(' \n\u200b')).toBe('…');
  });
});
