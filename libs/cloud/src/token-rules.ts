import type { Caller } from './identity.js';

const maxTokenChars = 8_192;

/** What a token has to say to be believed. */
export interface TokenExpectation {
  readonly issuers: readonly string[];
  readonly audience: string;
  /** Addresses of those who may call. */
  readonly emails: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** How far apart the clocks of issuer and verifier may be. */
  readonly leewayMs: number;
}

/**
 * Refuses what is not three parts of canonical base64url: what one token says has one spelling, so no variant of a known token is taken for another. `signed` is
 * false where the signature was taken off by somebody who had checked it.
 */
export function refuseMisspelledToken(token: string, signed = true): void {
  if (typeof token !== 'string' || token.length > maxTokenChars) throw new Error('no token, or one that is too long');
  const parts = token.split('.');
  if (parts.length !== 3) throw new Error('a token has three parts');
  for (const part of signed ? parts : parts.slice(0, 2)) {
    if (part === '' || Buffer.from(part, 'base64url').toString('base64url') !== part) throw new Error('a part is not base64url');
  }
}

/** The claims of a token's payload. Throws when it is no JSON object. */
export function claimsOfPayload(payload: Uint8Array): Readonly<Record<string, unknown>> {
  const claims: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  if (typeof claims !== 'object' || claims === null) throw new Error('the payload is no object');
  return claims as Record<string, unknown>;
}

/** Who the claims of a verified token speak for. Throws, saying which claim is wrong; nothing is converted on the way. */
export function callerOf(claims: Readonly<Record<string, unknown>>, expected: TokenExpectation): Caller {
  const { iss, aud, email, email_verified: verified, iat, nbf, exp } = claims;
  const { now, leewayMs } = expected;
  if (typeof iss !== 'string' || !expected.issuers.includes(iss)) throw new Error('another issuer');
  // A list of audiences is refused even when ours is in it: the token could be replayed at the others.
  if (typeof aud !== 'string' || aud === '' || aud !== expected.audience) throw new Error('another audience');
  if (typeof exp !== 'number' || !(exp * 1000 + leewayMs > now)) throw new Error('expired');
  if (typeof iat !== 'number' || !(iat * 1000 - leewayMs <= now)) throw new Error('issued in the future');
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf * 1000 - leewayMs <= now)) throw new Error('not valid yet');
  if (verified !== true) throw new Error('the email is not verified');
  if (typeof email !== 'string' || !expected.emails.includes(email)) throw new Error('this caller is not expected here');
  return { email, audience: aud, issuer: iss, expiresAt: new Date(exp * 1000) };
}
