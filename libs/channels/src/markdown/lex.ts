import { Lexer, type Token, type Tokens } from 'marked';

/**
 * Markdown to tokens, for text a model wrote: anything at all may be in it, and it may be long. Three guards stand around the lexer.
 * - Inline lexing is quadratic in the length of a paragraph, so a longer one is lexed in pieces of `pieceLength`.
 * - Deeply nested quotes and lists exhaust the stack; what cannot be lexed, or is nested deeper than `depthLimit`, becomes literal text.
 * - Lone surrogates become U+FFFD, since neither HTML nor JSON can carry them.
 */
const pieceLength = 4_000;
const depthLimit = 64;

/** The block tokens of a Markdown text. Never throws. */
export function lexMarkdown(markdown: string): Token[] {
  const text = markdown.toWellFormed();
  try {
    const tokens = new BoundedLexer({ gfm: true }).lex(text);
    return isShallow(tokens) ? tokens : literal(text);
  } catch {
    // The lexer gave up (stack, or its guard against endless loops). What the model wrote is still shown, only unformatted.
    return literal(text);
  }
}

/** A mark that spans two pieces is shown as it was written; nothing is lost. */
class BoundedLexer extends Lexer {
  override inlineTokens(source: string, tokens: Token[] = []): Token[] {
    let rest = source;
    while (rest.length > pieceLength) {
      const blank = Math.max(rest.lastIndexOf('\n', pieceLength), rest.lastIndexOf(' ', pieceLength));
      const cut = blank > pieceLength / 2 ? blank : pieceLength - (isHighSurrogate(rest, pieceLength - 1) ? 1 : 0);
      super.inlineTokens(rest.slice(0, cut), tokens);
      rest = rest.slice(cut);
    }
    return super.inlineTokens(rest, tokens);
  }
}

function isHighSurrogate(text: string, position: number): boolean {
  const code = text.charCodeAt(position);
  return code >= 0xd800 && code <= 0xdbff;
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
