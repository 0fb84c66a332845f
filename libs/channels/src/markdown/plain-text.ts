import { styledText, withAddresses } from './styled-text.js';

/** A Markdown answer as plain text: no marks, bullets kept, links followed by their address. */
export function plainText(markdown: string): string {
  return withAddresses(styledText(markdown));
}
