import { afterEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { codeOf } from '@rockpool/contracts';
import { ChatClient, type ChatEvent } from './chat-client.js';
import { Conversation } from './chat-conversation.js';

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A server that answers as told; `count` is 1 at the first request for that path. */
async function serve(handlers: Record<string, Handler>): Promise<ChatClient> {
  const counts: Record<string, number> = {};
  const server = createServer((request, response) => {
    const path = new URL(request.url!, 'http://localhost').pathname;
    counts[path] = (counts[path] ?? 0) + 1;
    handlers[path]!(request, response, counts[path]);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return new ChatClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'alice', 'the-token');
}

const problem = (response: ServerResponse, status: number, code: string, detail: string) =>
  response.writeHead(status, { 'content-type': 'application/problem+json', 'retry-after': '0' }).end(JSON.stringify({ code, detail }));
const event = (name: string, data: object, id?: string) => `${id ? `id: ${id}\n` : ''}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const hello = event('hello', { displayName: 'Alice', paused: false });
const feed = (items: object[], complete = true, id?: string) => event('feed', { complete, items }, id);
const item = (key: string, state: string, fields: object = {}) => ({ key, at: '2026', role: 'assistant', state, text: key, ...fields });
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => 'nothing',
    (error: Error) => `${codeOf(error)}: ${error.message}`,
  );

describe('sending', () => {
  it('tries again under the same id until the server can take it', async () => {
    const bodies: string[] = [];
    const client = await serve({
      '/chat/alice/messages': (request, response, count) => {
        void text(request).then((body) => {
          bodies.push(`${request.headers.authorization} ${body}`);
          if (count === 1) problem(response, 503, 'unavailable', 'not now');
          else if (count === 2) request.socket.destroy();
          else response.writeHead(202).end('{}');
        });
      },
    });
    const id = randomUUID();
    await client.send(id, 'hello');
    expect(bodies).toEqual(Array(3).fill(`Bearer the-token ${JSON.stringify({ id, text: 'hello' })}`));
  });

  it('rejects at once with the server’s own words when it is refused', async () => {
    const client = await serve({ '/chat/alice/messages': (_, response) => problem(response, 400, 'invalid', 'too long') });
    expect(await failure(client.send(randomUUID(), 'hello'))).toBe('invalid: too long');
  });
});

describe('a conversation', () => {
  const events: ChatEvent[] = [];
  const open = (client: ChatClient, patienceMs = 60_000) => Conversation.open(client, (told) => events.push(told), patienceMs);
  afterEach(() => void events.splice(0));

  it('is open once its history is there, and knows which answer is to which message', async () => {
    let stream: ServerResponse | undefined;
    const client = await serve({
      '/chat/alice/events': (_, response) => {
        stream = response;
        response.write(hello + ': beat\n\n' + feed([item('old', 'final', { messageId: 'q0' })]));
      },
      '/chat/alice/messages': (_, response) => void response.writeHead(202).end('{}'),
    });
    const conversation = await open(client);
    await conversation.send('q1', 'hello');
    const waiting = conversation.answerTo('q1');
    // In pieces, as a network may deliver it.
    const answers = feed([item('other', 'final', { messageId: 'q2' }), item('a', 'streaming', { messageId: 'q1', text: 'Grüß' })], false);
    const bytes = Buffer.from(answers + feed([item('a', 'final', { messageId: 'q1', text: 'Grüß dich' })], false));
    for (let at = 0; at < bytes.length; at += 7) stream!.write(bytes.subarray(at, at + 7));
    expect(await waiting).toMatchObject({ text: 'Grüß dich' });
    expect(await conversation.answerTo('q0')).toMatchObject({ key: 'old' });
    conversation.close();
  });

  it('is followed on after the connection broke, from where it was', async () => {
    const askedFrom: unknown[] = [];
    const client = await serve({
      '/chat/alice/events': (request, response, count) => {
        askedFrom.push(request.headers['last-event-id']);
        if (count === 1) response.end(hello + feed([item('a', 'streaming', { messageId: 'q' })], true, 'mark-1'));
        else if (count === 2) problem(response, 503, 'unavailable', 'restarting');
        else response.write(hello + feed([item('a', 'final', { messageId: 'q' })], false, 'mark-2'));
      },
    });
    const conversation = await open(client);
    expect(await conversation.answerTo('q')).toMatchObject({ state: 'final' });
    expect(askedFrom).toEqual([undefined, 'mark-1', 'mark-1']);
    expect(events.map(({ type }) => type)).toEqual(['hello', 'feed', 'lost', 'lost', 'hello', 'feed']);
    conversation.close();
  });

  it('is over when the session is refused or ended, and whoever waits is told so', async () => {
    const refused = await serve({ '/chat/alice/events': (_, response) => problem(response, 401, 'unauthenticated', 'no session') });
    expect(await failure(open(refused))).toBe('unauthenticated: no session');
    const ended = await serve({
      '/chat/alice/events': (_, response) => {
        response.write(hello + feed([]));
        setImmediate(() => response.end(event('closed', { code: 'unauthenticated' })));
      },
    });
    const conversation = await open(ended);
    expect(await failure(conversation.answerTo('q'))).toBe('unauthenticated: the session has ended');
    expect(await failure(conversation.broken)).toMatch(/^unauthenticated/);
  });

  it('gives up when nothing answers for as long as it was told to wait', async () => {
    const client = await serve({});
    const [server] = servers.splice(0);
    await new Promise((resolve) => server!.close(resolve));
    expect(await failure(open(client, 0))).toMatch(/^unavailable: http:.* does not answer\. Start it \(npm start\)/);
  });

  it('with a suspended tenant is not waited for', async () => {
    const client = await serve({
      '/chat/alice/events': (_, response) => void response.write(event('hello', { displayName: 'Alice', paused: true }) + feed([])),
    });
    const conversation = await open(client);
    expect(await failure(conversation.send('q', 'hello'))).toMatch(/^forbidden: Alice is suspended/);
    conversation.close();
  });
});
