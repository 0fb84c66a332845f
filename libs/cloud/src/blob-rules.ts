import { InvalidInput } from '@rockpool/contracts';

const maxKeyBytes = 1_000;
const maxContentTypeLength = 255;
const defaultLimit = 100;
const maxLimit = 1_000;

/** Throws `invalid` when a blob cannot have this key. */
export function refuseBadBlobKey(key: string): void {
  const parts = key.split('/');
  if (
    !key.isWellFormed() ||
    Buffer.byteLength(key) > maxKeyBytes ||
    /\p{Cc}/u.test(key) ||
    parts.some((part) => ['', '.', '..'].includes(part))
  ) {
    throw new InvalidInput(
      `a blob key is parts joined by /, none of them empty, . or .., at most ${maxKeyBytes} bytes without control characters`,
    );
  }
}

/** Throws `invalid` when a blob cannot have this content type. */
export function refuseBadContentType(contentType: string): void {
  if (contentType.length > maxContentTypeLength || !/^[\x20-\x7e]+$/.test(contentType)) {
    throw new InvalidInput(`a content type is 1 to ${maxContentTypeLength} printable ASCII characters`);
  }
}

/**
 * What one page of a list is asked for: the limit, and the key after which it begins when it is not the first page. Throws `invalid` when the prefix, the limit or the
 * cursor makes no sense.
 */
export function checkedBlobPage(
  prefix: string,
  page: { limit?: number; cursor?: string },
): { limit: number; afterKey: string | undefined } {
  const limit = page.limit ?? defaultLimit;
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit) throw new InvalidInput(`a page has 1 to ${maxLimit} blobs`);
  if (!prefix.isWellFormed()) throw new InvalidInput('the prefix is not well-formed Unicode');
  return { limit, afterKey: page.cursor === undefined ? undefined : keyOf(page.cursor, prefix) };
}

/** The cursor of the page that follows this key. */
export function blobCursor(lastKey: string): string {
  return Buffer.from(lastKey).toString('base64url');
}

function keyOf(cursor: string, prefix: string): string {
  const key = Buffer.from(cursor, 'base64url').toString();
  if (blobCursor(key) !== cursor || !key.startsWith(prefix)) throw new InvalidInput('the cursor is none that a list with this prefix gave');
  return key;
}
