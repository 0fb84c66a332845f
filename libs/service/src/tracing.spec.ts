import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SpanKind, trace } from '@opentelemetry/api';
import type { SpanExporter, StoredSpan } from '@rockpool/cloud';
import { RetryLater } from '@rockpool/contracts';
import { afterEach, describe, expect, it } from '@jest/globals';
import { extractContext, injectContext, startTracing, withSpan, type Tracing, type TracingOptions } from './tracing.js';

class Spans implements SpanExporter {
  readonly all: StoredSpan[] = [];
  closed = false;
  async record(spans: readonly StoredSpan[]): Promise<void> {
    this.all.push(...spans);
  }
  async close(): Promise<void> {
    this.closed = true;
  }
}

let running: Tracing[] = [];
async function start(options: Partial<TracingOptions>): Promise<Tracing> {
  const tracing = await startTracing({ serviceName: 'probe', ...options });
  running.push(tracing);
  return tracing;
}
afterEach(async () => {
  await Promise.all(running.map((tracing) => tracing.shutdown()));
  running = [];
});

const activeTrace = () => trace.getActiveSpan()?.spanContext().traceId;

describe('a span', () => {
  it('is handed on with its parent, times, attributes, links and events', async () => {
    const spans = new Spans();
    const tracing = await start({ exporters: [spans] });
    const before = Date.now();
    await withSpan('outer', { kind: SpanKind.CLIENT, attributes: { 'rockpool.tenant.id': 'alice' } }, async (outer) => {
      const links = [{ context: outer.spanContext() }];
      await withSpan('inner', { links }, (inner) => void inner.addEvent('placed', { chunk: 1 }));
    });
    await tracing.flush();
    const [inner, outer] = spans.all;
    expect(outer).toMatchObject({
      name: 'outer',
      kind: 'client',
      service: 'probe',
      status: { code: 'unset' },
      attributes: { 'rockpool.tenant.id': 'alice' },
    });
    expect(outer!.parentSpanId).toBeUndefined();
    expect(outer!.startMs).toBeGreaterThanOrEqual(before - 1);
    expect(outer!.durationMs).toBeGreaterThanOrEqual(inner!.durationMs);
    expect(inner).toMatchObject({
      traceId: outer!.traceId,
      parentSpanId: outer!.spanId,
      links: [{ traceId: outer!.traceId, spanId: outer!.spanId }],
      events: [{ name: 'placed', atMs: expect.any(Number), attributes: { chunk: 1 } }],
    });
  });

  it('of work that fails has the code of the error and none of its words', async () => {
    const spans = new Spans();
    const tracing = await start({ exporters: [spans] });
    const failing = withSpan('push', {}, () => Promise.reject(new RetryLater(10, 'alice wrote: my password is hunter2')));
    await expect(failing).rejects.toThrow('hunter2');
    await tracing.flush();
    expect(spans.all[0]).toMatchObject({ status: { code: 'error', message: 'unavailable' }, attributes: { 'error.type': 'unavailable' } });
    expect(JSON.stringify(spans.all)).not.toContain('hunter2');
  });

  it('stays active over awaited work, beside other work', async () => {
    await start({ exporters: [new Spans()] });
    const seen = await Promise.all(
      ['a', 'b'].map((name) =>
        withSpan(name, {}, async (span) => {
          await new Promise((resolve) => setImmediate(resolve));
          return [activeTrace(), span.spanContext().traceId];
        }),
      ),
    );
    for (const [active, own] of seen) expect(active).toBe(own);
    expect(seen[0]![0]).not.toBe(seen[1]![0]);
  });

  it('is not recorded while nobody listens', async () => {
    const tracing = await start({ exporters: [new Spans()] });
    await tracing.shutdown();
    await withSpan('unheard', {}, (span) => expect(span.isRecording()).toBe(false));
  });
});

describe('a trace', () => {
  it('goes on where its context was carried', async () => {
    await start({ exporters: [new Spans()] });
    const carrier: Record<string, string> = {};
    const sent = await withSpan('send', {}, () => {
      injectContext(carrier);
      return activeTrace();
    });
    expect(carrier['traceparent']).toMatch(new RegExp(`^00-${sent}-[0-9a-f]{16}-01$`));
    expect(await withSpan('receive', { parent: extractContext(carrier) }, activeTrace)).toBe(sent);
  });

  it.each([{}, { traceparent: 'nonsense' }, { traceparent: ['a', 'b'] }])('begins anew where the carrier has none: %j', async (carrier) => {
    await start({ exporters: [new Spans()] });
    expect(await withSpan('receive', { parent: extractContext(carrier) }, activeTrace)).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe('exporters', () => {
  it('all get every span, are closed at the end, and one that fails stops no other', async () => {
    const reported: unknown[] = [];
    const [good, bad] = [new Spans(), new Spans()];
    bad.record = () => Promise.reject(new Error('the disk is full'));
    const tracing = await start({ exporters: [bad, good], onError: (error) => reported.push(error) });
    await withSpan('work', {}, () => undefined);
    await tracing.shutdown();
    expect(good.all.map((span) => span.name)).toEqual(['work']);
    expect([good.closed, bad.closed]).toEqual([true, true]);
    expect(reported).toHaveLength(1);
  });

  it('of a second service in the process are added to those of the first', async () => {
    const [one, two] = [new Spans(), new Spans()];
    const first = await start({ exporters: [one] });
    const second = await start({ exporters: [two] });
    await withSpan('both', {}, () => undefined);
    await second.shutdown();
    await withSpan('first', {}, () => undefined);
    await first.shutdown();
    expect([one.all, two.all].map((spans) => spans.map((span) => span.name))).toEqual([['both', 'first'], ['both']]);
  });

  it('drop spans rather than fill the memory when they are too slow', async () => {
    const gate = Promise.withResolvers<void>();
    const slow = new Spans();
    const record = slow.record.bind(slow);
    slow.record = (spans) => gate.promise.then(() => record(spans));
    const tracing = await start({ exporters: [slow] });
    for (let index = 0; index < 20_000; index++) trace.getTracer('spec').startSpan('flood').end();
    gate.resolve();
    await tracing.shutdown();
    expect(slow.all.length).toBeLessThan(17_000);
    expect(slow.all.length).toBeGreaterThan(16_000);
  });

  it('send OTLP over HTTP to the collector, with its headers', async () => {
    const collector = createServer((request, response) => request.resume().on('end', () => response.end()));
    collector.listen(0, '127.0.0.1');
    await once(collector, 'listening');
    const posted = once(collector, 'request') as Promise<[IncomingMessage]>;
    const { port } = collector.address() as AddressInfo;
    const tracing = await start({ otlpEndpoint: `http://127.0.0.1:${port}`, otlpHeaders: 'x-api-key=a%20b,x-team=probe' });
    await withSpan('work', {}, () => undefined);
    await tracing.flush();
    const [request] = await posted;
    expect([request.method, request.url, request.headers['content-type']]).toEqual(['POST', '/v1/traces', 'application/x-protobuf']);
    expect([request.headers['x-api-key'], request.headers['x-team']]).toEqual(['a b', 'probe']);
    await tracing.shutdown();
    collector.closeAllConnections();
    collector.close();
  });
});
