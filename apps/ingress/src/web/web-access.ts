import type { OpenedSession, WebSession, WebSessions } from '@rockpool/channels';
import { Unauthenticated, tenantId as tenantIdSchema, type TenantId } from '@rockpool/contracts';
import type { Tenant, Tenants } from '@rockpool/tenancy';

/** What a caller shows to be let in. Several cookies of one name can reach us (an old path, a parent domain): each may be the right one. */
export interface Credentials {
  readonly sessionTokens: readonly string[];
  readonly link?: string;
}

/** A visitor of a tenant's chat, proven. */
export interface Visit {
  readonly tenant: Tenant;
  readonly session: WebSession;
}

/**
 * What opening the page leads to. `closed` says `absent` alike of a tenant that does not exist, has no web chat, or is open by link only, so that nobody
 * learns who is a tenant here; `expired` is said only to somebody who once had a genuine session or link.
 */
export type Entry =
  | {
      readonly kind: 'entered';
      readonly visit: Visit;
      /** A session to hand out; absent when the one shown stays good. */ readonly opened?: OpenedSession;
    }
  | { readonly kind: 'closed'; readonly reason: 'absent' | 'expired' };

const refusal = 'this chat needs a valid session; open its page or its link again';
const renewAfterMs = 86_400_000;

/** Decides who may use a tenant's web chat, every time anew: a session of a chat that has since been closed, or opened by link only, is refused. */
export class WebAccess {
  constructor(
    private readonly tenants: Tenants,
    private readonly sessions: WebSessions,
    private readonly now: () => number = Date.now,
  ) {}

  /** For the page: a valid session is kept (and renewed once a day), a link opens one, a public chat gives one to anybody. */
  async enter(tenantId: string, credentials: Credentials): Promise<Entry> {
    const tenant = await this.#openTenant(tenantId);
    if (!tenant) return { kind: 'closed', reason: 'absent' };
    const { session: known, expired } = await this.#firstValid(tenant.id, credentials.sessionTokens);
    const link = credentials.link === undefined ? undefined : await this.sessions.verifyLink(tenant.id, credentials.link);
    if (link?.state === 'valid' && known?.origin !== 'link') {
      return entered(tenant, await this.sessions.open(tenant.id, 'link', known?.visitorId));
    }
    if (known && isStillAllowed(tenant, known)) {
      if (this.now() - known.issuedAt.getTime() < renewAfterMs) return { kind: 'entered', visit: { tenant, session: known } };
      return entered(tenant, await this.sessions.open(tenant.id, known.origin, known.visitorId));
    }
    if (tenant.spec.channels.web?.access === 'public') return entered(tenant, await this.sessions.open(tenant.id, 'public'));
    return { kind: 'closed', reason: expired || link?.state === 'expired' ? 'expired' : 'absent' };
  }

  /** For a terminal: a session by link, or by nothing where the chat is public. Throws `Unauthenticated`. */
  async openSession(tenantId: string, link?: string): Promise<OpenedSession> {
    const tenant = await this.#openTenant(tenantId);
    if (tenant && link !== undefined && (await this.sessions.verifyLink(tenant.id, link)).state === 'valid') {
      return this.sessions.open(tenant.id, 'link');
    }
    if (tenant && link === undefined && tenant.spec.channels.web?.access === 'public') return this.sessions.open(tenant.id, 'public');
    throw new Unauthenticated(refusal);
  }

  /** For everything behind the page. Throws `Unauthenticated`, with the same words whatever is missing. */
  async visit(tenantId: string, credentials: Credentials): Promise<Visit> {
    const tenant = await this.#openTenant(tenantId);
    const { session } = tenant ? await this.#firstValid(tenant.id, credentials.sessionTokens) : {};
    if (!tenant || !session || !isStillAllowed(tenant, session)) {
      throw new Unauthenticated(refusal);
    }
    return { tenant, session };
  }

  async #openTenant(id: string): Promise<Tenant | undefined> {
    const parsed = tenantIdSchema.safeParse(id);
    const tenant = parsed.success ? await this.tenants.get(parsed.data) : undefined;
    return tenant?.spec.channels.web && tenant;
  }

  async #firstValid(tenantId: TenantId, tokens: readonly string[]): Promise<{ session?: WebSession; expired: boolean }> {
    let expired = false;
    for (const token of tokens) {
      const check = await this.sessions.verify(tenantId, token);
      if (check.state === 'valid') return { session: check.session, expired };
      if (check.state === 'expired') expired = true;
    }
    return { expired };
  }
}

function entered(tenant: Tenant, opened: OpenedSession): Entry {
  return { kind: 'entered', visit: { tenant, session: opened.session }, opened };
}

function isStillAllowed(tenant: Tenant, session: WebSession): boolean {
  return session.origin === 'link' || tenant.spec.channels.web?.access === 'public';
}
