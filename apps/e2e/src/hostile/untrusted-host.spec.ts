import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TelegramBot } from '@rockpool/testkit';
import { aliceBotToken, aliceSecret, Installation } from '../installation.js';

/** What the host does with the first push of a conversation; the later ones it passes on to a host that works. */
type Misconduct = (response: ServerResponse) => void;

const foreign = { kind: 'drained', tenantId: 'bob', conversationId: 'telegram:999999:67890', turns: 5, replies: [{ text: 'pwned' }] };
let bytesTaken = 0;
let sentinelAsked = 0;

const misconduct: Readonly<Record<string, Misconduct>> = {
  'answers with no JSON': (response) => response.end('<html>all good</html>'),
  'answers with half of it': (response) => response.end('{"kind":"drai'),
  'answers with nothing': (response) => response.end(),
  'answers without end': (response) => {
    const piece = Buffer.alloc(65_536, '{');
    const pour = () => {
      while (!response.destroyed && response.write(piece)) bytesTaken += piece.length;
    };
    response.on('drain', pour);
    pour();
  },
  'sends the caller elsewhere': (response) => response.writeHead(307, { location: `${sentinelUrl}/api/v1/tenants` }).end(),
  'sends the caller to an operator’s route': (response) =>
    response.writeHead(308, { location: `${rockpool.url}/api/v1/dead-letters/replay` }).end(),
  'fails, in the name of another tenant': (response) => response.writeHead(500).end(JSON.stringify(foreign)),
  'refuses the token': (response) => response.writeHead(401).end('{}'),
  'hangs, and then dies': (response) => setTimeout(() => response.destroy(), 500),
  'dies in the middle of an answer': (response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{"kind":"drained"');
    response.destroy();
  },
  'cuts the connection': (response) => response.destroy(),
  'says that it is busy': (response) => response.writeHead(503, { 'retry-after': '1' }).end(),
};
const kinds = Object.keys(misconduct);

let rockpool: Installation;
let alice: TelegramBot;
let host: Server;
let sentinel: Server;
let sentinelUrl: string;
const misbehaved = new Set<string>();

/** Each person of the simulation meets one kind of misconduct. */
const personOf = (kind: string) => 9_000 + kinds.indexOf(kind);

beforeAll(async () => {
  rockpool = await Installation.open();
  host = createServer((incoming, response) => void push(incoming, response));
  sentinel = createServer((_incoming, response) => {
    sentinelAsked++;
    response.end('{"kind":"drained"}');
  });
  sentinelUrl = await listen(sentinel);
  await rockpool.product.restart('SIGTERM', { ROCKPOOL_AGENT_HOST_URL: await listen(host) });
  alice = rockpool.telegram.bot({ token: aliceBotToken, webhook: { url: `${rockpool.url}/webhooks/telegram/alice`, secret: aliceSecret } });
});
afterAll(async () => {
  for (const server of [host, sentinel]) {
    server.closeAllConnections();
    server.close();
  }
  await rockpool.close();
});

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function push(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  response.on('error', () => undefined);
  // Whether it is alive is all that it ever says truthfully.
  if (incoming.method === 'GET') return void response.end('{"status":"ok"}');
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const { conversationId } = JSON.parse(body.toString('utf8')) as { conversationId: string };
  const kind = kinds.find((candidate) => conversationId.endsWith(`:${personOf(candidate)}`));
  if (kind !== undefined && !misbehaved.has(conversationId)) {
    misbehaved.add(conversationId);
    return misconduct[kind]!(response);
  }
  const honest = request(`${rockpool.url}/internal/conversations/drive`, { method: 'POST', headers: incoming.headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  honest.on('error', () => response.destroy());
  honest.end(body);
}

describe('an agent host that', () => {
  it.each(kinds.map((kind) => [kind] as const))('%s has its conversation tried again, and answered once', async (kind) => {
    const chat = rockpool.telegram.person({ id: personOf(kind), name: 'Ann' }).chat(alice);
    await chat.say('are you there').accepted;
    await chat.waitForAnswer(({ text }) => text.includes('are you there'));
    expect(misbehaved.size).toBeGreaterThan(0);
    expect(chat.visible().filter(({ from }) => from === 'bot')).toHaveLength(1);
  });

  it('tells lies has nothing done outside of its own conversation', async () => {
    const chats = new Set(rockpool.telegram.calls.map(({ parameters }) => Number(parameters['chat_id'])).filter(Boolean));
    expect([...chats].sort()).toEqual(kinds.map(personOf).sort());
    expect(JSON.stringify(rockpool.telegram.calls)).not.toContain('pwned');
    const rows = await rockpool.inbox({ limit: '1000' });
    expect(new Set(rows.map(({ tenantId }) => tenantId))).toEqual(new Set(['alice']));
    expect(rows.every(({ state }) => state === 'done')).toBe(true);
  });

  it('never stops is not read to the end, and one that sends the caller elsewhere is not followed', () => {
    expect(bytesTaken).toBeLessThan(16 * 1024 * 1024);
    expect(sentinelAsked).toBe(0);
  });
});
