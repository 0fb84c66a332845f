import { InvalidInput, TerminalError } from '@rockpool/contracts';
import type { FastifyRequest } from 'fastify';
import type { Credentials } from './web-access.js';

const cookieName = 'rockpool_chat';
const maxTokensTried = 4;

/** The credentials of a request: `Authorization: Bearer` of a terminal, else the chat's cookies. */
export function credentialsOf(request: FastifyRequest): Credentials {
  const bearer = bearerOf(request);
  const link = (request.query as Record<string, unknown> | undefined)?.['link'];
  return {
    sessionTokens: bearer === undefined ? cookiesOf(request).slice(0, maxTokensTried) : [bearer],
    ...(typeof link === 'string' && { link }),
  };
}

/**
 * Refuses a request to do something that another site made a browser send. A form cannot send `application/json`, a script of another site cannot without a preflight
 * that we never grant, and the browser itself says where the request came from. A bearer token is never sent by a browser on its own.
 */
export function assertOwnSite(request: FastifyRequest): void {
  if (!/^application\/json\s*(?:;|$)/i.test(request.headers['content-type'] ?? ''))
    throw new InvalidInput('the body has to be application/json');
  if (bearerOf(request) !== undefined) return;
  const { origin, host, 'sec-fetch-site': site } = request.headers;
  if (typeof site === 'string') {
    if (site === 'same-origin') return;
  } else if (typeof origin === 'string' && URL.canParse(origin) && new URL(origin).host === host) {
    return;
  }
  throw new TerminalError('this request did not come from the chat page itself', { code: 'forbidden' });
}

/** What a session's cookie says. */
export interface SessionCookie {
  readonly tenantId: string;
  readonly token: string;
  readonly expiresAt: Date;
  /** Sent back over TLS alone: where the installation's own address says so, not where a header of the request does. */
  readonly secure: boolean;
}

/** The `Set-Cookie` that keeps a session for this tenant's chat only, out of the reach of scripts. */
export function sessionCookie({ tenantId, token, expiresAt, secure }: SessionCookie): string {
  const attributes = [`Path=/chat/${tenantId}`, `Expires=${expiresAt.toUTCString()}`, 'HttpOnly', 'SameSite=Lax'];
  return [`${cookieName}=${token}`, ...attributes, ...(secure ? ['Secure'] : [])].join('; ');
}

function bearerOf(request: FastifyRequest): string | undefined {
  return /^Bearer ([\w.~+/=-]+)$/i.exec(request.headers.authorization ?? '')?.[1];
}

function cookiesOf(request: FastifyRequest): string[] {
  return (request.headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${cookieName}=`))
    .map((pair) => pair.slice(cookieName.length + 1));
}
