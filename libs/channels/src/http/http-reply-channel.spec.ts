import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { codeOf, isTerminal, type ReplyTarget } from '@rockpool/contracts';
import { signStandardWebhook } from '@rockpool/testkit';
import { HttpReplyChannel } from './http-reply-channel.js';

const secret = `whsec_${Buffer.from('the secret of alice, 24 b').toString('base64')}`;
const now = Date.UTC(2026, 0, 26, 10);
const target: ReplyTarget = { channel: 'http', account: 'alice', chatId: 'order-42', messageId: 'msg_1', shared: false };
const final = { final: true };

describe('answers over HTTP', () => {
  let server: Server;
  let url: string;
  let received: { headers: IncomingHttpHeaders; body: string }[];
  let status: number;
  let headers: Record<string, string>;

  beforeEach(async () => {
    received = [];
    status = 204;
    headers = {};
    server = createServer((request, response) => {
      void text(request).then((body) => {
        received.push({ headers: request.headers, body });
        response.writeHead(status, headers).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/replies`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const channel = () => new HttpReplyChannel({ replyUrl: url, secret }, () => now);
  async function answer(markdown: string) {
    const replies = channel();
    const receipt = await replies.place(target, 'http:alice:msg_1#0.0');
    await replies.update(target, receipt, replies.render(markdown)[0]!, final);
  }

  it('are posted once complete, as text and Markdown, signed under the key of the answer', async () => {
    await answer('**Order 42** is on its [way](https://example.com/).');
    const [{ headers: sent, body } = { headers: {}, body: '' }] = received;
    expect(JSON.parse(body)).toEqual({
      type: 'message.reply',
      timestamp: '2026-01-26T10:00:00.000Z',
      data: {
        conversation: 'order-42',
        inReplyTo: 'msg_1',
        text: 'Order 42 is on its way (https://example.com/).',
        markdown: '**Order 42** is on its [way](https://example.com/).',
        final: true,
      },
    });
    expect(sent).toMatchObject(signStandardWebhook({ secret, id: 'http:alice:msg_1#0.0', timestamp: now / 1000, body }).headers);
  });

  it('keep their webhook-id when they are sent again', async () => {
    await answer('x');
    await answer('x');
    expect(received.map((request) => request.headers['webhook-id'])).toEqual(['http:alice:msg_1#0.0', 'http:alice:msg_1#0.0']);
  });

  it('are not posted while there is more to come, nor without an address', async () => {
    const replies = channel();
    await replies.update(target, 'key', replies.render('half')[0]!, { final: false });
    const silent = new HttpReplyChannel(undefined);
    await silent.update(target, 'key', silent.render('whole')[0]!, final);
    expect(received).toEqual([]);
  });

  it.each([
    [302, { terminal: true }],
    [404, { terminal: true }],
    [410, { terminal: true }],
    [429, { code: 'unavailable', terminal: false, afterMs: 7_000 }],
    [503, { code: 'unavailable', terminal: false, afterMs: 7_000 }],
    [500, { code: 'internal', terminal: false }],
  ])('are told apart by the status %i', async (answered, expected) => {
    status = answered;
    headers = { 'retry-after': '7', location: url };
    const outcome = await answer('x').catch((error: { afterMs?: number }) => ({
      code: codeOf(error),
      terminal: isTerminal(error),
      afterMs: error.afterMs,
    }));
    expect(outcome).toMatchObject(expected);
    expect(received).toHaveLength(1);
  });
});
