import { callerOf, claimsOfPayload, Identity, refuseMisspelledToken, type Caller } from '@rockpool/cloud';
import { InvalidInput, Unauthenticated } from '@rockpool/contracts';
import { compactVerify, SignJWT } from 'jose';
import { SigningKeys } from './local-identity/signing-keys.js';

/** As long as Google's ID tokens. */
const lifetimeMs = 3_600_000;
/** A cached token is given out only while it has this long to live. */
const renewBeforeMs = 60_000;
/** Clocks of one machine agree; this absorbs a step of NTP. */
const leewayMs = 10_000;
const maxCached = 1_000;

const algorithm = 'ES256';
const emailDomain = 'rockpool.local';
const servicePattern = /^[a-z][a-z0-9-]{0,62}$/;

export interface LocalIdentityOptions {
  /** Where the signing keys are kept, mode 0600; made when absent. It belongs next to the master key, outside the data folder. */
  keysFile: string;
  /** The `iss` of the tokens. Fixed, so that tokens outlive a change of port. Default `https://rockpool.local`. */
  issuer?: string;
  /** Milliseconds since the epoch. Default: the system's clock. */
  now?: () => number;
  /** A signing key older than this is replaced at the next mint. Default 30 days. */
  rotateAfterMs?: number;
}

type Claims = Readonly<Record<string, unknown>>;

/**
 * An OIDC issuer for the services of one machine: ES256 tokens for `<service>@rockpool.local`, one audience each, one hour long.
 *
 * Verification believes nothing of a token but its signature by a key of this issuer: the algorithm is fixed, keys come from the key file alone, and every
 * claim is checked on each call, also when the signature was checked before.
 */
export class LocalIdentity extends Identity {
  readonly #keys: SigningKeys;
  readonly #issuer: string;
  readonly #now: () => number;
  readonly #rotateAfterMs: number;
  /** By service and audience; a promise, so that concurrent calls sign once. */
  readonly #minted = new Map<string, { token: Promise<string>; expiresAt: number }>();
  /** Claims of tokens whose signature was found good. Oldest out first. */
  readonly #verified = new Map<string, { keyId: string; claims: Claims }>();

  private constructor(keys: SigningKeys, options: LocalIdentityOptions) {
    super();
    this.#keys = keys;
    this.#issuer = options.issuer ?? 'https://rockpool.local';
    this.#now = options.now ?? Date.now;
    this.#rotateAfterMs = options.rotateAfterMs ?? 30 * 86_400_000;
  }

  static async open(options: LocalIdentityOptions): Promise<LocalIdentity> {
    return new LocalIdentity(await SigningKeys.open(options.keysFile, (options.now ?? Date.now)()), options);
  }

  async mint({ audience, service }: { audience: string; service: string }): Promise<string> {
    if (!servicePattern.test(service))
      throw new InvalidInput(`a service is named by lower-case letters, digits and dashes, not ${JSON.stringify(service)}`);
    if (audience === '') throw new InvalidInput('a token needs an audience');
    const now = this.#now();
    if (now - this.#keys.signing.createdAt >= this.#rotateAfterMs) await this.rotate();
    const cacheKey = `${service} ${audience}`;
    const cached = this.#minted.get(cacheKey);
    if (cached !== undefined && cached.expiresAt - renewBeforeMs > now) return cached.token;
    const expiresAt = now + lifetimeMs;
    const token = this.#sign(audience, service, now, expiresAt);
    remember(this.#minted, cacheKey, { token, expiresAt });
    token.catch(() => this.#minted.delete(cacheKey));
    return token;
  }

  async verify(token: string, expected: { audience: string; callers: readonly string[] }): Promise<Caller> {
    try {
      const claims = await this.#claimsOf(token);
      const emails = expected.callers.map((service) => `${service}@${emailDomain}`);
      return callerOf(claims, { issuers: [this.#issuer], audience: expected.audience, emails, now: this.#now(), leewayMs });
    } catch (cause) {
      throw new Unauthenticated('the token does not prove who calls', { cause });
    }
  }

  async jwks(): Promise<{ keys: readonly object[] }> {
    return { keys: this.#keys.published(this.#now()) };
  }

  /** Signs with a new key from now on. The old public key is kept until every token it signed has expired. */
  async rotate(): Promise<void> {
    const now = this.#now();
    await this.#keys.rotate(now, now + lifetimeMs + leewayMs);
    this.#minted.clear();
  }

  #sign(audience: string, service: string, now: number, expiresAt: number): Promise<string> {
    const email = `${service}@${emailDomain}`;
    return new SignJWT({ email, email_verified: true })
      .setProtectedHeader({ alg: algorithm, typ: 'JWT', kid: this.#keys.signing.id })
      .setIssuer(this.#issuer)
      .setSubject(email)
      .setAudience(audience)
      .setIssuedAt(Math.floor(now / 1000))
      .setExpirationTime(Math.floor(expiresAt / 1000))
      .sign(this.#keys.signing.privateKey);
  }

  async #claimsOf(token: string): Promise<Claims> {
    const known = this.#verified.get(token);
    // The key is looked up again: it may have been removed since.
    if (known !== undefined && this.#keys.verifying(known.keyId, this.#now()) !== undefined) return known.claims;
    refuseMisspelledToken(token);
    let keyId = '';
    const { payload } = await compactVerify(
      token,
      (header) => {
        keyId = header.kid ?? '';
        const key = this.#keys.verifying(keyId, this.#now());
        if (key === undefined) throw new Error('no key of this issuer has that key id');
        return key;
      },
      { algorithms: [algorithm] },
    );
    const claims = claimsOfPayload(payload);
    remember(this.#verified, token, { keyId, claims });
    return claims;
  }
}

function remember<Value>(cache: Map<string, Value>, key: string, value: Value): void {
  cache.delete(key);
  cache.set(key, value);
  if (cache.size > maxCached) cache.delete(cache.keys().next().value!);
}
