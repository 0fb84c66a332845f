import { context, propagation, ROOT_CONTEXT, SpanStatusCode, trace, type Context, type Span, type SpanOptions } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { parseKeyPairsIntoRecord, setGlobalErrorHandler, W3CTraceContextPropagator } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  SamplingDecision,
  TracerProvider,
  type ReadableSpan,
  type Sampler,
  type Span as SdkSpan,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import type { SpanExporter } from '@rockpool/cloud';
import { codeOf } from '@rockpool/contracts';
import { StoredSpans } from './stored-spans.js';

export interface TracingOptions {
  readonly serviceName: string;
  /** Every finished span goes to each of them. */
  readonly exporters?: readonly SpanExporter[];
  /** Base URL of an OTLP/HTTP collector; spans are posted to `<endpoint>/v1/traces`. */
  readonly otlpEndpoint?: string;
  /** `name=value,name=value`, values percent-encoded, as in OTEL_EXPORTER_OTLP_HEADERS. */
  readonly otlpHeaders?: string;
  /** Told when spans could not be delivered; at most once a minute. */
  readonly onError?: (error: unknown) => void;
}

export interface Tracing {
  /** Resolves when every span that has ended was handed to the exporters. */
  flush(): Promise<void>;
  /** Flushes, then closes the exporters. Never rejects: what cannot be delivered is reported to `onError`. */
  shutdown(): Promise<void>;
}

/** At 10,000 spans a second this is 1.6 s of them; when an exporter is slower than that, spans are dropped rather than memory filled. */
const maxQueuedSpans = 16_384;
const batchSpans = 256;
const batchDelayMs = 300;

const tracer = trace.getTracer('rockpool');

/**
 * Begins to record spans. OpenTelemetry keeps one tracer provider a process: a second call (several services in one process) adds its exporters to the first, and
 * spans then carry the first one's service name.
 */
export async function startTracing(options: TracingOptions): Promise<Tracing> {
  const report = atMostOnceAMinute(options.onError);
  setGlobalErrorHandler((error) => report?.(error));
  const mine: SpanProcessor[] = (options.exporters ?? []).map(
    (exporter) => new StoredSpans(exporter, maxQueuedSpans, (error) => report?.(error)),
  );
  if (options.otlpEndpoint !== undefined) {
    // Loaded only when it is used: it costs as much start-up time as everything else here together.
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
    const headers = parseKeyPairsIntoRecord(options.otlpHeaders);
    mine.push(batched(new OTLPTraceExporter({ url: `${options.otlpEndpoint}/v1/traces`, headers })));
  }
  install(options.serviceName);
  for (const processor of mine) processors.add(processor);
  return {
    async flush() {
      await settle(mine.map((processor) => processor.forceFlush()));
    },
    async shutdown() {
      for (const processor of mine) processors.delete(processor);
      await settle(mine.map((processor) => processor.shutdown()));
      await settle((options.exporters ?? []).map((exporter) => exporter.close()));
    },
  };

  async function settle(work: Promise<void>[]): Promise<void> {
    for (const outcome of await Promise.allSettled(work)) if (outcome.status === 'rejected') report?.(outcome.reason);
  }
}

/**
 * Runs `work` in a span that ends with it. A rejection marks the span with the error's stable code, never with its words, which may quote what a person wrote.
 * `options.parent` replaces the active context.
 */
export async function withSpan<Result>(
  name: string,
  options: SpanOptions & { parent?: Context },
  work: (span: Span) => Promise<Result> | Result,
): Promise<Result> {
  const parent = options.parent ?? context.active();
  const span = tracer.startSpan(name, options, parent);
  try {
    return await context.with(trace.setSpan(parent, span), work, undefined, span);
  } catch (error) {
    failSpan(span, error);
    throw error;
  } finally {
    span.end();
  }
}

/** Marks a span as failed by the error's stable code. */
export function failSpan(span: Span, error: unknown): void {
  const code = codeOf(error);
  span.setAttribute('error.type', code);
  span.setStatus({ code: SpanStatusCode.ERROR, message: code });
}

/** Writes the active span's W3C `traceparent` into message attributes or HTTP headers. */
export function injectContext(carrier: Record<string, string>): void {
  propagation.inject(context.active(), carrier);
}

/** The context that {@link injectContext} wrote, to be given as `parent`. Only for carriers that come from us: a stranger could name any trace. */
export function extractContext(carrier: Readonly<Record<string, unknown>>): Context {
  return propagation.extract(ROOT_CONTEXT, carrier);
}

/** Installed once a process, and never taken out: libraries keep the tracers they were given. */
const processors = new Set<SpanProcessor>();
let installed = false;

function install(serviceName: string): void {
  if (installed) return;
  installed = true;
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(
    new TracerProvider({ resource: resourceFromAttributes({ 'service.name': serviceName }), sampler, spanProcessors: [toEveryProcessor] }),
  );
}

const byParent = new ParentBasedSampler({ root: new AlwaysOnSampler() });

/** Records nothing while nobody listens. */
const sampler: Sampler = {
  shouldSample: (...question) => (processors.size === 0 ? { decision: SamplingDecision.NOT_RECORD } : byParent.shouldSample(...question)),
  toString: () => 'RecordWhileSomebodyListens',
};

const toEveryProcessor: SpanProcessor = {
  onStart(span: SdkSpan, parent: Context) {
    for (const processor of processors) processor.onStart(span, parent);
  },
  onEnd(span: ReadableSpan) {
    for (const processor of processors) processor.onEnd(span);
  },
  async forceFlush() {
    await Promise.all([...processors].map((processor) => processor.forceFlush()));
  },
  async shutdown() {
    await Promise.all([...processors].map((processor) => processor.shutdown()));
  },
};

function batched(exporter: ConstructorParameters<typeof BatchSpanProcessor>[0]['exporter']): SpanProcessor {
  return new BatchSpanProcessor({
    exporter,
    maxQueueSize: maxQueuedSpans,
    maxExportBatchSize: batchSpans,
    scheduledDelayMillis: batchDelayMs,
    exportTimeoutMillis: 10_000,
  });
}

function atMostOnceAMinute(report: ((error: unknown) => void) | undefined): ((error: unknown) => void) | undefined {
  let silentUntil = 0;
  return (
    report &&
    ((error) => {
      if (Date.now() < silentUntil) return;
      silentUntil = Date.now() + 60_000;
      report(error);
    })
  );
}
