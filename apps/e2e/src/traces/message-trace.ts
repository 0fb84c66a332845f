/** A span as the control plane shows it, as far as the tests look into it. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string }[];
}

const hops: readonly { readonly what: string; readonly is: (span: Span) => boolean }[] = [
  { what: 'the webhook', is: ({ name }) => name.startsWith('POST /webhooks/') },
  { what: 'published', is: ({ name }) => name === 'send inbound-messages' },
  { what: 'received', is: ({ name }) => name === 'process inbound-messages.dispatcher' },
  { what: 'woken', is: ({ name }) => name === 'send conversation-wakes' },
  { what: 'the wake', is: ({ name }) => name === 'process conversation-wakes.dispatcher' },
  { what: 'the turn', is: isEndOfTurn },
  { what: 'the model', is: ({ name }) => name.startsWith('chat ') },
  { what: 'the reply', is: ({ name }) => name === 'reply.send' },
];

/** True for the span of a run that ended its turn. */
export function isEndOfTurn({ name, attributes }: Span): boolean {
  return name === 'turn' && attributes['rockpool.turn.outcome'] !== undefined;
}

/** What is missing of the trace of an answered event, among all spans that are kept of it; nothing when one trace leads from the webhook to the reply. */
export function missingIn(eventId: string, spans: readonly Span[]): string[] {
  const turn = spans.find((span) => isEndOfTurn(span) && span.attributes['rockpool.event.id'] === eventId);
  if (!turn) return ['the turn'];
  const trace = spans.filter(({ traceId }) => traceId === turn.traceId);
  const missing = hops.filter(({ is }) => !trace.some(is)).map(({ what }) => what);
  // One that another's wake drove is linked to that one; where its own drove it, the host was asked in this trace.
  const isDriven = turn.links.length > 0 || trace.some(({ name }) => name === 'POST /internal/conversations/drive');
  return isDriven ? missing : [...missing, 'the host'];
}

/** Spans of a trace whose parent is not there, beside the one that began it. */
export function strayIn(spans: readonly Span[]): Span[] {
  const known = new Set(spans.map(({ spanId }) => spanId));
  return spans.filter(({ name, parentSpanId }) =>
    parentSpanId === undefined ? !name.startsWith('POST /webhooks/') : !known.has(parentSpanId),
  );
}

/** Deliveries of the event that took place in another trace than its turn, and say nothing of that one. */
export function unlinkedIn(eventId: string, spans: readonly Span[]): Span[] {
  const turn = spans.find((span) => isEndOfTurn(span) && span.attributes['rockpool.event.id'] === eventId);
  return spans.filter(({ name, traceId, attributes, links }) => {
    const isDelivery = name === 'process inbound-messages.dispatcher' && attributes['rockpool.event.id'] === eventId;
    return isDelivery && turn !== undefined && traceId !== turn.traceId && !links.some((link) => link.traceId === turn.traceId);
  });
}
