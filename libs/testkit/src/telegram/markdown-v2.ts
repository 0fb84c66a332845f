import { EntityBuilder, EntityError, byteOffset } from './entity-builder.js';
import type { ParsedText } from './types.js';

/**
 * Telegram's MarkdownV2, as strict as the server: every reserved character that is not markup must be escaped, every entity closed.
 * https://core.telegram.org/bots/api#markdownv2-style; messages as in the published source of the server (tdlib/td).
 */
const reserved = new Set('_*[]()~`>#+-=|{}.!\n');

interface OpenEntity {
  readonly type: string;
  readonly language: string;
  readonly start: number;
  /** Where it began in the source, in bytes, for the error message. */
  readonly where: number;
}

/** What closes each entity. */
const closing: Readonly<Record<string, string>> = {
  bold: '*',
  underline: '__',
  italic: '_',
  strikethrough: '~',
  spoiler: '||',
  code: '`',
  pre: '```',
  link: ']',
  emoji: ']',
};

/** What opens each entity, longest first. */
const opening: readonly (readonly [mark: string, type: string])[] = [
  ['```', 'pre'],
  ['__', 'underline'],
  ['||', 'spoiler'],
  ['![', 'emoji'],
  ['_', 'italic'],
  ['*', 'bold'],
  ['~', 'strikethrough'],
  ['`', 'code'],
  ['[', 'link'],
];

export function parseMarkdownV2(source: string): ParsedText {
  return new MarkdownV2Parser(source).parse();
}

class MarkdownV2Parser {
  private readonly out = new EntityBuilder();
  private readonly open: OpenEntity[] = [];
  private at = 0;
  private lineStart = true;

  constructor(private readonly source: string) {}

  parse(): ParsedText {
    while (this.at < this.source.length) this.step();
    this.endQuote();
    const unclosed = this.open.at(-1);
    if (unclosed) throw this.unclosed(unclosed);
    return this.out.result();
  }

  private step(): void {
    const character = this.source[this.at] as string;
    const inner = this.open.at(-1);
    const next = this.source.charCodeAt(this.at + 1);
    if (character === '\\' && next >= 1 && next <= 126) {
      this.text(this.source[this.at + 1] as string, 2);
      return;
    }
    const literal = inner?.type === 'code' || inner?.type === 'pre' ? character !== '`' : !reserved.has(character);
    if (literal) return this.text(character, 1);
    if (inner && inner.type in closing && this.isEnd(closing[inner.type] as string)) return this.end(inner);
    if (character === '\n') return this.newLine();
    if (character === '>' && this.lineStart) return this.quote();
    this.begin(character);
  }

  /** A single `_` that is followed by another one belongs to an underline. */
  private isEnd(mark: string): boolean {
    return this.source.startsWith(mark, this.at) && !(mark === '_' && this.source[this.at + 1] === '_');
  }

  private text(text: string, consumed: number): void {
    this.out.write(text);
    this.at += consumed;
    if (text !== '\r') this.lineStart = text === '\n';
  }

  private begin(character: string): void {
    const found = opening.find(([mark]) => this.source.startsWith(mark, this.at));
    if (!found) throw new EntityError(`Character '${character}' is reserved and must be escaped with the preceding '\\'`);
    const [mark, type] = found;
    const where = byteOffset(this.source, this.at);
    this.at += mark.length;
    const language = type === 'pre' ? this.fenceHead() : '';
    this.open.push({ type, language, start: this.out.length, where });
    this.lineStart = false;
  }

  /** The language after ``` and one line break. */
  private fenceHead(): string {
    const rest = this.source.slice(this.at);
    const language = /^[^\s`]+(?=\s)/.exec(rest)?.[0] ?? '';
    const lineBreak = /^(?:\r\n|\n\r|\n|\r)/.exec(rest.slice(language.length))?.[0] ?? '';
    this.at += language.length + lineBreak.length;
    return language;
  }

  private end(entity: OpenEntity): void {
    this.open.pop();
    this.at += (closing[entity.type] as string).length;
    if (entity.type === 'pre') {
      this.out.add('pre', entity.start, entity.language ? { language: entity.language } : {});
    } else if (entity.type === 'link') {
      this.out.addLink(entity.start, this.url() ?? this.out.textFrom(entity.start));
    } else if (entity.type === 'emoji') {
      const id = /^tg:\/\/emoji\?id=([1-9]\d*)$/.exec(this.url() ?? '')?.[1];
      if (id === undefined) throw new EntityError('The entity must contain a tg://emoji or tg://time URL');
      this.out.add('custom_emoji', entity.start, { custom_emoji_id: id });
    } else {
      this.out.add(entity.type, entity.start);
    }
  }

  private url(): string | undefined {
    if (this.source[this.at] !== '(') return undefined;
    const where = byteOffset(this.source, this.at + 1);
    const match = /^\(((?:\\[ -~\s]|[^)\\]|\\)*)\)/.exec(this.source.slice(this.at));
    if (!match) throw new EntityError(`Can't find end of a URL at byte offset ${where}`);
    this.at += match[0].length;
    return (match[1] as string).replace(/\\([ -~\s])/g, '$1');
  }

  /** `>` begins a quotation or, on its next lines, continues it. */
  private quote(): void {
    const inside = this.open.some((entity) => entity.type === 'blockquote');
    if (!inside) this.open.push({ type: 'blockquote', language: '', start: this.out.length, where: byteOffset(this.source, this.at) });
    this.at++;
    this.lineStart = false;
  }

  private newLine(): void {
    if (this.source[this.at + 1] !== '>') this.endQuote();
    this.text('\n', 1);
  }

  private endQuote(): void {
    const index = this.open.findIndex((entity) => entity.type === 'blockquote');
    if (index < 0) return;
    const [quote, ...within] = this.open.splice(index) as [OpenEntity, ...OpenEntity[]];
    // A spoiler that opens at the very end of a quotation only says that the quotation can be folded.
    const folded = within.length === 1 && within[0]?.type === 'spoiler' && within[0].start === this.out.length;
    const unclosed = within.at(-1);
    if (unclosed && !folded) throw this.unclosed(unclosed);
    this.out.add(folded ? 'expandable_blockquote' : 'blockquote', quote.start);
  }

  private unclosed(entity: OpenEntity): EntityError {
    const names: Record<string, string> = { link: 'TextUrl', emoji: 'CustomEmoji', pre: entity.language ? 'PreCode' : 'Pre' };
    const name = names[entity.type] ?? entity.type.charAt(0).toUpperCase() + entity.type.slice(1);
    return new EntityError(`Can't find end of ${name} entity at byte offset ${entity.where}`);
  }
}
