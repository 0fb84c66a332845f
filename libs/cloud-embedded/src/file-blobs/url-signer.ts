import type { Secrets } from '@rockpool/cloud';
import { InvalidInput, Unauthenticated } from '@rockpool/contracts';
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const secretName = { tenant: 'platform', field: 'blob-url-key' };
const route = '/blobs/';
const maxLifetimeMs = 7 * 86_400_000;

/**
 * URLs that carry their own permission: `/blobs/<key>?expires=<ms>&signature=<HMAC-SHA256 of key and expiry>`. The key is a secret like others: storing a new version
 * rotates it, disabling the old one revokes what it signed.
 */
export class UrlSigner {
  constructor(
    private readonly secrets: Secrets,
    private readonly baseUrl: () => string,
    private readonly now: () => number,
  ) {}

  async sign(key: string, expiresInMs: number): Promise<string> {
    if (!(expiresInMs >= 1 && expiresInMs <= maxLifetimeMs)) throw new InvalidInput('a signed URL lives 1 ms to 7 days');
    const expires = String(Math.floor(this.now() + expiresInMs));
    const secret = await this.#newestSecret();
    const path = key.split('/').map(encodeURIComponent).join('/');
    const query = new URLSearchParams({ expires, signature: signature(secret, key, expires).toString('base64url') });
    return `${this.baseUrl().replace(/\/+$/, '')}${route}${path}?${query.toString()}`;
  }

  async verify(url: string): Promise<string> {
    const request = parsed(url);
    if (request === undefined) throw new Unauthenticated('this is no signed URL');
    const { key, expires, given } = request;
    // Every enabled key, without stopping at the first that fits: the time taken tells nothing.
    const secrets = await this.secrets.getAll(secretName);
    const fits = secrets.filter((secret) => timingSafeEqual(signature(secret, key, expires), given)).length > 0;
    if (!fits) throw new Unauthenticated('the signature of the URL is wrong');
    if (!(Number(expires) > this.now())) throw new Unauthenticated('the URL has expired');
    return key;
  }

  /** Made when the first URL is signed. Two first signers at once leave two keys, which is as good as one. */
  async #newestSecret(): Promise<string> {
    const [newest] = await this.secrets.getAll(secretName);
    if (newest !== undefined) return newest;
    const made = randomBytes(32).toString('base64url');
    await this.secrets.put(secretName, made);
    return made;
  }
}

/** `undefined` for what cannot be one of ours. A parameter given twice is refused: readers differ on which one counts. */
function parsed(url: string): { key: string; expires: string; given: Buffer } | undefined {
  let location: URL;
  let key: string;
  try {
    location = new URL(url, 'http://localhost');
    key = decodeURIComponent(location.pathname.slice(location.pathname.indexOf(route) + route.length));
  } catch {
    return undefined;
  }
  const [expires, ...moreExpires] = location.searchParams.getAll('expires');
  const [given, ...moreGiven] = location.searchParams.getAll('signature');
  if (!location.pathname.includes(route) || moreExpires.length > 0 || moreGiven.length > 0) return undefined;
  const bytes = Buffer.from(given ?? '', 'base64url');
  if (expires === undefined || !/^[0-9]{1,16}$/.test(expires) || bytes.length !== 32) return undefined;
  return { key, expires, given: bytes };
}

function signature(secret: string, key: string, expires: string): Buffer {
  return createHmac('sha256', secret)
    .update(JSON.stringify(['rockpool blob url v1', key, expires]))
    .digest();
}
