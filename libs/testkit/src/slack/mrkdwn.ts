import { isJson } from '../wire/json.js';

/** What a reader sees of a text: `<url|label>` and mentions resolved, the three escapes undone. https://docs.slack.dev/messaging/formatting-message-text */
export function readable(text: string, nameOf: (userId: string) => string | undefined): string {
  return text
    .replace(/<([^<>]+)>/g, (_, content: string) => {
      const [target, label] = splitOnce(content, '|');
      if (target.startsWith('@')) return `@${label ?? nameOf(target.slice(1)) ?? target.slice(1)}`;
      if (target.startsWith('#')) return `#${label ?? target.slice(1)}`;
      if (target.startsWith('!')) return label ?? `@${target.slice(1)}`;
      return label ?? target.replace(/^mailto:/, '');
    })
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}

/** What Slack makes of what a person types: `&`, `<` and `>` escaped, mentions and links in angle brackets kept. */
export function typed(text: string): string {
  return text
    .split(/(<(?:[@#!]|https?:|mailto:)[^<>]+>)/)
    .map((piece, index) => (index % 2 === 1 ? piece : piece.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')))
    .join('');
}

/** The text inside blocks, in order, one line for each block. */
export function textOfBlocks(blocks: readonly unknown[]): string {
  return blocks
    .map((block) => gather(block).join(''))
    .filter(Boolean)
    .join('\n');
}

/** The ids of the users that a text mentions. */
export function mentionsIn(text: string): string[] {
  return [...text.matchAll(/<@([UW][A-Z0-9]+)(?:\|[^>]*)?>/g)].map((match) => match[1] as string);
}

function gather(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(gather);
  if (!isJson(value)) return [];
  const own = typeof value['text'] === 'string' ? [value['text']] : gather(value['text']);
  return [...own, ...gather(value['fields']), ...gather(value['elements'])];
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)];
}
