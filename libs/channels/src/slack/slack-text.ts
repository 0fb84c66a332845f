const pieces = /<([^<>\n]*)>|&(amp|lt|gt);/g;
const characters: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>' };

/**
 * Slack's message text as a person reads it: `<@U1>` is `@U1`, `<#C1|general>` is `#general`, `<!here>` is `@here`, `<url|label>` is `label (url)`, and
 * `&amp; &lt; &gt;` are their characters. https://docs.slack.dev/messaging/formatting-message-text
 */
export function readableText(text: string): string {
  return text.replace(pieces, (_piece, reference: string | undefined, name: string | undefined) =>
    reference === undefined ? characters[name!]! : readableReference(reference),
  );
}

function readableReference(reference: string): string {
  const bar = reference.indexOf('|');
  const target = unescape(bar < 0 ? reference : reference.slice(0, bar));
  const label = bar < 0 ? '' : unescape(reference.slice(bar + 1));
  if (target.startsWith('@')) return `@${label.replace(/^@/, '') || target.slice(1)}`;
  if (target.startsWith('#')) return `#${label.replace(/^#/, '') || target.slice(1)}`;
  if (target.startsWith('!')) return specialMention(target.slice(1), label);
  const address = target.replace(/^(?:mailto|tel):/, '');
  return label === '' || address.endsWith(label) ? address : `${label} (${address})`;
}

/** `!here`, `!subteam^S1|@team`, `!date^1392734382^{date}|Feb 18, 2014`: the label says it where there is one. */
function specialMention(command: string, label: string): string {
  return label || `@${command.split('^')[0]}`;
}

function unescape(text: string): string {
  return text.replace(/&(amp|lt|gt);/g, (_reference, name: string) => characters[name]!);
}

/** The ids of the people a text mentions, in order. */
export function mentionedUsers(text: string): string[] {
  return [...text.matchAll(/<@([A-Z0-9]+)(?:\|[^<>]*)?>/g)].map(([, user]) => user!);
}

/** The text without a leading mention of one of these users, and without the colon or comma after it. */
export function withoutLeadingMention(text: string, users: ReadonlySet<string>): string {
  const leading = /^\s*<@([A-Z0-9]+)(?:\|[^<>]*)?>[\s:,]*/.exec(text);
  return leading !== null && users.has(leading[1]!) ? text.slice(leading[0].length) : text;
}
