import { createHash, createSign, createVerify, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Clock } from '../wire/clock.js';
import type { WireRequest } from '../wire/loopback-server.js';
import { StorageFailure } from './storage-fake-objects.js';

const algorithm = 'GOOG4-RSA-SHA256';
const maxLifeSeconds = 7 * 86_400;
/** How far ahead of the service a signer's clock may be. */
const maxAheadMs = 15 * 60_000;

/**
 * Signatures in the name of service accounts, as the IAM Credentials API makes them (`signBlob`), and the check of URLs that were signed with them.
 * https://cloud.google.com/storage/docs/authentication/signatures
 */
export class FakeSigners {
  readonly #keys = new Map<string, { privateKey: KeyObject; publicKey: KeyObject }>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A signature of the bytes by the account's key, in base64. */
  sign(account: string, bytes: Buffer): string {
    let keys = this.#keys.get(account);
    if (keys === undefined) {
      keys = generateKeyPairSync('rsa', { modulusLength: 2_048 });
      this.#keys.set(account, keys);
    }
    return createSign('RSA-SHA256').update(bytes).sign(keys.privateKey, 'base64');
  }

  /** Throws unless the request is the one that was signed, within its time. */
  verify({ method, path, query, headers }: WireRequest): void {
    const value = (name: string): string => {
      const [first, ...more] = query.getAll(`X-Goog-${name}`);
      if (first === undefined || more.length > 0) throw refused('AuthenticationRequired', `X-Goog-${name} is missing`);
      return first;
    };
    const [account, ...scope] = value('Credential').split('/');
    const date = value('Date');
    const expires = value('Expires');
    if (value('Algorithm') !== algorithm || value('SignedHeaders') !== 'host')
      throw refused('InvalidArgument', 'the algorithm or the headers');
    if (scope.join('/') !== `${date.slice(0, 8)}/auto/storage/goog4_request`) throw refused('InvalidArgument', 'the credential scope');
    const signedAt = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
    const lifeSeconds = /^[1-9]\d*$/.test(expires) ? Number(expires) : NaN;
    if (!(lifeSeconds <= maxLifeSeconds) || !(signedAt <= this.#clock.now() + maxAheadMs)) throw refused('InvalidArgument', 'the time');
    if (this.#clock.now() >= signedAt + lifeSeconds * 1000) throw refused('ExpiredToken', 'The provided token has expired.');

    const signature = value('Signature');
    const signed = [...query].filter(([name]) => name !== 'X-Goog-Signature').map(([name, text]) => `${encoded(name)}=${encoded(text)}`);
    // Clients sign the host without its port, which the real service never has.
    const host = new URL(`http://${headers.host}`).hostname;
    const canonical = [method, path, signed.sort().join('&'), `host:${host}\n`, 'host', 'UNSIGNED-PAYLOAD'].join('\n');
    const digest = createHash('sha256').update(canonical).digest('hex');
    const text = [algorithm, date, scope.join('/'), digest].join('\n');
    const key = this.#keys.get(account ?? '')?.publicKey;
    const good = key !== undefined && createVerify('RSA-SHA256').update(text).verify(key, signature, 'hex');
    if (!good) throw refused('SignatureDoesNotMatch', 'The request signature we calculated does not match the one you provided.', 403);
  }
}

function refused(reason: string, message: string, status = 400): StorageFailure {
  return new StorageFailure(status, reason, message);
}

/** RFC 3986: everything but unreserved characters. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
