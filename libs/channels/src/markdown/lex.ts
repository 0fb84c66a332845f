import { Marked, type Token, type Tokens } from 'marked';

/**
 * Markdown to tokens, for text a model wrote: anything at all may be in it, and it may be long. Three guards stand around the lexer.
 * - Emphasis is quadratic in the length of one paragraph, so a paragraph longer than `emphasisLimit` keeps its asterisks as they are.
 * - Deeply nested quotes and lists exhaust the stack; what cannot be lexed, or is nested deeper than `depthLimit`, becomes literal text.
 * - Lone surrogates become U+FFFD, since neither HTML nor JSON can carry them.
 */
const emphasisLimit = 8_000;
const depthLimit = 64;

const marked = new Marked({
  gfm: true,
  tokenizer: {
    emStrong: (source) => (source.length > emphasisLimit ? undefined : false),
    del: (source) => (source.length > emphasisLimit ? undefined : false),
  },
});

/** The block tokens of a Markdown text. Never throws. */
export function lexMarkdown(markdown: string): Token[] {
  const text = markdown.toWellFormed();
  try {
    const tokens = marked.lexer(text);
    return isShallow(tokens) ? tokens : literal(text);
  } catch {
    // The lexer gave up (stack, or its guard against endless loops). What the model wrote is still shown, only unformatted.
    return literal(text);
  }
}

/** An `escape` token is the one kind whose text is taken as it stands. */
function literal(text: string): Token[] {
  return [{ type: 'paragraph', raw: text, text, tokens: [{ type: 'escape', raw: text, text }] }];
}

/** Walks without recursion, so that the writers after it may recurse. */
function isShallow(tokens: Token[]): boolean {
  const waiting = [{ tokens, depth: 1 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next.depth > depthLimit) return false;
    for (const token of next.tokens) {
      for (const tokens of childrenOf(token)) waiting.push({ tokens, depth: next.depth + 1 });
    }
  }
  return true;
}

function childrenOf(token: Token): Token[][] {
  if (token.type === 'list') return [(token as Tokens.List).items];
  if (token.type === 'table') {
    const { header, rows } = token as Tokens.Table;
    return [header, ...rows].flat().map((cell) => cell.tokens);
  }
  return 'tokens' in token && token.tokens !== undefined ? [token.tokens] : [];
}
