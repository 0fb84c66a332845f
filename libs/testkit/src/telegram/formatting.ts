import { EntityBuilder, EntityError, byteOffset } from './entity-builder.js';
import { parseHtml } from './html.js';
import { parseMarkdownV2 } from './markdown-v2.js';
import type { ParsedText, TelegramEntity } from './types.js';

/** UTF-16 units of a message, counted after the markup is parsed. */
const maxTextUnits = 4096;
/** Bytes of the text before parsing; more is refused whatever it parses to. */
const maxSourceBytes = 1 << 15;

/** Thrown with the description Telegram gives after "Bad Request: ". */
export class BadText extends Error {}

/**
 * What becomes of a text a bot sends: parsed by `parse_mode`, cleaned of control characters, trimmed. Throws {@link BadText} for markup that does not
 * parse, for text that is empty and for text over the limit (`tooLong` is the description, which differs between sending and editing).
 */
export function messageText(
  source: string | undefined,
  parseMode: string | undefined,
  entities: readonly TelegramEntity[] | undefined,
  tooLong: string,
): ParsedText {
  if (!source) throw new BadText('message text is empty');
  if (Buffer.byteLength(source) > maxSourceBytes) throw new BadText('text is too long');
  const parsed = trimmed(cleaned(parse(source, parseMode, entities)));
  if (parsed.text === '') throw new BadText('text must be non-empty');
  if (parsed.text.length > maxTextUnits) throw new BadText(tooLong);
  return { text: parsed.text, entities: [...parsed.entities, ...detected(parsed)].sort((a, b) => a.offset - b.offset) };
}

function parse(source: string, parseMode: string | undefined, entities: readonly TelegramEntity[] | undefined): ParsedText {
  try {
    switch (parseMode?.toLowerCase()) {
      case undefined:
      case '':
        return { text: source, entities: (entities ?? []).filter((entity) => isWithin(entity, source)) };
      case 'html':
        return parseHtml(source);
      case 'markdownv2':
        return parseMarkdownV2(source);
      case 'markdown':
        return parseLegacyMarkdown(source);
      default:
        throw new BadText('unsupported parse_mode');
    }
  } catch (error) {
    if (error instanceof EntityError) throw new BadText(`can't parse entities: ${error.message}`);
    throw error;
  }
}

function isWithin(entity: TelegramEntity, text: string): boolean {
  if (!Number.isInteger(entity.offset) || !Number.isInteger(entity.length)) throw new EntityError('expected an Integer');
  return entity.offset >= 0 && entity.length > 0 && entity.offset + entity.length <= text.length;
}

/** The first Markdown of the Bot API, kept for old bots. https://core.telegram.org/bots/api#markdown-style */
function parseLegacyMarkdown(source: string): ParsedText {
  const out = new EntityBuilder();
  const marks: readonly (readonly [begin: string, end: string, type: string])[] = [
    ['```', '```', 'pre'],
    ['_', '_', 'italic'],
    ['*', '*', 'bold'],
    ['`', '`', 'code'],
    ['[', ']', 'link'],
  ];
  let at = 0;
  while (at < source.length) {
    if (source[at] === '\\' && /[_*`[]/.test(source[at + 1] ?? '')) {
      out.write(source[at + 1] as string);
      at += 2;
      continue;
    }
    const mark = marks.find(([begin]) => source.startsWith(begin, at));
    if (!mark) {
      out.write(source[at] as string);
      at++;
      continue;
    }
    const [begin, end, type] = mark;
    const close = source.indexOf(end, at + begin.length);
    if (close < 0) throw new EntityError(`Can't find end of the entity starting at byte offset ${byteOffset(source, at)}`);
    const start = out.length;
    out.write(source.slice(at + begin.length, close));
    at = close + end.length;
    if (type === 'link') {
      const url = /^\(([^)]*)\)/.exec(source.slice(at));
      at += url?.[0].length ?? 0;
      if (url) out.addLink(start, url[1] as string);
    } else {
      out.add(type, start);
    }
  }
  return out.result();
}

/** Control characters become spaces, carriage returns and direction overrides vanish. */
function cleaned({ text, entities }: ParsedText): ParsedText {
  const removed = [...text.matchAll(/[\r\u202A-\u202E]/g)].map((match) => match.index);
  const shift = (position: number): number => position - removed.filter((index) => index < position).length;
  return {
    text: text.replace(/[\r\u202A-\u202E]/g, '').replace(/(?!\n)\p{Cc}/gu, ' '),
    entities: entities.map((entity) => ({
      ...entity,
      offset: shift(entity.offset),
      length: shift(entity.offset + entity.length) - shift(entity.offset),
    })),
  };
}

/** White space goes at the end, and at the beginning up to the first entity. */
function trimmed({ text, entities }: ParsedText): ParsedText {
  const kept = text.trimEnd();
  const firstEntity = entities.reduce((least, entity) => Math.min(least, entity.offset), kept.length);
  const leading = Math.min(/^[ \n]*/.exec(kept)?.[0].length ?? 0, firstEntity);
  const fitted = entities
    .map((entity) => ({ ...entity, offset: entity.offset - leading, length: Math.min(entity.length, kept.length - entity.offset) }))
    .filter((entity) => entity.length > 0);
  return { text: kept.slice(leading), entities: fitted };
}

/** Commands, mentions and addresses that Telegram finds by itself, outside of code. */
export function detected({ text, entities }: ParsedText): TelegramEntity[] {
  const code = entities.filter((entity) => ['code', 'pre', 'text_link'].includes(entity.type));
  const patterns: readonly (readonly [type: string, pattern: RegExp])[] = [
    ['bot_command', /(?<![\w/<>@])\/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/])/g],
    ['mention', /(?<![\w@/])@[A-Za-z0-9_]{3,32}\b/g],
    ['url', /\bhttps?:\/\/[^\s<>"]+[^\s<>".,!?)]/g],
  ];
  return patterns
    .flatMap(([type, pattern]) => [...text.matchAll(pattern)].map((match) => ({ type, offset: match.index, length: match[0].length })))
    .filter((found) => !code.some((entity) => found.offset < entity.offset + entity.length && entity.offset < found.offset + found.length))
    .sort((a, b) => a.offset - b.offset);
}
