import { EntityBuilder, EntityError, byteOffset } from './entity-builder.js';
import type { ParsedText } from './types.js';

/**
 * Telegram's HTML style, as strict as the server: only known tags, every tag closed in order, four named entities.
 * https://core.telegram.org/bots/api#html-style; messages and corner cases as in the published source of the server (tdlib/td).
 */
const entityOfTag: Readonly<Record<string, string>> = {
  b: 'bold',
  strong: 'bold',
  i: 'italic',
  em: 'italic',
  u: 'underline',
  ins: 'underline',
  s: 'strikethrough',
  strike: 'strikethrough',
  del: 'strikethrough',
  'tg-spoiler': 'spoiler',
  span: 'spoiler',
  a: 'text_link',
  'tg-emoji': 'custom_emoji',
  code: 'code',
  pre: 'pre',
  blockquote: 'blockquote',
};

interface OpenTag {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly start: number;
}

export function parseHtml(source: string): ParsedText {
  const out = new EntityBuilder();
  const open: OpenTag[] = [];
  let at = 0;
  while (at < source.length) {
    if (source[at] === '&') {
      const decoded = decodeReference(source, at);
      out.write(decoded.text);
      at = decoded.next;
    } else if (source[at] !== '<') {
      out.write(source[at] as string);
      at++;
    } else if (source[at + 1] === '/') {
      at = closeTag(source, at, open, out);
    } else {
      at = openTag(source, at, open, out);
    }
  }
  const unclosed = open.at(-1);
  if (unclosed) throw new EntityError(`Can't find end tag corresponding to start tag "${unclosed.name}"`);
  return out.result();
}

function openTag(source: string, begin: number, open: OpenTag[], out: EntityBuilder): number {
  const where = byteOffset(source, begin);
  const head = /^[^\s>]*/.exec(source.slice(begin + 1))?.[0] ?? '';
  const name = head.toLowerCase();
  let at = begin + 1 + head.length;
  if (at >= source.length) throw new EntityError(`Unclosed start tag at byte offset ${where}`);
  if (!(name in entityOfTag)) throw new EntityError(`Unsupported start tag "${name}" at byte offset ${where}`);

  const attributes = new Map<string, string>();
  for (;;) {
    while (/\s/.test(source[at] ?? '')) at++;
    if (source[at] === '>') break;
    const key = /^[^\s=>/"']*/.exec(source.slice(at))?.[0] ?? '';
    if (!key) throw new EntityError(`Empty attribute name in the tag "${name}" at byte offset ${where}`);
    at += key.length;
    while (/\s/.test(source[at] ?? '')) at++;
    if (at >= source.length) throw new EntityError(`Unclosed start tag "${name}" at byte offset ${where}`);
    if (source[at] !== '=') {
      attributes.set(key, '');
      continue;
    }
    at++;
    while (/\s/.test(source[at] ?? '')) at++;
    const value = attributeValue(source, at);
    if (value.next >= source.length) throw new EntityError(`Unclosed start tag at byte offset ${where}`);
    attributes.set(key, value.text);
    at = value.next;
  }
  if (name === 'span' && attributes.get('class') !== 'tg-spoiler') {
    throw new EntityError(`Tag "span" must have class "tg-spoiler" at byte offset ${where}`);
  }
  open.push({ name, attributes, start: out.length });
  return at + 1;
}

function attributeValue(source: string, begin: number): { text: string; next: number } {
  const quote = source[begin];
  if (quote !== '"' && quote !== "'") {
    const token = /^[A-Za-z0-9.-]*/.exec(source.slice(begin))?.[0] ?? '';
    const next = begin + token.length;
    if (next < source.length && !/[\s>]/.test(source[next] as string)) {
      throw new EntityError(`Unexpected end of name token at byte offset ${byteOffset(source, begin)}`);
    }
    return { text: token.toLowerCase(), next };
  }
  let text = '';
  let at = begin + 1;
  while (at < source.length && source[at] !== quote) {
    const piece = source[at] === '&' ? decodeReference(source, at) : { text: source[at] as string, next: at + 1 };
    text += piece.text;
    at = piece.next;
  }
  return { text, next: at + 1 };
}

function closeTag(source: string, begin: number, open: OpenTag[], out: EntityBuilder): number {
  const where = byteOffset(source, begin);
  const tag = open.at(-1);
  if (!tag) throw new EntityError(`Unexpected end tag at byte offset ${where}`);
  const match = /^([^\s>]*)\s*>/.exec(source.slice(begin + 2));
  if (!match) throw new EntityError(`Unclosed end tag at byte offset ${where}`);
  const name = (match[1] as string).toLowerCase();
  if (name && name !== tag.name) {
    throw new EntityError(`Unmatched end tag at byte offset ${where}, expected "</${tag.name}>", found "</${name}>"`);
  }
  open.pop();
  addEntity(tag, out);
  return begin + 2 + match[0].length;
}

function addEntity(tag: OpenTag, out: EntityBuilder): void {
  const type = entityOfTag[tag.name] as string;
  switch (tag.name) {
    case 'a':
      out.addLink(tag.start, tag.attributes.get('href') || out.textFrom(tag.start));
      return;
    case 'tg-emoji': {
      const id = tag.attributes.get('emoji-id') ?? '';
      if (!/^[1-9]\d*$/.test(id)) throw new EntityError('Invalid custom emoji identifier specified');
      out.add(type, tag.start, { custom_emoji_id: id });
      return;
    }
    case 'code': {
      const className = tag.attributes.get('class') ?? '';
      out.addCode(tag.start, className.startsWith('language-') ? className.slice('language-'.length) : '');
      return;
    }
    case 'pre':
      out.addPre(tag.start);
      return;
    case 'blockquote':
      out.add(tag.attributes.has('expandable') ? 'expandable_blockquote' : type, tag.start);
      return;
    default:
      out.add(type, tag.start);
  }
}

const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"' };

/** A reference that Telegram does not know stays as it was written. */
function decodeReference(source: string, at: number): { text: string; next: number } {
  const match = /^&(?:#x([0-9a-fA-F]+)|#([0-9]+)|([A-Za-z]+));?/.exec(source.slice(at, at + 20));
  const literal = { text: '&', next: at + 1 };
  if (!match) return literal;
  const [whole, hexadecimal, decimal, name] = match;
  const next = at + whole.length;
  if (name !== undefined) return named[name] === undefined ? literal : { text: named[name], next };
  const code = hexadecimal === undefined ? Number(decimal) : Number.parseInt(hexadecimal, 16);
  if (code === 0 || code >= 0x10ffff) return literal;
  if (code >= 0xd800 && code <= 0xdfff) throw new EntityError('Text contains invalid Unicode characters after decoding HTML entities');
  return { text: String.fromCodePoint(code), next };
}
