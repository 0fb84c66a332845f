import { connect } from 'node:net';
import { Body, Controller, Get, Module, Param, Post, Query, Req, UseGuards } from '@nestjs/common';
import { trace } from '@opentelemetry/api';
import { NotFound, RetryLater } from '@rockpool/contracts';
import { describe, expect, it } from '@jest/globals';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AUDIENCE, OidcGuard, Readiness, startService } from './index.js';
import { configuration, openCloud, Spans, start } from './testing/probe.js';

@Controller()
class ProbeController {
  @Post('webhooks/echo')
  bytes(@Req() request: FastifyRequest) {
    const body = request.body as Buffer;
    return {
      isBuffer: Buffer.isBuffer(body),
      base64: body.toString('base64'),
      repeated: request.raw.rawHeaders.filter((part) => part === 'X-Twice').length,
    };
  }

  @Post('api/echo')
  json(@Body() body: unknown) {
    return { body };
  }

  @Post('api/typed')
  typed(@Body({ schema: z.object({ name: z.string(), count: z.number() }) }) body: unknown) {
    return body;
  }

  @Get('api/trace')
  traceId() {
    return { traceId: trace.getActiveSpan()?.spanContext().traceId };
  }

  @Post('internal/trace')
  @UseGuards(OidcGuard({ callers: ['dispatcher'] }))
  internalTraceId() {
    return this.traceId();
  }

  @Get('api/fail/:how')
  fail(@Param('how') how: string) {
    if (how === 'missing') throw new NotFound('no such tenant');
    if (how === 'later') throw new RetryLater(4_200, 'the host is starting');
    throw new Error('password of the database is hunter2');
  }

  @Get('api/ids/:id')
  id(@Param('id') id: string, @Query() query: object) {
    return { length: id.length, query };
  }
}

@Module({ controllers: [ProbeController], providers: [{ provide: AUDIENCE, useValue: 'probe' }] })
class ProbeModule {}

const post = (url: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'POST', body, headers });
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('the body of a request', () => {
  it('below /webhooks/ is the bytes as they came, whatever they are said to be', async () => {
    const { url } = await start(ProbeModule);
    const bytes = Buffer.from('{"a": "\\u00e9"  }\xff', 'latin1');
    for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain', 'application/json; charset=utf-16']) {
      const answer = await post(`${url}/webhooks/echo`, bytes, { 'content-type': type, 'content-encoding': 'gzip' });
      expect(await answer.json()).toMatchObject({ isBuffer: true, base64: bytes.toString('base64') });
    }
  });

  it('elsewhere is parsed JSON, and nothing else is taken', async () => {
    const { url } = await start(ProbeModule);
    const json = { 'content-type': 'application/json; charset=utf-8' };
    expect(await (await post(`${url}/api/echo`, '{"a":1}', json)).json()).toEqual({ body: { a: 1 } });
    for (const [body, headers, status] of [
      ['a=1', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
      ['{"a":1}', { ...json, 'content-encoding': 'gzip' }, 415],
      ['{"a":', json, 400],
      ['{"__proto__":{"a":1}}', json, 400],
    ] as const) {
      const answer = await post(`${url}/api/echo`, body, headers);
      expect([body, answer.status, answer.headers.get('content-type')]).toEqual([body, status, 'application/problem+json']);
      expect(await answer.json()).toMatchObject({ code: 'invalid', status });
    }
  });

  it('is refused with 413 when it is over the limit', async () => {
    const { url } = await start(ProbeModule);
    const answer = await post(`${url}/webhooks/echo`, Buffer.alloc(1024 * 1024 + 1));
    expect(answer.status).toBe(413);
    expect(await answer.json()).toMatchObject({ code: 'too_large' });
  });

  it('is checked against the schema of the handler', async () => {
    const { url } = await start(ProbeModule);
    const answer = await post(`${url}/api/typed`, '{"name":1}', { 'content-type': 'application/json' });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: 'invalid', detail: expect.stringMatching(/^name: .*; count: /) });
  });
});

describe('a request', () => {
  it('may carry ids of 600 characters in its path', async () => {
    const { url } = await start(ProbeModule);
    expect(await (await fetch(`${url}/api/ids/${'%2F'.repeat(600)}?a=1`)).json()).toEqual({ length: 600, query: { a: '1' } });
  });

  it('keeps every value of a repeated header', async () => {
    const { url } = await start(ProbeModule);
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.write('POST /webhooks/echo HTTP/1.1\r\nHost: x\r\nX-Twice: 1\r\nX-Twice: 2\r\nContent-Length: 1\r\nConnection: close\r\n\r\n.');
    const answer = (await socket.setEncoding('utf8').toArray()).join('');
    expect(answer).toContain('"repeated":2');
    expect(answer.toLowerCase()).not.toMatch(/^(server|x-powered-by):/m);
  });
});

describe('a failed request', () => {
  it.each([
    ['missing', 404, 'not_found', null],
    ['later', 503, 'unavailable', '5'],
  ])('%s is answered with its problem', async (how, status, code, retryAfter) => {
    const { url } = await start(ProbeModule);
    const answer = await fetch(`${url}/api/fail/${how}`);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('retry-after')).toBe(retryAfter);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(await answer.json()).toMatchObject({ type: `https://rockpool.dev/problems/${code}`, status, code, detail: expect.any(String) });
  });

  it('through a fault of ours tells the trace id and nothing of the inside', async () => {
    const spans = new Spans();
    const service = await start(ProbeModule, { spans });
    const answer = await fetch(`${service.url}/api/fail/badly`);
    const text = await answer.text();
    expect(answer.status).toBe(500);
    expect(text).not.toContain('hunter2');
    await service.close();
    expect(JSON.parse(text)).toMatchObject({ code: 'internal', traceId: spans.all.find((span) => span.kind === 'server')!.traceId });
  });

  it.each([
    ['GET', '/no/such/route', 404, 'not_found'],
    ['GET', '/api/ids/%ZZ', 400, 'invalid'],
    ['DELETE', '/api/echo', 404, 'not_found'],
  ])('%s %s is answered with a problem too', async (method, path, status, code) => {
    const { url } = await start(ProbeModule);
    const answer = await fetch(url + path, { method });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([status, 'application/problem+json']);
    expect(await answer.json()).toMatchObject({ code });
  });
});

describe('an internal route', () => {
  const call = (url: string, token?: string) =>
    post(`${url}/internal/trace`, '{}', {
      'content-type': 'application/json',
      traceparent,
      ...(token && { authorization: `Bearer ${token}` }),
    });

  it('is open to the callers it names, with a token for its audience', async () => {
    const cloud = await openCloud();
    const { url } = await start(ProbeModule, { cloud });
    const mint = (audience: string, service: string) => cloud.identity.mint({ audience, service });
    expect((await call(url, await mint('probe', 'dispatcher'))).status).toBe(201);
    for (const token of [undefined, 'not.a.token', await mint('other', 'dispatcher'), await mint('probe', 'ingress')]) {
      const answer = await call(url, token);
      expect([token, answer.status, answer.headers.get('www-authenticate')]).toEqual([token, 401, 'Bearer']);
      expect(await answer.json()).toMatchObject({ code: 'unauthenticated' });
    }
  });

  it('continues the trace of an authenticated caller, and of no one else', async () => {
    const cloud = await openCloud();
    const spans = new Spans();
    const service = await start(ProbeModule, { cloud, spans });
    const known = await (await call(service.url, await cloud.identity.mint({ audience: 'probe', service: 'dispatcher' }))).json();
    const stranger = await (await fetch(`${service.url}/api/trace`, { headers: { traceparent } })).json();
    await call(service.url, 'forged');
    await service.close();
    expect(known).toEqual({ traceId: '4bf92f3577b34da6a3ce929d0e0e4736' });
    expect(stranger).toEqual({ traceId: expect.not.stringContaining('4bf92f3577b34da6a3ce929d0e0e4736') });
    const served = spans.all.filter((span) => span.kind === 'server');
    expect(served.map((span) => [span.name, span.attributes['http.response.status_code'], span.parentSpanId])).toEqual([
      ['POST /internal/trace', 201, '00f067aa0ba902b7'],
      ['GET /api/trace', 200, undefined],
      ['POST /internal/trace', 401, undefined],
    ]);
    expect(new Set(served.map((span) => span.traceId)).size).toBe(3);
  });
});

describe('health', () => {
  it('is told to anyone: alive, and ready while every check passes', async () => {
    const { url, app } = await start(ProbeModule);
    expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'ok' });
    expect(await (await fetch(`${url}/readyz`)).json()).toEqual({ status: 'ready' });
    expect(app.get(Readiness).stopping).toBe(false);
    const reason = 'the disk of /var/lib/rockpool/data is full: make room\n    at secret place';
    const unwell = await start(ProbeModule, { cloud: await openCloud(async () => reason) });
    unwell.app.get(Readiness).add({ name: 'bus', check: () => Promise.reject(new Error('internal detail')) });
    const answer = await fetch(`${unwell.url}/readyz`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({
      status: 'not ready',
      reasons: [
        { check: 'cloud', reason: 'the disk of … is full: make room' },
        { check: 'bus', reason: 'failed' },
      ],
    });
  });
});

describe('starting', () => {
  it('says which port is in use and how to choose another', async () => {
    const first = await start(ProbeModule);
    const config = configuration({ PORT: new URL(first.url).port });
    const attempt = startService({ name: 'probe', module: ProbeModule, config, cloud: await openCloud(), silent: true });
    await expect(attempt).rejects.toMatchObject({
      code: 'unavailable',
      message: `port ${config.PORT} on 127.0.0.1 is in use. Stop what uses it, or choose another one: PORT=${config.PORT + 1}`,
    });
  });
});
