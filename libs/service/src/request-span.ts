import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Span } from '@opentelemetry/api';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { healthRoutes } from './health.controller.js';
import { pushPrefix } from './push.controller.js';
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
/** Health is asked after all the time; what the bus pushes has its span where it is handled, in the trace it was published in. */
const untraced = new Set<string>([...healthRoutes, `${pushPrefix}:subscription`]);

/** What strangers are answered whom nobody lets in: not proven, too large, too many. */
const refusals = new Set([401, 413, 429]);
const refusalsRecordedAMinute = 60;

/** The server span of a request; absent for health checks and for paths that no route matches. */
export function spanOf(request: FastifyRequest): Span | undefined {
  return (request as Traced)[spanKey];
}

/**
 * One server span a request, without patching anything. Only requests to `/internal/` continue the trace they name; when such a request turns out not to be
 * authenticated, its span is dropped and the refusal recorded in a trace of its own. Everybody else's `traceparent` is ignored: strangers do not choose our trace ids.
 *
 * Of requests that were refused as a stranger's, 60 a minute are recorded. Traces are kept up to a number, and a flood would leave none of anything else.
 */
export function traceRequests(server: FastifyInstance, now: () => number = Date.now): void {
  const refused = new Quota(refusalsRecordedAMinute, 60_000, now);
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
    // A span that is never ended is never recorded.
    if (span && (!refusals.has(reply.statusCode) || refused.take()))
      endSpan(refusedBeforeTrust(request, reply.statusCode) ? rootSpanInstead(request) : span, reply.statusCode);
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

/** So many in each span of time that begins with the first of them. */
class Quota {
  #left = 0;
  #until = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly count: number,
    private readonly everyMs: number,
    private readonly now: () => number,
  ) {}

  /** False when there are none left. */
  take(): boolean {
    const now = this.now();
    if (now >= this.#until) {
      this.#until = now + this.everyMs;
      this.#left = this.count;
    }
    return this.#left-- > 0;
  }
}
