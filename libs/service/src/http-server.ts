import { UnsupportedMediaTypeException } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { RetryLater } from '@rockpool/contracts';
import { LogController, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { refuseUnroutable } from './problem.filter.js';
import type { Readiness } from './readiness.js';
import { traceRequests } from './request-span.js';

/** Routes below it get the exact bytes of the body, whatever its content type: a signature is over bytes. */
const exactBytesPrefix = '/webhooks/';
const defaultBodyLimitBytes = 1024 * 1024;

/**
 * The HTTP server every app uses.
 *
 * - Below `/webhooks/`, `request.body` is a Buffer with the bytes as they came, never decompressed. Everywhere else it is parsed JSON, and any other content type
 *   is refused with 415.
 * - Slow senders are cut off: 15 s for the headers, 30 s for the whole request. How long an answer takes is not limited.
 * - Addresses come from the connection: `X-Forwarded-*` is not believed. Every value of a repeated header is in `request.raw.rawHeaders`.
 */
export function createHttpAdapter(readiness: Readiness, options: { bodyLimitBytes?: number } = {}): FastifyAdapter {
  const adapter = new FastifyAdapter({
    bodyLimit: options.bodyLimitBytes ?? defaultBodyLimitBytes,
    requestTimeout: 30_000,
    http: { headersTimeout: 15_000, connectionsCheckingInterval: 5_000 },
    trustProxy: false,
    logController: new LogController({ disableRequestLogging: true }),
    // Conversation and event ids are path parameters, and may be 600 characters before they are escaped.
    routerOptions: { maxParamLength: 2_000 },
    // No Nest middleware is used, so its engine need not run for every request.
    skipMiddie: true,
    frameworkErrors: (error: Error, _request: FastifyRequest, reply: FastifyReply) => refuseUnroutable(error, reply),
  });
  const server = adapter.getInstance() as unknown as FastifyInstance;
  refuseWhileStopping(server, readiness);
  traceRequests(server);
  parseBodies(server);
  return adapter;
}

function refuseWhileStopping(server: FastifyInstance, readiness: Readiness): void {
  server.addHook('onRequest', (request, reply, done) => {
    if (!readiness.stopping || request.routeOptions.url === '/healthz' || request.routeOptions.url === '/readyz') return done();
    reply.header('connection', 'close');
    done(new RetryLater(1_000, 'this instance is shutting down; another one, or the next, takes it'));
  });
}

function parseBodies(server: FastifyInstance): void {
  const parseJson = server.getDefaultJsonParser('error', 'error');
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (request.routeOptions.url?.startsWith(exactBytesPrefix)) return done(null, body);
    const type = (request.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
    const encoding = request.headers['content-encoding'];
    if (body.length === 0 && type === '') return done(null, undefined);
    if (type !== 'application/json' || (encoding !== undefined && encoding !== 'identity')) {
      return done(new UnsupportedMediaTypeException('the body has to be application/json, not compressed'));
    }
    parseJson(request, body.toString('utf8'), done);
  });
}
