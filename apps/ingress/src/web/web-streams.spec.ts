import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebFeed, webConversationId, webIndexes } from '@rockpool/channels';
import { Database, SqliteDocuments } from '@rockpool/cloud-embedded';
import { RockpoolError, Unauthenticated, tenantId } from '@rockpool/contracts';
import { Shutdown, createLogger } from '@rockpool/service';
import { tenantSpec } from '@rockpool/tenancy';
import { WebStreams } from './web-streams.js';

const alice = tenantId.parse('alice');
const conversation = webConversationId(alice, 'visitor');
const inAnHour = new Date(Date.now() + 3_600_000);
const visit = {
  tenant: { id: alice, spec: tenantSpec.parse({ displayName: 'Alice', suspended: true }), version: '1' },
  session: { tenantId: alice, visitorId: 'visitor', origin: 'link', issuedAt: new Date(), expiresAt: inAnHour },
} as const;

let folder: string;
let database: Database;
let feed: WebFeed;
let shutdown: Shutdown;
let streams: WebStreams;
let server: Server;
let recheck: () => Promise<unknown>;
const stops: (() => void)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-web-streams-'));
  database = Database.open(join(folder, 'rockpool.db'), { synchronous: 'OFF' });
  feed = new WebFeed(new SqliteDocuments(database, webIndexes));
  shutdown = new Shutdown();
  recheck = async () => undefined;
  streams = new WebStreams(feed, shutdown, createLogger({ service: 'test', level: 'silent' }), { heartbeatMs: 10, recheckMs: 10 });
  server = createServer((request, response) => {
    const format = request.url === '/text' ? 'text' : 'html';
    void streams.open(visit, response, { format, recheck: () => recheck() });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  for (const stop of stops.splice(0)) stop();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await database.close();
  await rm(folder, { recursive: true });
});

const port = () => (server.address() as AddressInfo).port;

interface Received {
  readonly event: string;
  readonly data: { complete?: boolean; items?: object[]; code?: string; forMs?: number };
}

/** Reads event after event; comments are events named `comment`. */
async function* eventsAt(path = '/'): AsyncGenerator<Received, undefined> {
  const abort = new AbortController();
  stops.push(() => abort.abort());
  const response = await fetch(`http://127.0.0.1:${port()}${path}`, { signal: abort.signal });
  let rest = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) {
      const [, event = 'comment'] = /^event: (.*)$/m.exec(block) ?? [];
      yield { event, data: JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? '{}') };
    }
  }
}

/** The next event of a kind; what comes before it is skipped. */
async function next(events: AsyncGenerator<Received, undefined>, kind: string): Promise<Received['data'] | undefined> {
  for (let step = await events.next(); !step.done; step = await events.next()) if (step.value.event === kind) return step.value.data;
  return undefined;
}

const html = (text: string) => ({ text, html: `<p>${text}</p>` });

describe('a stream of the web chat', () => {
  it('says who answers and whether he does, then the history, then each change', async () => {
    await feed.show(alice, conversation, { id: '1', text: 'question', receivedAt: new Date() });
    const events = eventsAt();
    expect(await next(events, 'hello')).toEqual({ displayName: 'Alice', paused: true });
    expect(await next(events, 'feed')).toMatchObject({ complete: true, items: [{ role: 'user', state: 'final', text: 'question' }] });
    const key = await feed.place(alice, conversation, 'turn', '1');
    expect(await next(events, 'feed')).toMatchObject({ complete: false, items: [{ key, state: 'placed', messageId: '1' }] });
    await feed.write(alice, conversation, key, { ...html('An'), state: 'streaming' });
    expect(await next(events, 'feed')).toMatchObject({ items: [{ key, state: 'streaming', html: '<p>An</p>' }] });
    await feed.write(alice, conversation, key, { ...html('An answer'), state: 'final' });
    expect(await next(events, 'feed')).toMatchObject({ items: [{ key, state: 'final', html: '<p>An answer</p>' }] });
  });

  it('gives a terminal the Markdown instead', async () => {
    const key = await feed.place(alice, conversation, 'turn');
    await feed.write(alice, conversation, key, { text: '**done**', html: '<p><strong>done</strong></p>', state: 'final' });
    const [item] = (await next(eventsAt('/text'), 'feed'))?.items ?? [];
    expect(item).toMatchObject({ text: '**done**' });
    expect(item).not.toHaveProperty('html');
  });

  it('shows the typing sign for as long as it is meant', async () => {
    const events = eventsAt();
    await next(events, 'feed');
    await feed.showTyping(alice, conversation);
    const { forMs } = (await next(events, 'typing'))!;
    expect(forMs).toBeGreaterThan(0);
    expect(forMs).toBeLessThanOrEqual(6_000);
  });

  it('gives signs of life while nothing happens', async () => {
    const events = eventsAt();
    expect(await next(events, 'comment')).toBeDefined();
    expect(await next(events, 'comment')).toBeDefined();
  });

  it('tells why it ends when the visitor may no longer read', async () => {
    const events = eventsAt();
    await next(events, 'feed');
    recheck = () => Promise.reject(new Unauthenticated('no more'));
    expect(await next(events, 'closed')).toEqual({ code: 'unauthenticated' });
    expect(await next(events, 'feed')).toBeUndefined();
  });

  it('goes on while nobody can say whether the visitor may', async () => {
    const events = eventsAt();
    await next(events, 'feed');
    let asked = 0;
    await new Promise<void>((resolve) => {
      recheck = () => {
        if (++asked === 3) resolve();
        return Promise.reject(new RockpoolError('unavailable', 'the disk sleeps'));
      };
    });
    await feed.show(alice, conversation, { id: '1', text: 'still here', receivedAt: new Date() });
    expect(await next(events, 'feed')).toMatchObject({ items: [{ text: 'still here' }] });
  });

  it('ends when the conversation cannot be read, so that the reader comes again', async () => {
    await database.close();
    expect(await next(eventsAt(), 'feed')).toBeUndefined();
  });

  it('is there eight times a visitor: the ninth ends the first', async () => {
    const first = eventsAt();
    await next(first, 'feed');
    const others = [];
    for (let n = 2; n <= 9; n++) {
      others.push(eventsAt());
      await next(others.at(-1)!, 'feed');
    }
    expect(await next(first, 'closed')).toEqual({ code: 'superseded' });
    await feed.show(alice, conversation, { id: '1', text: 'to the rest', receivedAt: new Date() });
    for (const other of others) expect(await next(other, 'feed')).toMatchObject({ items: [{ text: 'to the rest' }] });
  });

  it('ends, and no other begins, when the service shuts down', async () => {
    const events = eventsAt();
    await next(events, 'feed');
    shutdown.begin();
    expect(await next(events, 'feed')).toBeUndefined();
    expect(() => streams.assertRoom()).toThrow('no more event streams');
  });

  it('gives a reader that was slow the newest state, not everything in between', async () => {
    const key = await feed.place(alice, conversation, 'turn');
    const socket = connect(port(), '127.0.0.1').setEncoding('utf8');
    stops.push(() => socket.destroy());
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const page = 'x'.repeat(200_000);
    for (let n = 0; n < 60; n++) await feed.write(alice, conversation, key, { ...html(`${page} ${n}`), text: '', state: 'streaming' });
    await feed.write(alice, conversation, key, { ...html(`${page} the end`), text: '', state: 'final' });
    let received = '';
    await new Promise<void>((resolve) => {
      socket.on('data', (chunk: string) => {
        received += chunk;
        if (received.includes('the end')) resolve();
      });
      socket.resume();
    });
    // What was sent before the buffers were full, and the last state: far from 60 times the page.
    expect(received.length).toBeLessThan(30 * page.length);
  });
});
