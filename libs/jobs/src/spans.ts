import { context, propagation, SpanStatusCode, trace, type Attributes, type Context, type Link } from '@opentelemetry/api';
import { codeOf } from '@rockpool/contracts';

const tracer = trace.getTracer('rockpool.jobs');

/** Runs `work` in a span that ends with it; a rejection is recorded by its code, never by content. */
export async function inSpan<Result>(
  name: string,
  attributes: Attributes,
  work: () => Promise<Result>,
  within: { parent: Context; links?: Link[] } = { parent: context.active() },
): Promise<Result> {
  return tracer.startActiveSpan(name, { attributes, ...(within.links && { links: within.links }) }, within.parent, async (span) => {
    try {
      return await work();
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: codeOf(error) });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Where a slice hangs: in the trace of what started its job, linked to the task that runs it when that has another. */
export function startedBy(traceparent: string | undefined): { parent: Context; links?: Link[] } {
  const active = trace.getSpanContext(context.active());
  if (!traceparent || (active && traceparent.includes(active.traceId))) return { parent: context.active() };
  return {
    parent: propagation.extract(context.active(), { traceparent }),
    ...(active && { links: [{ context: active }] }),
  };
}
