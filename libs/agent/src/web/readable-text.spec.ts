import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readableText } from './readable-text.js';

describe('the readable text of a page', () => {
  it('is its title and its blocks, without scripts, styles, menus and comments', () => {
    const page = `<!doctype html><html><head><title>Tea &amp; time</title><style>p { color: red }</style></head>
      <body><nav><a href="/">Home</a></nav><!-- <p>hidden</p> --><h1>Tea</h1><p>Drink it <b>hot</b>,\n not cold.</p>
      <ul><li>green</li><li>black &#x2615;&#9749;</li></ul><script>alert("</p>")</script><p>a &lt; b &unknown; c</p></body></html>`;
    expect(readableText(page)).toBe('Tea & time\n\nTea\nDrink it hot, not cold.\n- green\n- black ☕☕\na < b &unknown; c');
  });

  it('keeps the lines of preformatted text', () => {
    expect(readableText('<pre>one\ntwo</pre><p>three\nfour')).toBe('one\ntwo\nthree four');
  });

  it('survives what is not closed', () => {
    expect(readableText('<p>one<nav><p>two</p>')).toBe('one\ntwo');
    expect(readableText('a < b')).toBe('a < b');
    expect(readableText('text <script> never ends')).toBe('text');
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (html) => void readableText(html)));
    fc.assert(fc.property(fc.stringMatching(/^[<>/a-c!&#;x -]*$/), (html) => void readableText(html)));
  });

  it.each(['<nav>', '<title', '<!--', '<', '&#', '</nav', '<svg></svg ', ' \n'])('takes a megabyte of %j without choking', (piece) => {
    expect(typeof readableText(piece.repeat(1_000_000 / piece.length))).toBe('string');
  });
});
