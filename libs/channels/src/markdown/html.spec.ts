import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { renderHtml } from './html.js';

const allowedTag =
  /^<(?:\/?(?:p|strong|em|del|code|pre|blockquote|ul|ol|li|table|thead|tbody|tr|h[1-6])|\/a|\/t[hd]|br|hr|t[hd](?: align="(?:left|right|center)")?|ol start="\d+"|code class="language-[^"<>]*"|a href="(?:https?:|mailto:)[^"<>]*" rel="noopener noreferrer nofollow" target="_blank")>$/;

function forbiddenTags(html: string): string[] {
  return [...html.matchAll(/<[^>]*>?/g)].map(([tag]) => tag).filter((tag) => !allowedTag.test(tag));
}

describe('Markdown for the web page', () => {
  it('keeps the structure of an answer', () => {
    expect(renderHtml('# Plan\n\n1. **buy** `milk`\n2. ~~eat~~\n\n- [x] done')).toBe(
      '<h1>Plan</h1>\n<ol>\n<li><strong>buy</strong> <code>milk</code></li>\n<li><del>eat</del></li>\n</ol>\n<ul>\n<li>☑ done</li>\n</ul>\n',
    );
  });

  it('shows HTML instead of running it', () => {
    const html = renderHtml('<script>alert(1)</script>\n\nhi <img src=x onerror=alert(1)> <pre><b>x</b></pre>');
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(html).toContain('&lt;img src=x onerror=alert(1)&gt;');
    expect(forbiddenTags(html)).toEqual([]);
  });

  it('links only to http, https and mailto, without an opener', () => {
    expect(renderHtml('[a](https://example.com/?a=1&b=2)')).toBe(
      '<p><a href="https://example.com/?a=1&amp;b=2" rel="noopener noreferrer nofollow" target="_blank">a</a></p>\n',
    );
    for (const href of [
      'javascript:alert(1)',
      'JaVaScRiPt:alert(1)',
      'java&#115;cript:alert(1)',
      'data:text/html,x',
      'vbscript:x',
      './file',
      '//host/x',
    ])
      expect(renderHtml(`[a](${href})`)).not.toContain('<a');
  });

  it('shows an image as a link, so that the page loads nothing', () => {
    const html = renderHtml('![a cat](https://example.com/cat.png "title")');
    expect(html).toContain('>a cat</a>');
    expect(html).not.toContain('<img');
  });

  it('shows text that cannot be lexed', () => {
    const deep = '> '.repeat(5_000) + 'end <b>';
    expect(renderHtml(deep)).toContain('end &lt;b&gt;');
  });

  it('writes no tag or attribute of its input, whatever the input', () => {
    const hostile = fc.array(
      fc.constantFrom(
        ...[
          '<',
          '>',
          '"',
          "'",
          '&',
          '\\',
          '`',
          '```',
          '[',
          '](',
          ')',
          '![',
          '<a href="',
          ' onclick=',
          'javascript:',
          'http://x',
          '<pre>',
          '</pre>',
          '|',
          '\n',
          '\n\n',
        ],
        ...['---', '# ', '* ', '> ', '    ', '&#60;', '&lt;', 'x', '[x]: ', '<!--', '-->', '\u0000', '😀', '<mailto:a@b>', '\ud800'],
      ),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(hostile, (parts) => forbiddenTags(renderHtml(parts.join(''))).length === 0),
      { numRuns: 2_000 },
    );
  });
});
