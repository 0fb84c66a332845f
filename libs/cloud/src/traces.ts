/** Values a span attribute may have. */
export type SpanValue = string | number | boolean | readonly (string | number | boolean)[];

/** One finished span, as it is kept and printed. Ids are lower-case hex as in W3C Trace Context. */
export interface StoredSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Absent on the first span of a trace. The parent itself may be missing: it is still running, or was dropped. */
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  /** Name of the service that made it. */
  readonly service: string;
  /** Milliseconds since 1970, with fraction. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly status: { readonly code: 'unset' | 'ok' | 'error'; readonly message?: string };
  readonly attributes: Readonly<Record<string, SpanValue>>;
  /** Other traces this span has to do with: the second message that one turn answered. */
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly events: readonly { readonly name: string; readonly atMs: number; readonly attributes: Readonly<Record<string, SpanValue>> }[];
}

/** Where finished spans go. `record` is called in batches off the hot path; a failure loses those spans and nothing else. */
export interface SpanExporter {
  record(spans: readonly StoredSpan[]): Promise<void>;
  close(): Promise<void>;
}

/** Reads traces back. */
export abstract class TraceReader {
  /**
   * Every kept span of the traces that `id` names, and of the traces linked to them, ordered by start. `id` is a trace id, or the value of the
   * attribute `rockpool.event.id` or `rockpool.turn.id` of any span in them. Empty when nothing is known (any more).
   */
  abstract find(id: string): Promise<StoredSpan[]>;
}
