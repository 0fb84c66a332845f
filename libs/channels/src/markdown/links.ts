import { decodeEntities } from './entities.js';

/** Longer ones are refused by providers, and one could fill a message on its own. */
const maxAddressLength = 2_000;

const allowedProtocols = new Set(['http:', 'https:', 'mailto:']);

/**
 * The address of a Markdown link as it may be put behind a click: absolute, normalised, `http`, `https` or `mailto`. Anything else (`javascript:`, `data:`,
 * relative paths, more than 2,000 characters) is `undefined`; such a link is shown as text, so that the reader sees what was written.
 */
export function linkAddress(token: { href: string; autolink?: boolean }): string | undefined {
  const written = token.autolink === true ? token.href : decodeEntities(token.href);
  if (!URL.canParse(written)) return undefined;
  const url = new URL(written);
  return allowedProtocols.has(url.protocol) && url.href.length <= maxAddressLength ? url.href : undefined;
}
