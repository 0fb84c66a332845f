import { Controller, Module, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { trace } from '@opentelemetry/api';
import { defineEvent, InvalidInput, RetryLater, TerminalError, type SubscriptionSpec } from '@rockpool/contracts';
import { describe, expect, it } from '@jest/globals';
import { map, tap, type Observable } from 'rxjs';
import { z } from 'zod';
import { EventPublisher, OnEvent, withSpan, type EventDelivery } from './index.js';
import { openCloud, Spans, start } from './testing/probe.js';

const Noted = defineEvent({
  type: 'dev.rockpool.probe.noted.v1',
  topic: 'conversation-wakes',
  data: z.object({ text: z.string(), fail: z.enum(['no', 'terminal', 'invalid', 'once', 'later']).default('no') }),
});
const Counted = defineEvent({ type: 'dev.rockpool.probe.counted.v1', topic: 'conversation-wakes', data: z.object({ count: z.number() }) });
const spec: SubscriptionSpec = {
  name: 'conversation-wakes.probe',
  topic: 'conversation-wakes',
  maxAttempts: 5,
  minBackoffMs: 1,
  maxBackoffMs: 1,
  maxConcurrency: 10,
};

/** What the handlers saw, and a way to wait for it. */
class Seen {
  readonly all: { data: unknown; delivery: EventDelivery; traceId: string | undefined }[] = [];
  #waiting: (() => void)[] = [];
  finished = 0;

  add(data: unknown, delivery: EventDelivery): void {
    this.all.push({ data, delivery, traceId: trace.getActiveSpan()?.spanContext().traceId });
    for (const check of this.#waiting) check();
  }

  async times(count: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const check = () => this.all.length >= count && resolve();
      this.#waiting.push(check);
      check();
    });
  }
}

function probe(seen: Seen, interceptors: NestInterceptor[] = []) {
  @Controller()
  class Handlers {
    @OnEvent(Noted, spec)
    async note(data: z.output<typeof Noted.data>, delivery: EventDelivery): Promise<void> {
      seen.add(data, delivery);
      if (data.fail === 'terminal') throw new TerminalError('never');
      if (data.fail === 'invalid') throw new InvalidInput('no such thing');
      if (data.fail === 'once' && delivery.attempt === 1) throw new Error('not now');
      if (data.fail === 'later' && delivery.attempt === 1) throw new RetryLater(2, 'soon');
      seen.finished++;
    }

    @OnEvent(Counted, spec)
    count(data: { count: number }, delivery: EventDelivery): void {
      seen.add(data, delivery);
    }
  }
  @Module({ controllers: [Handlers], providers: interceptors.map((interceptor) => ({ provide: APP_INTERCEPTOR, useValue: interceptor })) })
  class Probe {}
  return Probe;
}

const context = (id: string) => ({ id, source: '/spec', time: '2026-01-02T03:04:05Z', tenantId: 'alice' });

async function startProbe(interceptors: NestInterceptor[] = [], spans?: Spans) {
  const seen = new Seen();
  const cloud = await openCloud();
  const service = await start(probe(seen, interceptors), { cloud, ...(spans && { spans }) });
  return { seen, cloud, service, publisher: service.app.get(EventPublisher), drained: () => service.close().then(() => undefined) };
}

describe('an event', () => {
  it('reaches the handler of its type with its data, its ids and its attempt', async () => {
    const { seen, publisher } = await startProbe();
    const messageId = await publisher.publish(Noted, { text: 'hello' }, context('event-1'));
    await publisher.publish(Counted, { count: 3 }, context('event-2'));
    await seen.times(2);
    const noted = seen.all.find(({ delivery }) => delivery.eventId === 'event-1')!;
    expect(noted.data).toEqual({ text: 'hello', fail: 'no' });
    expect(noted.delivery).toMatchObject({ messageId, tenantId: 'alice', attempt: 1, publishedAt: expect.any(Date) });
    expect(noted.delivery.signal.aborted).toBe(false);
    expect(seen.all.find(({ delivery }) => delivery.eventId === 'event-2')!.data).toEqual({ count: 3 });
  });

  it('whose handler throws comes back, at once or when it asked to', async () => {
    const { seen, publisher } = await startProbe();
    await publisher.publish(Noted, { text: 'a', fail: 'once' }, context('event-1'));
    await publisher.publish(Noted, { text: 'b', fail: 'later' }, context('event-2'));
    await seen.times(4);
    expect(seen.all.map(({ delivery }) => [delivery.eventId, delivery.attempt]).sort()).toEqual([
      ['event-1', 1],
      ['event-1', 2],
      ['event-2', 1],
      ['event-2', 2],
    ]);
  });

  it.each(['terminal', 'invalid'] as const)('whose handler finds it %s is a dead letter at once', async (fail) => {
    const { seen, cloud, publisher } = await startProbe();
    const dead = deadLetter(cloud.bus);
    await publisher.publish(Noted, { text: 'a', fail }, context('event-1'));
    expect((await dead()).reason).toMatch(fail === 'terminal' ? 'terminal: never' : 'invalid: no such thing');
    expect(seen.all).toHaveLength(1);
  });

  it('that no handler knows, or that breaks its schema, is a dead letter', async () => {
    const { cloud } = await startProbe();
    const dead = deadLetter(cloud.bus);
    const publish = (type: string, body: string) =>
      cloud.bus.publish({ topic: 'conversation-wakes', body: Buffer.from(body), attributes: { 'ce-type': type, 'ce-id': '1' } });
    await publish('dev.rockpool.probe.unheard-of.v1', '{}');
    expect((await dead()).reason).toContain('no handler for dev.rockpool.probe.unheard-of.v1');
    await publish(Counted.type, '{"count":"three"}');
    expect((await dead(2)).reason).toContain('does not fit its schema');
  });

  it('keeps all this when interceptors are registered', async () => {
    const order: string[] = [];
    const interceptor = {
      intercept: (_: ExecutionContext, next: CallHandler): Observable<unknown> =>
        next.handle().pipe(
          map((value) => value ?? 'nothing'),
          tap({ next: () => order.push('answered'), error: (error: Error) => order.push(error.constructor.name) }),
        ),
    };
    const { seen, cloud, publisher, drained } = await startProbe([interceptor]);
    const dead = deadLetter(cloud.bus);
    await publisher.publish(Noted, { text: 'a', fail: 'terminal' }, context('event-1'));
    expect((await dead()).reason).toBe('terminal: never');
    await publisher.publish(Noted, { text: 'b', fail: 'once' }, context('event-2'));
    await seen.times(3);
    await drained();
    expect(order).toEqual(['TerminalError', 'Error', 'answered']);
  });

  it('is one trace from whoever published it to its handler', async () => {
    const spans = new Spans();
    const { seen, publisher, service } = await startProbe([], spans);
    await withSpan('webhook', {}, () => publisher.publish(Noted, { text: 'hello', fail: 'once' }, context('event-1')));
    await seen.times(2);
    await service.close();
    const [webhook, send, ...process] = ['webhook', 'send conversation-wakes', 'process conversation-wakes.probe'].flatMap((name) =>
      spans.all.filter((span) => span.name === name),
    );
    expect(new Set([webhook, send, ...process].map((span) => span!.traceId)).size).toBe(1);
    expect([send!.parentSpanId, ...process.map((span) => span.parentSpanId)]).toEqual([webhook!.spanId, send!.spanId, send!.spanId]);
    expect(seen.all.map(({ traceId }) => traceId)).toEqual([webhook!.traceId, webhook!.traceId]);
    expect(send).toMatchObject({ kind: 'producer', attributes: { 'rockpool.event.id': 'event-1', 'rockpool.tenant.id': 'alice' } });
    expect(process.map((span) => [span.kind, span.status, span.attributes['rockpool.attempt']])).toEqual([
      ['consumer', { code: 'error', message: 'internal' }, 1],
      ['consumer', { code: 'unset' }, 2],
    ]);
  });
});

describe('a service that is closed', () => {
  it('has finished the events it had begun', async () => {
    const gate = Promise.withResolvers<void>();
    const interceptor = {
      async intercept(_: ExecutionContext, next: CallHandler) {
        await gate.promise;
        return next.handle();
      },
    };
    const begun = Promise.withResolvers<void>();
    const { seen, publisher, service } = await startProbe([
      { intercept: (execution, next) => (begun.resolve(), interceptor.intercept(execution, next)) },
    ]);
    await publisher.publish(Noted, { text: 'a' }, context('event-1'));
    await begun.promise;
    const closed = service.close();
    gate.resolve();
    expect(await closed).toBe(true);
    expect(seen.finished).toBe(1);
  });
});

describe('two handlers of one event in one subscription', () => {
  it('are refused at the start', async () => {
    class Twice {
      one(): void {}
      other(): void {}
    }
    for (const method of ['one', 'other'] as const) {
      const descriptor = Object.getOwnPropertyDescriptor(Twice.prototype, method)!;
      OnEvent(Noted, spec)(Twice.prototype, method, descriptor);
    }
    Controller()(Twice);
    await expect(start({ module: class Module {}, controllers: [Twice] })).rejects.toThrow(
      'has two handlers in the subscription conversation-wakes.probe',
    );
  });
});

/** Waits for the dead letters of the subscription, by asking for them: the bus has no event for that. */
function deadLetter(bus: Awaited<ReturnType<typeof openCloud>>['bus']) {
  return async (count = 1) => {
    for (;;) {
      const { items } = await bus.deadLetters(spec.name);
      if (items.length >= count) return items[count - 1]!;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
}
