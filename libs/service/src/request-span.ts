import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Span } from '@opentelemetry/api';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { extractContext } from './tracing.js';

const tracer = trace.getTracer('rockpool');
const spanKey = Symbol('rockpool.request-span');
const startKey = Symbol('rockpool.request-start');

interface Traced {
  [spanKey]?: Span;
  [startKey]?: Date;
}

/** Routes whose callers are our own services and prove it with a token. */
const internalPrefix = '/internal/';
const untraced = new Set(['/healthz', '/readyz']);

/** The server span of a request; absent for health checks and for paths that no route matches. */
export function spanOf(request: FastifyRequest): Span | undefined {
  return (request as Traced)[spanKey];
}

/**
 * One server span a request, without patching anything. Only requests to `/internal/` continue the trace they name; when such a request turns out not to be
 * authenticated, its span is dropped and the refusal recorded in a trace of its own. Everybody else's `traceparent` is ignored: strangers do not choose our trace ids.
 */
export function traceRequests(server: FastifyInstance): void {
  server.decorateRequest(spanKey as never, undefined as never);
  server.decorateRequest(startKey as never, undefined as never);

  server.addHook('onRequest', (request, _reply, done) => {
    const route = request.routeOptions.url;
    if (route !== undefined && !untraced.has(route)) {
      const internal = route.startsWith(internalPrefix);
      if (internal) (request as Traced)[startKey] = new Date();
      const parent = internal ? extractContext(request.headers) : ROOT_CONTEXT;
      (request as Traced)[spanKey] = tracer.startSpan(`${request.method} ${route}`, spanOptions(request, route), parent);
    }
    done();
  });

  // Only here, because reading the body leaves the asynchronous context that was active before it.
  server.addHook('preHandler', (request, _reply, done) => {
    const span = spanOf(request);
    if (span) context.with(trace.setSpan(ROOT_CONTEXT, span), done);
    else done();
  });

  server.addHook('onResponse', (request, reply, done) => {
    const span = spanOf(request);
    if (span) endSpan(refusedBeforeTrust(request, reply.statusCode) ? rootSpanInstead(request) : span, reply.statusCode);
    done();
  });
}

function spanOptions(request: FastifyRequest, route: string) {
  return { kind: SpanKind.SERVER, attributes: { 'http.request.method': request.method, 'http.route': route } };
}

function refusedBeforeTrust(request: FastifyRequest, status: number): boolean {
  return (request as Traced)[startKey] !== undefined && status === 401;
}

function rootSpanInstead(request: FastifyRequest): Span {
  const route = request.routeOptions.url ?? '';
  const startTime = (request as Traced)[startKey];
  return tracer.startSpan(`${request.method} ${route}`, { ...spanOptions(request, route), ...(startTime && { startTime }) }, ROOT_CONTEXT);
}

function endSpan(span: Span, status: number): void {
  span.setAttribute('http.response.status_code', status);
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}
