import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { isRockpoolError, problemOf, RockpoolError, type ErrorCode, type Problem } from '@rockpool/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { throwError, type Observable } from 'rxjs';
import type { Logger } from './log.js';
import { spanOf } from './request-span.js';

const codesByStatus: Readonly<Record<number, ErrorCode>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
  413: 'too_large',
  429: 'rate_limited',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
};

/** Seconds a sender should wait when nobody said how long. */
const defaultRetryAfterSeconds = 2;

/**
 * The one translation of errors to HTTP: an RFC 9457 `application/problem+json` body with our stable code, `Retry-After` where waiting helps, and nothing of the inside.
 * Faults of ours are logged here, once; the caller gets the trace id to quote. For events it re-throws, so that the transport sees the error itself.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  catch(error: unknown, host: ArgumentsHost): Observable<never> | void {
    if (host.getType() !== 'http') return throwError(() => error);
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const problem = httpProblemOf(error);
    const traceId = spanOf(request)?.spanContext().traceId;
    this.#logOnce(error, problem, { method: request.method, route: request.routeOptions?.url, status: problem.status, traceId });
    if (reply.sent || reply.raw.headersSent) {
      // The answer is half out: cutting the connection is the only way left to say that it is not whole.
      reply.raw.destroy();
      return;
    }
    sendProblem(reply, error, problem.status >= 500 && traceId !== undefined ? { ...problem, traceId } : problem);
  }

  #logOnce(error: unknown, problem: Problem, fields: object): void {
    if (problem.status === 500) this.#log.error({ ...fields, error }, 'request failed');
    else if (problem.status > 500) this.#log.warn({ ...fields, code: problem.code, reason: problem.detail }, 'request could not be served');
    else this.#log.debug({ ...fields, code: problem.code, reason: problem.detail }, 'request refused');
  }
}

/** Answers what Fastify refuses before any route or hook is reached: a path that is no URL. */
export function refuseUnroutable(error: Error, reply: FastifyReply): void {
  sendProblem(reply, error, httpProblemOf(error));
}

function sendProblem(reply: FastifyReply, error: unknown, problem: Problem & { traceId?: string }): void {
  const retryAfter = retryAfterSeconds(error, problem);
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter));
  // Bytes, because Fastify adds a charset to text, and this media type has none.
  reply
    .code(problem.status)
    .header('content-type', 'application/problem+json')
    .send(Buffer.from(JSON.stringify(problem)));
}

/** Our own errors as the contracts say; Nest's and Fastify's (no such route, body too large, not JSON …) keep their status and get the nearest code. */
function httpProblemOf(error: unknown): Problem {
  const status = isRockpoolError(error) ? undefined : refusalStatus(error);
  if (status === undefined) return problemOf(error);
  const code = codesByStatus[status] ?? 'invalid';
  return { ...problemOf(new RockpoolError(code, (error as Error).message)), status };
}

function refusalStatus(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus() === 500 ? undefined : error.getStatus();
  const { name, statusCode } = (error ?? {}) as { name?: unknown; statusCode?: unknown };
  return name === 'FastifyError' && typeof statusCode === 'number' && statusCode < 500 ? statusCode : undefined;
}

function retryAfterSeconds(error: unknown, problem: Problem): number | undefined {
  const { afterMs } = (isRockpoolError(error) ? error : {}) as { afterMs?: unknown };
  if (typeof afterMs === 'number') return Math.max(1, Math.ceil(afterMs / 1_000));
  return problem.status === 429 || problem.status === 503 ? defaultRetryAfterSeconds : undefined;
}
