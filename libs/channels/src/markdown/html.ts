import { Marked, type Tokens } from 'marked';
import { decodeEntities, escapeHtml } from './entities.js';
import { lexMarkdown } from './lex.js';
import { linkAddress } from './links.js';

/**
 * Tags come only from Markdown's own constructs: HTML in the text is escaped and shown. No attribute but `href`, `rel`, `target`, `class` of a code block,
 * `align` of a cell and `start` of a list is ever written, and nothing in the result makes a browser fetch anything.
 */
const writer = new Marked({
  renderer: {
    html: ({ text }) => escapeHtml(text),
    text(token) {
      if ('tokens' in token && token.tokens !== undefined) return this.parser.parseInline(token.tokens);
      return escapeHtml(token.type === 'escape' ? token.text : decodeEntities(token.text));
    },
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
    link(token) {
      const label = token.autolink === true ? escapeHtml(token.text) : this.parser.parseInline(token.tokens);
      return anchor(token, label);
    },
    image: (token) => anchor(token, escapeHtml(decodeEntities(token.text) || token.href)),
  },
});

/**
 * Safe HTML of a Markdown text, for a page that shows what a model wrote. Links open in a new window without an opener and only lead to `http`, `https`
 * and `mailto`; a link that leads elsewhere is shown as text with its address. Images become links.
 */
export function renderHtml(markdown: string): string {
  return writer.parser(lexMarkdown(markdown));
}

function anchor(token: Tokens.Link | Tokens.Image, label: string): string {
  const address = linkAddress(token);
  if (address === undefined) return `${label} (${escapeHtml(decodeEntities(token.href))})`;
  return `<a href="${escapeHtml(address)}" rel="noopener noreferrer nofollow" target="_blank">${label}</a>`;
}
