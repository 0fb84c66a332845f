import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { InvalidInput } from '@rockpool/contracts';
import { hmacSha256, sameDigest } from '../verification.js';

/**
 * Signatures of Standard Webhooks: `v1,` and the base64 HMAC-SHA256 of `<id>.<timestamp>.<body>` under the key after `whsec_`, or `v1a,` and the base64
 * Ed25519 signature of the same, checked with the public key after `whpk_`.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export interface SignedContent {
  readonly id: string;
  /** Decimal seconds, as in the header. */
  readonly timestamp: string;
  readonly body: Uint8Array;
}

/** More signatures than a rotation could explain are refused before they cost anything. */
const maxSignatures = 16;

/** True when one of the space-separated signatures is by one of the keys. Keys that decode to nothing match nothing. */
export function isSignedBy(keys: readonly string[], content: SignedContent, signatures: string): boolean {
  const presented = signatures.split(' ').filter((signature) => signature !== '');
  if (presented.length > maxSignatures) return false;
  let genuine = false;
  for (const key of keys) {
    for (const signature of presented) genuine = matches(key, content, signature) || genuine;
  }
  return genuine;
}

/** The `webhook-signature` of content under a `whsec_` secret. Throws `InvalidInput` when the secret is none. */
export function signatureOf(secret: string, content: SignedContent): string {
  const key = hmacKeyOf(secret);
  if (key === undefined) throw new InvalidInput('a Standard Webhooks secret is whsec_ followed by base64');
  return `v1,${hmacSha256(key, prefixOf(content), content.body).toString('base64')}`;
}

function matches(key: string, content: SignedContent, signature: string): boolean {
  const comma = signature.indexOf(',');
  const version = signature.slice(0, comma);
  const encoded = signature.slice(comma + 1);
  const digest = base64(encoded);
  // One signature has one spelling: bits that base64 leaves unused, or padding left off, are no second one.
  if (digest === undefined || digest.toString('base64') !== encoded) return false;
  if (version === 'v1') {
    const secret = hmacKeyOf(key);
    return secret !== undefined && sameDigest(digest, hmacSha256(secret, prefixOf(content), content.body));
  }
  const publicKey = version === 'v1a' ? publicKeyOf(key) : undefined;
  return (
    publicKey !== undefined &&
    digest.length === 64 &&
    verify(null, Buffer.concat([Buffer.from(prefixOf(content)), content.body]), publicKey, digest)
  );
}

function prefixOf(content: SignedContent): string {
  return `${content.id}.${content.timestamp}.`;
}

/** A public key is no HMAC secret: whoever knows it could sign with it. */
function hmacKeyOf(secret: string): Buffer | undefined {
  if (secret.startsWith('whpk_') || secret.startsWith('whsk_')) return undefined;
  return base64(secret.replace(/^whsec_/, ''));
}

function publicKeyOf(key: string): KeyObject | undefined {
  const bytes = key.startsWith('whpk_') ? base64(key.slice('whpk_'.length)) : undefined;
  if (bytes?.length !== 32) return undefined;
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') }, format: 'jwk' });
}

/** Node's decoder skips what it does not know, and so reads a key out of anything; this one reads base64 only. */
function base64(text: string): Buffer | undefined {
  const isBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/.test(text);
  return isBase64 && text !== '' ? Buffer.from(text, 'base64') : undefined;
}
