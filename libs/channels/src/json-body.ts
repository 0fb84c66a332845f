import { InvalidInput } from '@rockpool/contracts';

/** No provider nests deeper than about twenty; what is nested deeper was made to break a parser. */
const maxDepth = 100;

/**
 * Parses a verified body. Throws `InvalidInput` for bytes that are not UTF-8, not JSON, or nested deeper than 100. In the result every string is
 * well-formed (lone surrogates, which JSON can escape and no database can store, are U+FFFD), and a key `__proto__` is an ordinary key.
 */
export function parseJson(body: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (cause) {
    throw new InvalidInput('the body is not UTF-8', { cause });
  }
  return parseJsonText(text);
}

/** {@link parseJson} for JSON inside a form field. */
export function parseJsonText(text: string): unknown {
  if (depthOf(text) > maxDepth) throw new InvalidInput(`the body is nested deeper than ${maxDepth}`);
  try {
    return /\\u[dD]/.test(text) ? JSON.parse(text, wellFormed) : JSON.parse(text);
  } catch (cause) {
    throw new InvalidInput('the body is not JSON', { cause });
  }
}

function wellFormed(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed() : value;
}

/** Deepest nesting of brackets outside strings. On text that is not JSON the figure means nothing, and the parser refuses it anyway. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (inString) {
      if (code === 0x5c) index++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x7d || code === 0x5d) depth--;
  }
  return deepest;
}
