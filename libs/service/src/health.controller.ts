import { Controller, Get, Header, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Readiness } from './readiness.js';

/** Every name of the two routes. Cloud Run keeps paths that end in `z` for itself: from outside, `/health` and `/ready` lead here and the others may not. */
export const healthRoutes = ['/healthz', '/health', '/readyz', '/ready'] as const;

/** `GET /healthz`: this process is alive. `GET /readyz`: send it requests, or 503 with the reasons. Neither needs a token, neither tells more than that. */
@Controller()
export class HealthController {
  constructor(@Inject(Readiness) private readonly readiness: Readiness) {}

  @Get(healthRoutes.slice(0, 2))
  @Header('cache-control', 'no-store')
  healthz(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get(healthRoutes.slice(2))
  @Header('cache-control', 'no-store')
  async readyz(@Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const { ready, reasons, notices } = await this.readiness.report();
    const more = notices.length > 0 ? { notices } : {};
    if (ready) return { status: 'ready', ...more };
    reply.code(503);
    return { status: 'not ready', reasons, ...more };
  }
}
