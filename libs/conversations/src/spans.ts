import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Link,
} from '@opentelemetry/api';
import { codeOf, type TenantId } from '@rockpool/contracts';

const tracer = trace.getTracer('rockpool.conversations');

/** Runs `work` in a span that ends with it; a rejection is recorded by its code, never by content. */
export async function inSpan<Result>(
  name: string,
  attributes: Attributes,
  work: (setAttributes: (more: Attributes) => void) => Promise<Result>,
  options: { parent?: Context; links?: Link[]; kind?: SpanKind } = {},
): Promise<Result> {
  const { parent = context.active(), links, kind } = options;
  return tracer.startActiveSpan(
    name,
    { attributes, ...(links && { links }), ...(kind !== undefined && { kind }) },
    parent,
    async (span) => {
      try {
        return await work((more) => span.setAttributes(more));
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: codeOf(error) });
        throw error;
      } finally {
        span.end();
      }
    },
  );
}

/** Says on the active span whose message this turned out to be: one on a shared account arrives without a tenant. */
export function markTenant(tenantId: TenantId): void {
  trace.getActiveSpan()?.setAttribute('rockpool.tenant.id', tenantId);
}

/** Links the active span to the trace in which an earlier delivery of the same event took its place. */
export function linkToTrace(traceparent: string | undefined): void {
  const active = trace.getActiveSpan();
  const earlier = traceparent && trace.getSpanContext(propagation.extract(ROOT_CONTEXT, { traceparent }));
  if (active && earlier && earlier.traceId !== active.spanContext().traceId) active.addLink({ context: earlier });
}

/** The W3C `traceparent` of the active span, or `undefined` outside any. */
export function currentTraceparent(): string | undefined {
  const carrier: { traceparent?: string } = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent;
}

/**
 * Where a turn's span hangs: below the active span when that belongs to the message's own trace, else below the webhook's span, linked to the
 * active one (the delivery of another message drives it). `others` are the trace contexts of messages that it answers too: linked.
 */
export function turnParent(
  traceparent: string | undefined,
  others: readonly (string | undefined)[] = [],
): { parent: Context; links?: Link[] } {
  const active = trace.getSpanContext(context.active());
  const contextOf = (value: string) => propagation.extract(context.active(), { traceparent: value });
  const linked = others.map((other) => other && trace.getSpanContext(contextOf(other)));
  const isOwn = !traceparent || (active && traceparent.includes(active.traceId));
  const links = [...(isOwn ? [] : [active]), ...linked].flatMap((to) => (to ? [{ context: to }] : []));
  return { parent: isOwn ? context.active() : contextOf(traceparent), ...(links.length > 0 && { links }) };
}
