import type { IncomingMessage } from 'node:http';
import { UnsupportedMediaTypeException } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { RetryLater } from '@rockpool/contracts';
import { LogController, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { BodyReader } from './body-reader.js';
import { healthRoutes } from './health.controller.js';
import { refuseUnroutable } from './problem.filter.js';
import { pushPrefix } from './push.controller.js';
import type { Readiness } from './readiness.js';
import { traceRequests } from './request-span.js';

/** Routes below these get the exact bytes of the body, whatever its content type: a signature is over bytes, and a bus reads its own format. */
const exactBytesPrefixes = ['/webhooks/', pushPrefix];
/** A message on the bus is an event with what a sender wrote, in base64. */
const pushLimitBytes = 4 * 1024 * 1024;
const defaultBodyLimitBytes = 1024 * 1024;

/** How long a sender may take, in milliseconds. Connections are looked at every `checkEveryMs`, so each may live that much longer. */
export interface SenderPatience {
  readonly headersMs: number;
  readonly requestMs: number;
  readonly checkEveryMs: number;
}

/** At most 15 s for the headers and 30 s for all of a request, the time between two looks included. */
export const defaultPatience: SenderPatience = { headersMs: 13_000, requestMs: 28_000, checkEveryMs: 2_000 };

/**
 * The HTTP server every app uses.
 *
 * - Below `/webhooks/` and `/pubsub/`, `request.body` is a Buffer with the bytes as they came, never decompressed. Everywhere else it is parsed JSON, and any other content type
 *   is refused with 415.
 * - Bodies are read into bounded memory ({@link BodyReader}), up to the limit of their route. A route that raises its limit has to know its sender before
 *   the body is read: in an `onRequest` hook of its own.
 * - Slow senders are cut off: 15 s for the headers, also of a connection that says nothing at all, 30 s for the whole request. How long an answer takes is not
 *   limited.
 * - Addresses come from the connection: `X-Forwarded-*` is not believed. Every value of a repeated header is in `request.raw.rawHeaders`.
 */
export function createHttpAdapter(
  readiness: Readiness,
  options: { bodyLimitBytes?: number; senderPatience?: SenderPatience } = {},
): FastifyAdapter {
  const { headersMs, requestMs, checkEveryMs } = options.senderPatience ?? defaultPatience;
  const bodyLimitBytes = options.bodyLimitBytes ?? defaultBodyLimitBytes;
  const adapter = new FastifyAdapter({
    bodyLimit: bodyLimitBytes,
    requestTimeout: requestMs,
    http: { headersTimeout: headersMs, connectionsCheckingInterval: checkEveryMs },
    trustProxy: false,
    logController: new LogController({ disableRequestLogging: true }),
    // Conversation and event ids are path parameters, and may be 600 characters before they are escaped.
    routerOptions: { maxParamLength: 2_000 },
    // No Nest middleware is used, so its engine need not run for every request.
    skipMiddie: true,
    // Requests are validated by zod. Without these, Fastify loads a JSON schema compiler of 230 modules at every start.
    schemaController: { compilersFactory: { buildValidator: noFastifySchemas, buildSerializer: noFastifySchemas } },
    frameworkErrors: (error: Error, _request: FastifyRequest, reply: FastifyReply) => refuseUnroutable(error, reply),
  });
  const server = adapter.getInstance() as unknown as FastifyInstance;
  refuseWhileStopping(server, readiness);
  traceRequests(server);
  parseBodies(server, bodyLimitBytes);
  server.addHook('onRoute', (route) => {
    if (route.url.startsWith(pushPrefix)) route.bodyLimit = pushLimitBytes;
  });
  return adapter;
}

function noFastifySchemas(): never {
  throw new Error('a route declares a Fastify schema; requests are validated by zod');
}

function refuseWhileStopping(server: FastifyInstance, readiness: Readiness): void {
  server.addHook('onRequest', (request, reply, done) => {
    if (!readiness.stopping || healthRoutes.some((route) => route === request.routeOptions.url)) return done();
    reply.header('connection', 'close');
    done(new RetryLater(1_000, 'this instance is shutting down; another one, or the next, takes it'));
  });
}

function parseBodies(server: FastifyInstance, bodyLimitBytes: number): void {
  const parseJson = server.getDefaultJsonParser('error', 'error') as (
    request: FastifyRequest,
    body: string,
    done: (error: Error | null, value?: unknown) => void,
  ) => void;
  const reader = new BodyReader();
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', async (request: FastifyRequest, payload: IncomingMessage) => {
    const { url = '', bodyLimit } = request.routeOptions;
    const body = await reader.read(payload, {
      limitBytes: bodyLimit,
      declaredBytes: Number(request.headers['content-length'] ?? 0),
      // Who pushes is known once the push is read.
      known: bodyLimit > bodyLimitBytes && !url.startsWith(pushPrefix),
    });
    if (exactBytesPrefixes.some((prefix) => url.startsWith(prefix))) return body;
    const type = (request.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
    const encoding = request.headers['content-encoding'];
    if (body.length === 0 && type === '') return undefined;
    if (type !== 'application/json' || (encoding !== undefined && encoding !== 'identity')) {
      throw new UnsupportedMediaTypeException('the body has to be application/json, not compressed');
    }
    return new Promise((resolve, reject) =>
      parseJson(request, body.toString('utf8'), (error, value) => (error ? reject(error) : resolve(value))),
    );
  });
}
