import { isEndOfTurn, type Span } from './message-trace.js';

type Hop = { readonly what: string; readonly is: (span: Span, trace: readonly Span[]) => boolean };

/** From the message that starts a job to the result at the channel; the message's own way there is in `missingIn`. */
function hopsOf(eventId: string): readonly Hop[] {
  const isOfJob = ({ attributes }: Span) => attributes['rockpool.job.id'] === eventId;
  const isAnnouncement = (span: Span) => {
    const event = String(span.attributes['rockpool.event.id']);
    return isEndOfTurn(span) && event.startsWith('job:') && event.includes('ended');
  };
  return [
    { what: 'the webhook', is: ({ name }) => name.startsWith('POST /webhooks/') },
    { what: 'the turn', is: (span) => isEndOfTurn(span) && span.attributes['rockpool.event.id'] === eventId },
    { what: 'the promotion', is: (span) => span.name === 'job promote' && isOfJob(span) },
    { what: 'the task', is: ({ name }) => name === 'POST /internal/jobs/run' },
    { what: 'a slice', is: (span) => span.name === 'job slice' && isOfJob(span) },
    { what: 'a step', is: (span) => span.name === 'job step' && isOfJob(span) },
    { what: 'the announcement', is: isAnnouncement },
    { what: 'its send', is: (span, trace) => span.name === 'reply.send' && isBelow(span, isAnnouncement, trace) },
  ];
}

/** What is missing of the trace of a message that started a job, among all spans that are kept of it; nothing when one trace leads from the webhook to the result. */
export function missingInJob(eventId: string, spans: readonly Span[]): string[] {
  const promotion = spans.find((span) => span.name === 'job promote' && span.attributes['rockpool.event.id'] === eventId);
  if (!promotion) return ['the promotion'];
  const trace = spans.filter(({ traceId }) => traceId === promotion.traceId);
  return hopsOf(eventId)
    .filter(({ is }) => !trace.some((span) => is(span, trace)))
    .map(({ what }) => what);
}

/** Slices of the job that ran in another trace and say nothing of the one that started it. */
export function unlinkedSlices(eventId: string, spans: readonly Span[]): Span[] {
  const promotion = spans.find((span) => span.name === 'job promote' && span.attributes['rockpool.event.id'] === eventId);
  return spans.filter(
    ({ name, attributes, traceId, links }) =>
      name === 'job slice' &&
      String(attributes['rockpool.job.id']).startsWith(eventId) &&
      traceId !== promotion?.traceId &&
      !links.some((link) => link.traceId === promotion?.traceId),
  );
}

function isBelow(span: Span, is: (above: Span) => boolean, trace: readonly Span[]): boolean {
  for (let above = parentOf(span, trace); above; above = parentOf(above, trace)) if (is(above)) return true;
  return false;
}

function parentOf({ parentSpanId }: Span, trace: readonly Span[]): Span | undefined {
  return parentSpanId === undefined ? undefined : trace.find(({ spanId }) => spanId === parentSpanId);
}
