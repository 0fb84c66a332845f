import type { StoredSpan } from '@rockpool/cloud';

/** A span without the names of its members, which would be half of what is written. What is usually empty comes last and is left out. */
export type PackedSpan = [
  traceId: string,
  spanId: string,
  parentSpanId: string,
  name: string,
  kind: StoredSpan['kind'],
  service: string,
  startMs: number,
  durationMs: number,
  attributes: StoredSpan['attributes'],
  status?: StoredSpan['status'] | 0,
  links?: StoredSpan['links'],
  events?: StoredSpan['events'],
];

export function pack(span: StoredSpan): PackedSpan {
  const { traceId, spanId, parentSpanId = '', name, kind, service, startMs, durationMs, attributes, status, links, events } = span;
  const packed: PackedSpan = [
    traceId,
    spanId,
    parentSpanId,
    name,
    kind,
    service,
    microseconds(startMs),
    microseconds(durationMs),
    attributes,
  ];
  if (status.code !== 'unset' || links.length > 0 || events.length > 0) packed.push(status.code === 'unset' ? 0 : status, links, events);
  return packed;
}

export function unpack(packed: PackedSpan): StoredSpan {
  const [traceId, spanId, parentSpanId, name, kind, service, startMs, durationMs, attributes, status, links = [], events = []] = packed;
  return {
    traceId,
    spanId,
    ...(parentSpanId !== '' && { parentSpanId }),
    name,
    kind,
    service,
    startMs,
    durationMs,
    status: status || { code: 'unset' },
    attributes,
    links,
    events,
  };
}

function microseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1_000) / 1_000;
}
