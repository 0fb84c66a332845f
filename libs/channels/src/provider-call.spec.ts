import { afterEach, describe, expect, it } from '@jest/globals';
import { codeOf } from '@rockpool/contracts';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { postOnce, retryAfterMs } from './provider-call.js';
import { closedPortUrl } from './testing/closed-port.js';

const request = { headers: { 'content-type': 'application/json' }, body: '{"text":"ä"}' };
const post = (url: string) => postOnce('send', `${url}/bot-secret/send`, request);
const failure = (sending: Promise<unknown>) =>
  sending.then(
    () => 'answered',
    (error: unknown) => codeOf(error),
  );

describe('A call of a provider', () => {
  let server: Server;

  async function serve(listener: RequestListener): Promise<string> {
    server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('posts the body once, over one connection for many calls, and follows no redirect', async () => {
    const ports = new Set<number | undefined>();
    const bodies: string[] = [];
    const url = await serve(async (incoming, outgoing) => {
      ports.add(incoming.socket.remotePort);
      bodies.push((await incoming.toArray()).join(''));
      outgoing.writeHead(302, { location: '/elsewhere' }).end('{"ok":true}');
    });
    for (let call = 0; call < 3; call++) expect(await post(url)).toMatchObject({ status: 302, json: { ok: true } });
    expect(bodies).toEqual([request.body, request.body, request.body]);
    expect(ports.size).toBe(1);
  });

  it.each<[string, RequestListener]>([
    ['cut off before it begins', (incoming) => incoming.socket.destroy()],
    [
      'cut off in its middle',
      (_, outgoing) => {
        outgoing.writeHead(200, { 'content-length': '100' }).write('{"ok":');
        setImmediate(() => outgoing.destroy());
      },
    ],
  ])('is of unknown outcome when the answer is %s, on a new connection and on a kept one', async (_, listener) => {
    let isWhole = false;
    const url = await serve((incoming, outgoing) => (isWhole ? void outgoing.end('{}') : void listener(incoming, outgoing)));
    expect(await failure(post(url))).toBe('outcome_unknown');
    isWhole = true;
    await post(url);
    isWhole = false;
    expect(await failure(post(url))).toBe('outcome_unknown');
  });

  it('has surely not left when nobody listens, when TLS is not agreed on, and when the address is none', async () => {
    const url = await serve((_, outgoing) => void outgoing.end('{}'));
    expect(await failure(post(await closedPortUrl()))).toBe('internal');
    expect(await failure(post(url.replace('http:', 'https:')))).toBe('internal');
    expect(await failure(post('nowhere'))).toBe('internal');
  });

  it('has no JSON when the answer is HTML or longer than any answer of a provider', async () => {
    let answer = '<html>';
    const url = await serve((_, outgoing) => void outgoing.end(answer));
    expect(await post(url)).toMatchObject({ status: 200, json: undefined });
    answer = JSON.stringify('x'.repeat(2 * 1024 * 1024));
    expect(await post(url)).toMatchObject({ status: 200, json: undefined });
  });

  it('is repeated after the seconds or at the date that the answer names', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    expect(retryAfterMs({ 'retry-after': '7' }, 1_000, now)).toBe(7_000);
    expect(retryAfterMs({ 'retry-after': 'Thu, 01 Jan 2026 00:01:00 GMT' }, 1_000, now)).toBe(60_000);
    for (const senseless of ['soon', 'Thu, 01 Jan 2015 00:00:00 GMT']) {
      expect(retryAfterMs({ 'retry-after': senseless }, 1_000, now)).toBe(1_000);
    }
  });
});
