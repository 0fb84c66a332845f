import { callerOf, claimsOfPayload, Identity, refuseMisspelledToken, type Caller } from '@rockpool/cloud';
import { InvalidInput, RockpoolError, Unauthenticated } from '@rockpool/contracts';
import type { GoogleAuth } from 'google-auth-library';
import { compactVerify, createRemoteJWKSet, type RemoteJWKSet } from 'jose';
import { serviceAccountOf } from './service-account.js';

const googleCerts = 'https://www.googleapis.com/oauth2/v3/certs';
const issuers = ['https://accounts.google.com', 'accounts.google.com'];
const algorithm = 'RS256';
/** A cached token is given out only while it has this long to live. */
const renewBeforeMs = 60_000;
/** Google's clocks and ours. */
const leewayMs = 30_000;
const keysKeptMs = 3_600_000;
const mostAudiences = 1_000;

/** What goes into the query of the metadata server as it is. */
const audiencePattern = /^[A-Za-z0-9:/._~-]{1,1024}$/;

/** What Cloud Run puts in the place of a signature that it has verified. https://cloud.google.com/run/docs/troubleshooting */
const removedSignature = 'SIGNATURE_REMOVED_BY_GOOGLE';

export interface GoogleIdentityOptions {
  readonly projectId: string;
  /** The app that this process is. Tokens are minted in its name only: it is whoever its service account is. */
  readonly service: string;
  /** Where the issuer publishes its keys; Google's own when absent. */
  readonly certsUrl?: string;
  /** Milliseconds since the epoch. Default: the system's clock. */
  readonly now?: () => number;
  /** After a key that was not found, the keys are fetched again at most once in this time. Default 30 s. */
  readonly keysCooldownMs?: number;
  /**
   * Cloud Run lets in only whom IAM allows to invoke this service, and takes the signature off the tokens it has checked. Such tokens are then believed, and still
   * every claim of them is checked. To be set for private services alone: on a public one nobody has checked anything.
   */
  readonly signaturesCheckedByCloudRun?: boolean;
}

/**
 * Identity on Google Cloud: tokens come from the metadata server, in the name of the process's own service account `<service>@<project>.iam.gserviceaccount.com`,
 * and are verified with the keys that Google publishes.
 *
 * Nothing of a token is believed but what Google has signed: the algorithm is fixed, keys come from the published set alone, every claim is checked on each call.
 */
export class GoogleIdentity extends Identity {
  readonly #options: GoogleIdentityOptions;
  readonly #keys: RemoteJWKSet;
  readonly #now: () => number;
  /** By audience; a promise, so that concurrent calls ask once. */
  readonly #minted = new Map<string, Promise<{ token: string; expiresAtMs: number }>>();
  #auth: Promise<GoogleAuth> | undefined;

  constructor(options: GoogleIdentityOptions) {
    super();
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#keys = createRemoteJWKSet(new URL(options.certsUrl ?? googleCerts), {
      cacheMaxAge: keysKeptMs,
      ...(options.keysCooldownMs !== undefined && { cooldownDuration: options.keysCooldownMs }),
    });
  }

  /** Rejects with `unavailable` when there is no metadata server, or nobody it knows, to mint it. */
  async mint({ audience, service }: { audience: string; service: string }): Promise<string> {
    if (service !== this.#options.service)
      throw new InvalidInput(`this process is ${this.#options.service} and cannot speak for ${JSON.stringify(service)}`);
    if (!audiencePattern.test(audience)) throw new InvalidInput('an audience is a URL without query, or a name');
    const cached = await this.#minted.get(audience);
    if (cached !== undefined && cached.expiresAtMs - renewBeforeMs > this.#now()) return cached.token;
    // Somebody else may have asked meanwhile.
    const current = this.#minted.get(audience);
    const minting = current !== undefined && (await current) !== cached ? current : this.#fetch(audience);
    this.#minted.set(audience, minting);
    if (this.#minted.size > mostAudiences) this.#minted.delete(this.#minted.keys().next().value!);
    try {
      return (await minting).token;
    } catch (error) {
      if (this.#minted.get(audience) === minting) this.#minted.delete(audience);
      throw error;
    }
  }

  async verify(token: string, expected: { audience: string; callers: readonly string[] }): Promise<Caller> {
    try {
      const claims = await this.#claimsOf(token);
      const emails = expected.callers.map((caller) => this.#emailOf(caller));
      return callerOf(claims, { issuers, audience: expected.audience, emails, now: this.#now(), leewayMs });
    } catch (cause) {
      throw new Unauthenticated('the token does not prove who calls', { cause });
    }
  }

  async jwks(): Promise<{ keys: readonly object[] }> {
    if (!this.#keys.fresh) await this.reach();
    return this.#keys.jwks() ?? { keys: [] };
  }

  /** Fetches the issuer's keys. Rejects with `unavailable` when they cannot be had. */
  async reach(): Promise<void> {
    try {
      await this.#keys.reload();
    } catch (cause) {
      throw new RockpoolError('unavailable', `the public keys of Google cannot be fetched: ${(cause as Error).message}`, { cause });
    }
  }

  #emailOf(service: string): string {
    return serviceAccountOf(this.#options.projectId, service);
  }

  async #claimsOf(token: string): Promise<Readonly<Record<string, unknown>>> {
    if (this.#options.signaturesCheckedByCloudRun && String(token).endsWith(`.${removedSignature}`)) {
      refuseMisspelledToken(token, false);
      return claimsOfPayload(Buffer.from(token.split('.')[1]!, 'base64url'));
    }
    refuseMisspelledToken(token);
    const { payload } = await compactVerify(token, this.#keys, { algorithms: [algorithm] });
    return claimsOfPayload(payload);
  }

  async #fetch(audience: string): Promise<{ token: string; expiresAtMs: number }> {
    let token: string;
    try {
      this.#auth ??= import('google-auth-library').then(({ GoogleAuth: Auth }) => new Auth({ projectId: this.#options.projectId }));
      const client = await (await this.#auth).getClient();
      if (!('fetchIdToken' in client)) throw new Error('these credentials cannot mint identity tokens');
      token = await client.fetchIdToken(audience);
    } catch (cause) {
      throw new RockpoolError('unavailable', `no identity token for ${audience} could be had: ${(cause as Error).message}`, { cause });
    }
    const { email, exp } = claimsOfPayload(Buffer.from(token.split('.')[1] ?? '', 'base64url'));
    const own = this.#emailOf(this.#options.service);
    if (email !== own) throw new RockpoolError('internal', `this process runs as ${String(email)}, and not as ${own}`);
    return { token, expiresAtMs: Number(exp) * 1000 };
  }
}
