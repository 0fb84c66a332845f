import { createHash, timingSafeEqual } from 'node:crypto';
import { Inject, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Unauthenticated } from '@rockpool/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Injection token of the operators' bearer token. */
export const ADMIN_TOKEN = Symbol('rockpool.admin-token');

/** Lets a request in that carries the operators' token. Constant time; the answer to any other is 401 in the same words. */
export class AdminGuard implements CanActivate {
  readonly #expected: Buffer;

  constructor(@Inject(ADMIN_TOKEN) token: string) {
    this.#expected = digest(token);
  }

  canActivate(execution: ExecutionContext): boolean {
    const http = execution.switchToHttp();
    this.admit(http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
    return true;
  }

  /** Throws `Unauthenticated` for a request without the token. Looks at nothing but the header, so it can be asked before the body is read. */
  admit(request: Pick<FastifyRequest, 'headers'>, reply: Pick<FastifyReply, 'header'>): void {
    const [, given = ''] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    if (timingSafeEqual(digest(given), this.#expected)) return;
    reply.header('www-authenticate', 'Bearer');
    throw new Unauthenticated('this route wants Authorization: Bearer with the admin token');
  }
}

/** Of equal length whatever is given, as a comparison in constant time needs. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
