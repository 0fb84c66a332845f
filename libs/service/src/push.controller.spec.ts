import { Module } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import type { PushEndpoint } from '@rockpool/cloud';
import { openCloud, start } from './testing/probe.js';

@Module({})
class NothingModule {}

interface Push {
  readonly subscription: string;
  readonly authorization: string | undefined;
  readonly body: Uint8Array;
}

/** Keeps what is pushed, and answers as it is told. */
class Pushes implements PushEndpoint {
  readonly all: Push[] = [];
  answer: Awaited<ReturnType<PushEndpoint['push']>> = { status: 204 };

  async push(subscription: string, authorization: string | undefined, body: Uint8Array) {
    this.all.push({ subscription, authorization, body });
    return this.answer;
  }
}

async function serve() {
  const push = new Pushes();
  const service = await start(NothingModule, { cloud: { ...(await openCloud()), push } });
  const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    fetch(`${service.url}/pubsub/inbound-messages.dispatcher`, { method: 'POST', body, headers });
  return { push, post };
}

describe('what the bus pushes', () => {
  it('reaches the engine as it came, byte by byte, with the token', async () => {
    const { push, post } = await serve();
    const body = new Uint8Array([123, 0, 255, 125]);
    const response = await post(body, { authorization: 'Bearer token', 'content-type': 'application/json' });
    expect([response.status, await response.text()]).toEqual([204, '']);
    expect(push.all).toEqual([{ subscription: 'inbound-messages.dispatcher', authorization: 'Bearer token', body: Buffer.from(body) }]);
  });

  it.each([
    [{ status: 401 }, null],
    [{ status: 503, retryAfterSeconds: 7 }, '7'],
  ])('is answered %j', async (answer, retryAfter) => {
    const { push, post } = await serve();
    push.answer = answer;
    const response = await post('{}');
    expect([response.status, response.headers.get('retry-after')]).toEqual([answer.status, retryAfter]);
  });

  it('may be larger than what others send, up to 4 MiB', async () => {
    const { push, post } = await serve();
    expect((await post('x'.repeat(4 * 2 ** 20))).status).toBe(204);
    expect((await post('x'.repeat(4 * 2 ** 20 + 1))).status).toBe(413);
    expect(push.all).toHaveLength(1);
  });

  it('finds no door where the bus is asked instead', async () => {
    const service = await start(NothingModule);
    const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
    expect((await fetch(`${service.url}/pubsub/inbound-messages.dispatcher`, post)).status).toBe(404);
  });
});
