import { SpanKind, SpanStatusCode, TraceFlags, type Attributes, type HrTime } from '@opentelemetry/api';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
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

/**
 * Hands each span that ended to one of our exporters at once, in the plain shape that is kept and printed. The exporter gathers: what it has been given by the time a
 * process is killed it may still have written, what waits here is lost. When it is behind by `mostWaiting` spans, further ones are dropped.
 */
export class StoredSpans implements SpanProcessor {
  readonly #target: SpanExporter;
  readonly #mostWaiting: number;
  readonly #onError: (error: unknown) => void;
  #waiting = 0;
  #latest: Promise<void> = Promise.resolve();

  constructor(target: SpanExporter, mostWaiting: number, onError: (error: unknown) => void) {
    this.#target = target;
    this.#mostWaiting = mostWaiting;
    this.#onError = onError;
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
    if (this.#waiting >= this.#mostWaiting) return this.#onError(new Error('the exporter is behind: spans are dropped'));
    this.#waiting += 1;
    const before = this.#latest;
    const recorded = this.#target.record([storedSpan(span)]).catch(this.#onError);
    this.#latest = recorded.then(() => {
      this.#waiting -= 1;
      return before;
    });
  }

  /** Resolves when every span that has ended was recorded, or reported as not. */
  async forceFlush(): Promise<void> {
    await this.#latest;
  }

  /** The exporter stays open: it is its owner's. */
  async shutdown(): Promise<void> {
    await this.forceFlush();
  }
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
