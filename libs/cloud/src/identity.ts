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
  /**
   * `service` is the app that speaks: `dispatcher`. The token lives about an hour; the same one is given out until a minute before its end.
   * Rejects with `invalid` when the audience is empty or no service can have that name.
   */
  abstract mint(options: { audience: string; service: string }): Promise<string>;
  /**
   * Rejects with `unauthenticated`, whatever is wrong; the cause says what. `callers` are the services that may call: an empty list lets nobody in.
   * All claims are checked on each call; only the signature of a token seen before may be remembered.
   */
  abstract verify(token: string, expected: { audience: string; callers: readonly string[] }): Promise<Caller>;
  /** The public keys that verify tokens of this issuer, as a JSON Web Key Set. */
  abstract jwks(): Promise<{ keys: readonly object[] }>;
}
