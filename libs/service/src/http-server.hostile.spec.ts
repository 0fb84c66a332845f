import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Body, Controller, HttpCode, Module, Post, Req, UseGuards } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { Unauthenticated } from '@rockpool/contracts';
import type { FastifyRequest } from 'fastify';
import { defaultPatience } from './http-server.js';
import { AUDIENCE, OidcGuard } from './index.js';
import { Spans, start } from './testing/probe.js';

@Controller()
class DoorController {
  @Post('webhooks/door')
  @HttpCode(200)
  door(@Req() request: FastifyRequest) {
    const body = request.body as Buffer;
    if (body.equals(Buffer.from('wrong'))) throw new Unauthenticated('the signature is missing or wrong');
    return { length: body.length };
  }

  @Post('api/door')
  @HttpCode(200)
  json(@Body() body: unknown) {
    return { body };
  }

  @Post('internal/door')
  @HttpCode(200)
  @UseGuards(OidcGuard({ callers: ['dispatcher'] }))
  internal() {
    return {};
  }
}

@Module({ controllers: [DoorController], providers: [{ provide: AUDIENCE, useValue: 'door' }] })
class DoorModule {}

/** A connection of somebody who takes his time: says `opening`, and tells what came back once the other side has closed it. */
function slowly(url: string, opening: string): { socket: Socket; closed: Promise<string> } {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname).setEncoding('utf8');
  let answer = '';
  socket.on('data', (text: string) => (answer += text));
  // Being cut off may show as a reset.
  socket.on('error', () => undefined);
  const closed = new Promise<string>((resolve) => socket.on('close', () => resolve(answer)));
  socket.write(opening);
  return { socket, closed };
}

const post = (url: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  fetch(`${url}/webhooks/door`, { method: 'POST', body, headers });
const head = (more: string) => `POST /webhooks/door HTTP/1.1\r\nHost: x\r\n${more}\r\n`;

describe('senders that take their time', () => {
  it.each([
    ['say nothing', ''],
    ['never finish the first line', 'POST /webh'],
    ['never finish the headers', 'POST /webhooks/door HTTP/1.1\r\nHost: x\r\nX-Slow: '],
    ['never begin the body', head('Content-Length: 100\r\n')],
    ['never finish the body', `${head('Content-Length: 100\r\n')}{`],
    ['never finish a body without length', `${head('Transfer-Encoding: chunked\r\n')}1\r\n{\r\n`],
  ])('and %s are cut off, while others are served', async (_what, opening) => {
    const { url } = await start(DoorModule, { senderPatience: { headersMs: 300, requestMs: 600, checkEveryMs: 20 } });
    const crowd = Array.from({ length: 100 }, () => slowly(url, opening));
    expect((await post(url, 'hello')).status).toBe(200);
    const answers = await Promise.all(crowd.map(({ closed }) => closed));
    expect(answers.filter((answer) => answer !== '' && !answer.startsWith('HTTP/1.1 408'))).toEqual([]);
    expect((await post(url, 'hello')).status).toBe(200);
  });

  it('have at most 15 s for the headers and 30 s for all of a request', async () => {
    const { app } = await start(DoorModule);
    const { headersTimeout, requestTimeout } = app.getHttpServer();
    expect({ headersMs: headersTimeout, requestMs: requestTimeout }).toEqual({
      headersMs: defaultPatience.headersMs,
      requestMs: defaultPatience.requestMs,
    });
    expect(defaultPatience.headersMs + defaultPatience.checkEveryMs).toBeLessThanOrEqual(15_000);
    expect(defaultPatience.requestMs + defaultPatience.checkEveryMs).toBeLessThanOrEqual(30_000);
  });
});

describe('bodies of strangers', () => {
  it('of a length over the limit are refused before they are sent', async () => {
    const { url } = await start(DoorModule);
    expect(await slowly(url, head(`Content-Length: ${100 * 1024 * 1024}\r\n`)).closed).toMatch(/^HTTP\/1.1 413 /);
  });

  it('without a length are cut at the limit, and so is their connection', async () => {
    const { url } = await start(DoorModule);
    const { socket, closed } = slowly(url, head('Transfer-Encoding: chunked\r\n'));
    const piece = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    const pour = () => {
      while (socket.writable && socket.write(piece));
    };
    socket.on('drain', pour);
    pour();
    expect(await closed).toMatch(/^(HTTP\/1.1 413 |$)/);
  });

  it('are not inflated: a bomb is only the bytes that were sent', async () => {
    const { url } = await start(DoorModule);
    const bomb = Buffer.from(gzipSync(Buffer.alloc(64 * 1024 * 1024)));
    const answer = await post(url, bomb, { 'content-encoding': 'gzip', 'content-type': 'application/json' });
    expect(await answer.json()).toEqual({ length: bomb.length });
    const json = await fetch(`${url}/api/door`, {
      method: 'POST',
      body: bomb,
      headers: { 'content-encoding': 'gzip', 'content-type': 'application/json' },
    });
    expect(json.status).toBe(415);
  });

  it.each([
    ['two lengths', 'Content-Length: 5\r\nContent-Length: 6\r\n'],
    ['a length and chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'],
    ['a length that is no number', 'Content-Length: 0x5\r\n'],
    ['a negative length', 'Content-Length: -5\r\n'],
    ['a transfer encoding that nobody knows', 'Transfer-Encoding: chunked, identity\r\n'],
  ])('whose end is disputed by %s are refused, and nothing behind them is taken for a request', async (_what, headers) => {
    const { url } = await start(DoorModule);
    const smuggled = `0\r\n\r\n${head('Content-Length: 5\r\n')}hello`;
    const answer = await slowly(url, head(headers) + smuggled).closed;
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(answer.match(/HTTP\/1.1 /g)).toHaveLength(1);
  });

  it('cannot reach the prototypes of what is parsed', async () => {
    const { url } = await start(DoorModule);
    const bodies = [
      '{"__proto__":{"polluted":1}}',
      '{"a":{"constructor":{"prototype":{"polluted":1}}}}',
      '{"\\u005f_proto__":{"polluted":1}}',
    ];
    for (const body of bodies) {
      const answer = await fetch(`${url}/api/door`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
      expect(answer.status).toBe(400);
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('nested a hundred thousand deep crash nothing', async () => {
    const { url } = await start(DoorModule);
    const body = '['.repeat(100_000) + ']'.repeat(100_000);
    const answer = await fetch(`${url}/api/door`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
    expect(answer.status).toBeLessThan(500);
    expect((await post(url, 'hello')).status).toBe(200);
  });
});

describe('a flood of refused requests', () => {
  it.each([
    ['/webhooks/door', 'wrong'],
    ['/internal/door', '{}'],
  ])('at %s does not push the traces of others out', async (path, body) => {
    const spans = new Spans();
    const service = await start(DoorModule, { spans });
    const refuse = () =>
      fetch(service.url + path, { method: 'POST', body, headers: { 'content-type': 'application/json' } }).then(({ status }) => status);
    for (let round = 0; round < 10; round++) {
      expect(new Set(await Promise.all(Array.from({ length: 30 }, refuse)))).toEqual(new Set([401]));
      expect((await post(service.url, 'hello')).status).toBe(200);
    }
    await service.close();
    const statuses = spans.all.map(({ attributes }) => attributes['http.response.status_code']);
    expect(statuses.filter((status) => status === 401)).toHaveLength(60);
    expect(statuses.filter((status) => status === 200)).toHaveLength(10);
  });
});
