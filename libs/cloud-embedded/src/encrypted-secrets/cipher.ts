import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** A nonce and what AES-256-GCM made under it, the tag at the end. */
export interface Sealed {
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
}

const cipher = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

export function newKey(): Buffer {
  return randomBytes(32);
}

/**
 * Encrypts under a random 96-bit nonce. Random nonces are safe for 2^32 messages a key (NIST SP 800-38D, 8.3); a key here sees one tenant's secrets.
 * What `context` says is authenticated and has to be said again to decrypt.
 */
export function seal(key: Uint8Array, plain: Uint8Array, context: readonly string[]): Sealed {
  const nonce = randomBytes(nonceBytes);
  const encryption = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes }).setAAD(additionalData(context));
  return { nonce, ciphertext: Buffer.concat([encryption.update(plain), encryption.final(), encryption.getAuthTag()]) };
}

/** `undefined` when the key, the context or a bit of what was sealed is not the same. */
export function open(key: Uint8Array, { nonce, ciphertext }: Sealed, context: readonly string[]): Buffer | undefined {
  if (nonce.length !== nonceBytes || ciphertext.length < tagBytes) return undefined;
  const body = ciphertext.subarray(0, ciphertext.length - tagBytes);
  const decryption = createDecipheriv(cipher, key, nonce, { authTagLength: tagBytes })
    .setAAD(additionalData(context))
    .setAuthTag(ciphertext.subarray(ciphertext.length - tagBytes));
  const plain = decryption.update(body);
  try {
    return Buffer.concat([plain, decryption.final()]);
  } catch {
    // OpenSSL says no more than that the tag differs, and neither does this.
    return undefined;
  }
}

/** JSON keeps the parts apart: no two contexts have the same bytes. */
function additionalData(context: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(context));
}
