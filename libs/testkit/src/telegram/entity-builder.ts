import type { ParsedText, TelegramEntity } from './types.js';

/** Markup that Telegram refuses; the message goes after "can't parse entities: ". */
export class EntityError extends Error {}

/** Telegram counts positions of errors in bytes of UTF-8. */
export function byteOffset(source: string, index: number): number {
  return Buffer.byteLength(source.slice(0, index));
}

/** The text written so far and the entities over it. */
export class EntityBuilder {
  private text = '';
  private readonly entities: TelegramEntity[] = [];

  /** UTF-16 units written. */
  get length(): number {
    return this.text.length;
  }

  write(text: string): void {
    this.text += text;
  }

  textFrom(start: number): string {
    return this.text.slice(start);
  }

  /** Adds an entity from `start` to here; an empty one is left out, as the server does. */
  add(type: string, start: number, extra: Partial<TelegramEntity> = {}): void {
    if (this.length > start) this.entities.push({ ...extra, type, offset: start, length: this.length - start });
  }

  /** A link that is no URL is only text; `tg://user?id=` is a mention. */
  addLink(start: number, url: string): void {
    const user = /^tg:\/\/user\?id=(\d+)$/.exec(url)?.[1];
    if (user !== undefined) {
      this.add('text_mention', start, { user: { id: Number(user), is_bot: false, first_name: `user ${user}` } });
      return;
    }
    const absolute = /^[a-z][a-z0-9+.-]*:/i.test(url) ? url : `http://${url}`;
    if (URL.canParse(absolute) && /\.|^tg:|^mailto:|localhost/i.test(absolute)) this.add('text_link', start, { url: absolute });
  }

  /** Code with a language counts only directly inside pre. */
  addCode(start: number, language: string): void {
    this.add('code', start, language ? { language } : {});
  }

  /** Pre over exactly one code with a language takes the language over. */
  addPre(start: number): void {
    const inner = this.entities.at(-1);
    if (inner?.type === 'code' && inner.offset === start && inner.length === this.length - start && inner.language) {
      this.entities.pop();
      this.add('pre', start, { language: inner.language });
    } else {
      this.add('pre', start);
    }
  }

  result(): ParsedText {
    const entities = this.entities.map((entity) => {
      if (entity.type !== 'code' || entity.language === undefined) return entity;
      const { type, offset, length } = entity;
      return { type, offset, length };
    });
    return { text: this.text, entities: entities.sort((a, b) => a.offset - b.offset || b.length - a.length) };
  }
}
