import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Secrets, SecretName } from '@rockpool/cloud';
import type { TenantId } from '@rockpool/contracts';
import { z } from 'zod';

/**
 * Who a browser (or a terminal) is to the web chat, without anything stored: a token is `<kind>.<payload>.<mac>`, the payload base64url JSON, the mac
 * HMAC-SHA256 under a secret of the tenant. A token of one tenant means nothing to another, and disabling a version of the secret ends every session
 * and link that was made with it.
 */

/** `link`: an invitation an operator made, good for opening sessions. `session`: one visitor, in a cookie or a bearer header. */
type TokenKind = 'link' | 'session';

/** How a visitor got in: a public chat gives a session to anyone; such a session ends when the chat becomes `link`. */
export type SessionOrigin = 'public' | 'link';

/** A visitor whose token was proven. */
export interface WebSession {
  readonly tenantId: TenantId;
  /** Random, and part of the conversation's id: it cannot be guessed or chosen. */
  readonly visitorId: string;
  readonly origin: SessionOrigin;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}

/** A session together with the token that proves it. The token is a credential: it belongs in an HttpOnly cookie or a file of mode 0600. */
export interface OpenedSession {
  readonly token: string;
  readonly session: WebSession;
}

/** An invitation. `path` is appended to the public base URL of the ingress: `/chat/alice?link=…`. */
export interface WebLink {
  readonly token: string;
  readonly path: string;
  readonly expiresAt: Date;
}

/** `expired` is only said of a token that was genuine, so saying it to the bearer gives nothing away. */
export type SessionCheck =
  { readonly state: 'valid'; readonly session: WebSession } | { readonly state: 'expired' } | { readonly state: 'invalid' };

const dayMs = 86_400_000;
const sessionLifetimeMs = 30 * dayMs;
const linkLifetimeMs = 7 * dayMs;
/** How long a revoked key may still be believed. */
const keysFreshMs = 30_000;
/** A token that no known key made may come from a key another instance has just added: worth one look a second, not one a request. */
const keysRetryMs = 1_000;
const maxTokenLength = 1_024;

const payloadSchema = z.object({
  tenant: z.string(),
  visitor: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  origin: z.enum(['public', 'link']),
  issuedAt: z.number().int(),
  expiresAt: z.number().int(),
});
type Payload = z.output<typeof payloadSchema>;

interface KnownKeys {
  readonly keys: readonly string[];
  readonly readAt: number;
}

/** Mints and verifies the tokens of the web chat. Safe to use from any number of instances at once. */
export class WebSessions {
  readonly #known = new Map<string, KnownKeys>();

  /** `now` is the clock, in milliseconds since 1970. */
  constructor(
    private readonly secrets: Secrets,
    private readonly now: () => number = Date.now,
  ) {}

  /** Makes an invitation. Everyone who opens it within `lifetimeMs` (default 7 days) becomes a visitor of their own. */
  async mintLink(tenantId: TenantId, options: { lifetimeMs?: number } = {}): Promise<WebLink> {
    const lifetimeMs = options.lifetimeMs ?? linkLifetimeMs;
    const { token, payload } = await this.#mint(tenantId, 'link', { visitor: randomId(), origin: 'link', lifetimeMs });
    return { token, path: `/chat/${tenantId}?link=${token}`, expiresAt: new Date(payload.expiresAt) };
  }

  /** Opens a session of 30 days. Without a visitor id: for a new visitor. Whether this visitor may have one is the caller's decision. */
  async open(tenantId: TenantId, origin: SessionOrigin, visitorId = randomId()): Promise<OpenedSession> {
    const { token, payload } = await this.#mint(tenantId, 'session', { visitor: visitorId, origin, lifetimeMs: sessionLifetimeMs });
    return { token, session: sessionOf(tenantId, payload) };
  }

  /** Checks a session token. Constant time in the secret. */
  verify(tenantId: TenantId, token: string): Promise<SessionCheck> {
    return this.#check(tenantId, 'session', token);
  }

  /** Checks an invitation; the session in a `valid` answer is the invitation's own and is to be replaced by {@link open}. */
  verifyLink(tenantId: TenantId, token: string): Promise<SessionCheck> {
    return this.#check(tenantId, 'link', token);
  }

  async #mint(tenantId: TenantId, kind: TokenKind, grant: { visitor: string; origin: SessionOrigin; lifetimeMs: number }) {
    const issuedAt = this.now();
    const payload: Payload = {
      tenant: tenantId,
      visitor: grant.visitor,
      origin: grant.origin,
      issuedAt,
      expiresAt: issuedAt + grant.lifetimeMs,
    };
    const signed = `${kind}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}`;
    return { token: `${signed}.${macOf(await this.#signingKey(tenantId), signed)}`, payload };
  }

  async #check(tenantId: TenantId, kind: TokenKind, token: string): Promise<SessionCheck> {
    const parts = token.length <= maxTokenLength ? token.split('.') : [];
    const [givenKind, body, mac] = parts;
    if (parts.length !== 3 || givenKind !== kind || !body || !mac) return { state: 'invalid' };
    if (!(await this.#isGenuine(tenantId, `${kind}.${body}`, mac))) return { state: 'invalid' };
    const payload = payloadSchema.safeParse(JSON.parse(Buffer.from(body, 'base64url').toString()));
    if (!payload.success || payload.data.tenant !== tenantId) return { state: 'invalid' };
    if (payload.data.expiresAt <= this.now()) return { state: 'expired' };
    return { state: 'valid', session: sessionOf(tenantId, payload.data) };
  }

  async #isGenuine(tenantId: TenantId, signed: string, mac: string): Promise<boolean> {
    if (madeByOneOf(await this.#keys(tenantId, keysFreshMs), signed, mac)) return true;
    return madeByOneOf(await this.#keys(tenantId, keysRetryMs), signed, mac);
  }

  /** All enabled keys, newest first, as they were at most `maxAgeMs` ago. That there is none is not remembered: the first key may come any moment. */
  async #keys(tenantId: TenantId, maxAgeMs: number): Promise<readonly string[]> {
    const known = this.#known.get(tenantId);
    if (known && known.keys.length > 0 && this.now() - known.readAt < maxAgeMs) return known.keys;
    const readAt = this.now();
    const keys = await this.secrets.getAll(keyName(tenantId));
    this.#known.set(tenantId, { keys, readAt });
    return keys;
  }

  /**
   * Two instances that need the first key at the same moment both add one. That is harmless: every enabled key is accepted, the newest one signs.
   */
  async #signingKey(tenantId: TenantId): Promise<string> {
    const [newest] = await this.#keys(tenantId, keysFreshMs);
    if (newest !== undefined) return newest;
    const made = randomBytes(32).toString('base64url');
    await this.secrets.put(keyName(tenantId), made);
    return (await this.#keys(tenantId, 0))[0] ?? made;
  }
}

function keyName(tenantId: TenantId): SecretName {
  return { tenant: tenantId, field: 'web-session-key' };
}

function randomId(): string {
  return randomBytes(16).toString('base64url');
}

function macOf(key: string, signed: string): string {
  return createHmac('sha256', key).update(signed).digest('base64url');
}

/** Compares the encoded macs, not the decoded ones: base64url has several spellings of the same bytes, and only ours is accepted. */
function madeByOneOf(keys: readonly string[], signed: string, mac: string): boolean {
  const given = Buffer.from(mac);
  let genuine = false;
  for (const key of keys) {
    const expected = Buffer.from(macOf(key, signed));
    if (expected.length === given.length && timingSafeEqual(expected, given)) genuine = true;
  }
  return genuine;
}

function sessionOf(tenantId: TenantId, payload: Payload): WebSession {
  return {
    tenantId,
    visitorId: payload.visitor,
    origin: payload.origin,
    issuedAt: new Date(payload.issuedAt),
    expiresAt: new Date(payload.expiresAt),
  };
}
