import { SpanKind, SpanStatusCode, type Attributes, type HrTime } from '@opentelemetry/api';
import { ExportResultCode, type ExportResult } from '@opentelemetry/core';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { SpanExporter, SpanValue, StoredSpan } from '@rockpool/cloud';

const kinds: Readonly<Record<SpanKind, StoredSpan['kind']>> = {
  [SpanKind.INTERNAL]: 'internal',
  [SpanKind.SERVER]: 'server',
  [SpanKind.CLIENT]: 'client',
  [SpanKind.PRODUCER]: 'producer',
  [SpanKind.CONSUMER]: 'consumer',
};

const statusCodes: Readonly<Record<SpanStatusCode, StoredSpan['status']['code']>> = {
  [SpanStatusCode.UNSET]: 'unset',
  [SpanStatusCode.OK]: 'ok',
  [SpanStatusCode.ERROR]: 'error',
};

/** Hands the spans of the OpenTelemetry SDK to one of our exporters, in the plain shape that is kept and printed. */
export class StoredSpans {
  readonly #target: SpanExporter;

  constructor(target: SpanExporter) {
    this.#target = target;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#target.record(spans.map(storedSpan)).then(
      () => done({ code: ExportResultCode.SUCCESS }),
      (error: unknown) => done({ code: ExportResultCode.FAILED, error: error instanceof Error ? error : new Error(String(error)) }),
    );
  }

  /** Nothing: the SDK leaves this out when the last flush fails, so `startTracing` closes the exporter itself. */
  async shutdown(): Promise<void> {}
}

/** Shared by the spans that have none: nearly all, and they come by the ten thousand. */
const none: readonly never[] = Object.freeze([]);
const unset = Object.freeze({ code: 'unset' });

function storedSpan(span: ReadableSpan): StoredSpan {
  const { traceId, spanId } = span.spanContext();
  const { code, message } = span.status;
  return {
    traceId,
    spanId,
    parentSpanId: span.parentSpanContext?.spanId,
    name: span.name,
    kind: kinds[span.kind],
    service: String(span.resource.attributes['service.name'] ?? 'rockpool'),
    startMs: milliseconds(span.startTime),
    durationMs: milliseconds(span.duration),
    status: code === SpanStatusCode.UNSET ? unset : { code: statusCodes[code], message },
    attributes: values(span.attributes),
    links: span.links.length === 0 ? none : span.links.map(({ context }) => ({ traceId: context.traceId, spanId: context.spanId })),
    events:
      span.events.length === 0
        ? none
        : span.events.map((event) => ({ name: event.name, atMs: milliseconds(event.time), attributes: values(event.attributes ?? {}) })),
  };
}

function milliseconds([seconds, nanoseconds]: HrTime): number {
  return seconds * 1_000 + nanoseconds / 1_000_000;
}

/** The API's attribute values include `undefined` and arrays with holes, which the SDK has dropped by now. */
function values(attributes: Attributes): Readonly<Record<string, SpanValue>> {
  return attributes as Readonly<Record<string, SpanValue>>;
}
