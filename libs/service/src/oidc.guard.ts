import { Inject, mixin, type CanActivate, type ExecutionContext, type Type } from '@nestjs/common';
import { Identity } from '@rockpool/cloud';
import { Unauthenticated } from '@rockpool/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * A guard for routes that only our own services may call: `@UseGuards(OidcGuard({ audience: 'agent-host', callers: ['dispatcher'] }))`. Without a valid
 * `Authorization: Bearer` token for this audience from one of these callers the answer is 401; no header but this one proves anything.
 */
export function OidcGuard(expected: { audience: string; callers: readonly string[] }): Type<CanActivate> {
  class Guard implements CanActivate {
    constructor(@Inject(Identity) private readonly identity: Identity) {}

    async canActivate(execution: ExecutionContext): Promise<boolean> {
      const http = execution.switchToHttp();
      try {
        await this.identity.verify(bearerToken(http.getRequest<FastifyRequest>()), expected);
      } catch (error) {
        http.getResponse<FastifyReply>().header('www-authenticate', 'Bearer');
        throw error;
      }
      return true;
    }
  }
  return mixin(Guard);
}

function bearerToken(request: FastifyRequest): string {
  const [, token] = /^Bearer ([A-Za-z0-9._~+/=-]+)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (token === undefined) throw new Unauthenticated('this route wants Authorization: Bearer with an OIDC token');
  return token;
}
