import { Inject, mixin, type CanActivate, type ExecutionContext, type Type } from '@nestjs/common';
import { Identity } from '@rockpool/cloud';
import { Unauthenticated } from '@rockpool/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Injection token, in each module that has guarded routes: the audience that tokens for them have to be for. */
export const AUDIENCE = Symbol('rockpool.audience');

/**
 * A guard for routes that only our own services may call: `@UseGuards(OidcGuard({ callers: ['dispatcher'] }))`. Without a valid `Authorization: Bearer` token for the
 * module's {@link AUDIENCE} from one of these callers the answer is 401; no header but this one proves anything.
 */
export function OidcGuard({ callers }: { callers: readonly string[] }): Type<CanActivate> {
  class Guard implements CanActivate {
    constructor(
      @Inject(Identity) private readonly identity: Identity,
      @Inject(AUDIENCE) private readonly audience: string,
    ) {}

    async canActivate(execution: ExecutionContext): Promise<boolean> {
      const http = execution.switchToHttp();
      try {
        await this.identity.verify(bearerToken(http.getRequest<FastifyRequest>()), { audience: this.audience, callers });
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
