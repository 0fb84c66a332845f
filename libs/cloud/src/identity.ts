/** Who a verified token speaks for. */
export interface Caller {
  /** The service account: `dispatcher@rockpool.local`, or its Google address. */
  readonly email: string;
  readonly audience: string;
  readonly issuer: string;
  readonly expiresAt: Date;
}

/** Service-to-service OIDC: a caller mints a token for one audience, the callee checks signature, issuer, audience, expiry and verified email. */
export abstract class Identity {
  /** Cached until shortly before it expires. `service` is the app that speaks: `dispatcher`. */
  abstract mint(options: { audience: string; service: string }): Promise<string>;
  /** Rejects with `unauthenticated`, whatever is wrong; the cause says what. `callers` are the services that may call. */
  abstract verify(token: string, expected: { audience: string; callers: readonly string[] }): Promise<Caller>;
  /** The public keys that verify tokens of this issuer, as a JSON Web Key Set. */
  abstract jwks(): Promise<{ keys: readonly object[] }>;
}
