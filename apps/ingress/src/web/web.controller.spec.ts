import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Module } from '@nestjs/common';
import { WebFeed, WebSessions, webConversationId, webIndexes } from '@rockpool/channels';
import { Documents, type Cloud } from '@rockpool/cloud';
import { eventually } from '@rockpool/cloud/testing';
import { openEmbeddedCloud, type EmbeddedCloud } from '@rockpool/cloud-embedded';
import { MessageReceived, decodeEvent, subscriptions, tenantId, type InboundMessage } from '@rockpool/contracts';
import { loadConfig, LOGGER, provide, Shutdown, startService, type RunningService } from '@rockpool/service';
import { TenantDirectory, Tenants, tenancyIndexes, tenantsFile } from '@rockpool/tenancy';
import { WebController, webProviders } from './index.js';
import { WebStreams } from './web-streams.js';

const alice = tenantId.parse('alice');
const bob = tenantId.parse('bob');
const tenants = {
  alice: { displayName: 'Alice <script>alert(1)</script> & "Co"', channels: { web: { access: 'public' } } },
  bob: { channels: { web: { access: 'link' } } },
  carol: { channels: {} },
};

let folder: string;
let cloud: EmbeddedCloud;
let service: RunningService;
let sessions: WebSessions;
let feed: WebFeed;
const open: { stop(): void }[] = [];

const quickStreams = {
  provide: WebStreams,
  inject: [WebFeed, Shutdown, LOGGER],
  useFactory: (...[feed, shutdown, log]: ConstructorParameters<typeof WebStreams>) =>
    new WebStreams(feed, shutdown, log, { heartbeatMs: 20, recheckMs: 20 }),
};

@Module({ controllers: [WebController], providers: [...webProviders, provide(Tenants, Documents), quickStreams] })
class WebChatModule {}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-web-chat-'));
  const keyFile = join(folder, 'keys', 'master.key');
  const dataDir = join(folder, 'data');
  cloud = await openEmbeddedCloud({
    dataDir,
    keyFile,
    baseUrl: () => service.url,
    subscriptions: Object.values(subscriptions),
    indexes: [...tenancyIndexes, ...webIndexes],
    queues: [],
  });
  await apply(tenants);
  sessions = new WebSessions(cloud.secrets);
  feed = new WebFeed(cloud.documents);
  service = await serve();
});
afterEach(async () => {
  for (const reader of open.splice(0)) reader.stop();
  await service.close();
  await rm(folder, { recursive: true });
});

function serve(environment: Record<string, string> = {}, over: Cloud = cloud): Promise<RunningService> {
  const config = loadConfig({ PORT: '0', ...environment });
  return startService({ name: 'ingress', module: WebChatModule, config, cloud: over, silent: true });
}

async function apply(desired: object): Promise<void> {
  const directory = new TenantDirectory(cloud.documents, cloud.secrets);
  await directory.apply(await directory.plan(tenantsFile.parse({ tenants: desired })));
}

const get = (path: string, headers: Record<string, string> = {}) => fetch(`${service.url}${path}`, { headers, redirect: 'manual' });
const cookieOf = (response: Response) => response.headers.get('set-cookie')?.split(';', 1)[0] ?? '';

const fromPage = { 'sec-fetch-site': 'same-origin' };

function post(tenant: string, body: unknown, headers: Record<string, string>): Promise<Response> {
  return fetch(`${service.url}/chat/${tenant}/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

async function newVisitor(tenant = alice): Promise<{ visitorId: string; bearer: Record<string, string>; cookie: string }> {
  const { token, session } = await sessions.open(tenant, 'public');
  return { visitorId: session.visitorId, bearer: { authorization: `Bearer ${token}` }, cookie: `rockpool_chat=${token}` };
}

/** Every event on the bus, in order of arrival. */
async function receivedMessages(count: number): Promise<InboundMessage[]> {
  const messages: InboundMessage[] = [];
  await new Promise<void>((resolve) => {
    void cloud.bus.subscribe(subscriptions.receive, async (delivery) => {
      messages.push(decodeEvent(MessageReceived, delivery));
      if (messages.length === count) resolve();
      return { kind: 'ack' };
    });
  });
  return messages;
}

interface Received {
  readonly event: string;
  readonly data: { complete?: boolean; items?: { text?: string; html?: string }[]; code?: string };
  readonly id?: string;
}

/** A page's side of the event stream. */
class Reader {
  events: Received[] = [];

  static async of(tenant: string, headers: Record<string, string>, query = ''): Promise<Reader> {
    const abort = new AbortController();
    open.push({ stop: () => abort.abort() });
    const response = await fetch(`${service.url}/chat/${tenant}/events${query}`, { headers, signal: abort.signal });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    const reader = new Reader(response.body!.pipeThrough(new TextDecoderStream()).getReader());
    while (!reader.feed) await reader.more();
    return reader;
  }

  private constructor(private readonly source: ReadableStreamDefaultReader<string>) {}

  get feed(): Received | undefined {
    return this.events.findLast(({ event }) => event === 'feed');
  }

  /** Reads on. False at the end. */
  async more(): Promise<boolean> {
    const { done, value = '' } = await this.source.read();
    for (const block of value.split('\n\n')) {
      const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]));
      if (fields['event']) this.events.push({ event: fields['event'], data: JSON.parse(fields['data']!), id: fields['id'] });
    }
    return !done;
  }

  async toEnd(): Promise<Received | undefined> {
    while (await this.more());
    return this.events.at(-1);
  }
}

describe('the page', () => {
  it('of a public chat gives anybody a session that scripts and other sites cannot use', async () => {
    const response = await get('/chat/alice');
    expect(response.status).toBe(200);
    expect(response.headers.get('set-cookie')).toMatch(
      /^rockpool_chat=[\w.-]+; Path=\/chat\/alice; Expires=.+ GMT; HttpOnly; SameSite=Lax$/,
    );
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'");
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  it('has a cookie for TLS alone where the public address is https, and not because a header says so', async () => {
    const behindTls = await serve({ ROCKPOOL_PUBLIC_URL: 'https://bots.example.com' }, { ...cloud, close: async () => undefined });
    try {
      expect((await fetch(`${behindTls.url}/chat/alice`)).headers.get('set-cookie')).toMatch(/; Secure$/);
    } finally {
      await behindTls.close();
    }
    const claimed = await get('/chat/alice', { 'x-forwarded-proto': 'https', forwarded: 'proto=https' });
    expect(claimed.headers.get('set-cookie')).toMatch(/; SameSite=Lax$/);
  });

  it('keeps the session it is shown, and is not sent again unchanged', async () => {
    const first = await get('/chat/alice');
    const again = await get('/chat/alice', { cookie: cookieOf(first), 'if-none-match': first.headers.get('etag')! });
    expect(again.status).toBe(304);
    expect(again.headers.get('set-cookie')).toBeNull();
  });

  it('shows a name as text, whatever is in it', async () => {
    const html = await (await get('/chat/alice')).text();
    expect(html).not.toContain('<script>alert');
    expect(html).toContain('<title>Alice &#60;script&#62;alert(1)&#60;/script&#62; &#38; &#34;Co&#34;</title>');
  });

  it('finds its files, which may be kept for ever', async () => {
    const html = await (await get('/chat/alice')).text();
    const files = [...html.matchAll(/(?:src|href)="(\/chat-assets\/[^"]+)"/g)].map(([, path]) => path!);
    expect(files).toHaveLength(6);
    for (const path of files) expect((await get(path)).status).toBe(200);
    const style = await get(files.find((path) => path.includes('chat.css?v='))!);
    expect(style.headers.get('cache-control')).toContain('immutable');
    expect(style.headers.get('content-type')).toBe('text/css; charset=utf-8');
    for (const path of ['/chat-assets/chat.html', '/chat-assets/..%2fpackage.json', '/chat-assets/constructor']) {
      expect((await get(path)).status).toBe(404);
    }
  });

  it('looks the same whether a tenant is open by link only, has no web chat, or does not exist', async () => {
    const answers = await Promise.all(['bob', 'carol', 'nobody', 'NOT AN ID'].map((id) => get(`/chat/${encodeURIComponent(id)}`)));
    const shown = await Promise.all(answers.map(async (answer) => [answer.status, answer.headers.get('set-cookie'), await answer.text()]));
    for (const one of shown) expect(one).toEqual(shown[0]);
    expect(shown[0]).toEqual([404, null, expect.stringContaining('There is no chat here')]);
  });

  it('opens with a link, which leaves the address bar', async () => {
    const { path } = await sessions.mintLink(bob);
    const arrived = await get(path);
    expect(arrived.status).toBe(303);
    expect(arrived.headers.get('location')).toBe('/chat/bob');
    expect((await get('/chat/bob', { cookie: cookieOf(arrived) })).status).toBe(200);
    const again = await get(path, { cookie: cookieOf(arrived) });
    expect(again.headers.get('set-cookie')).toBeNull();
  });

  it('says that a genuine link has expired, and nothing of a forged one', async () => {
    const { path } = await sessions.mintLink(bob, { lifetimeMs: 0 });
    const expired = await get(path);
    expect([expired.status, await expired.text()]).toEqual([401, expect.stringContaining('This link has expired')]);
    expect((await get(`${path}x`)).status).toBe(404);
    expect((await get((await sessions.mintLink(alice)).path.replace('alice', 'bob'))).status).toBe(404);
  });

  it('closes to those a public chat let in once it is open by link only', async () => {
    const cookie = cookieOf(await get('/chat/alice'));
    await apply({ ...tenants, alice: { channels: { web: { access: 'link' } } } });
    await eventually('the page is closed', async () => (await get('/chat/alice', { cookie })).status === 404);
    expect((await post('alice', { id: randomUUID(), text: 'hello' }, { ...fromPage, cookie })).status).toBe(401);
  });
});

describe('a posted message', () => {
  it('is on the bus and in the feed when 202 comes', async () => {
    const visitor = await newVisitor();
    const id = randomUUID();
    const response = await post('alice', { id, text: 'hello' }, { ...fromPage, cookie: visitor.cookie });
    expect([response.status, await response.json()]).toEqual([202, { id }]);
    expect(await receivedMessages(1)).toMatchObject([
      { eventId: `web:alice:${visitor.visitorId}:${id}`, text: 'hello', tenantId: 'alice' },
    ]);
    expect((await Reader.of('alice', visitor.bearer)).feed?.data).toMatchObject({ complete: true, items: [{ text: 'hello' }] });
  });

  it('is the same event when it is posted again, and stands in the feed once', async () => {
    const visitor = await newVisitor();
    const id = randomUUID();
    for (let n = 0; n < 3; n++) expect((await post('alice', { id, text: 'hello' }, visitor.bearer)).status).toBe(202);
    const events = await receivedMessages(3);
    expect(new Set(events.map(({ eventId }) => eventId)).size).toBe(1);
    expect((await Reader.of('alice', visitor.bearer)).feed?.data.items).toHaveLength(1);
  });

  it('that cannot be kept is answered 503 with Retry-After and does not show', async () => {
    const visitor = await newVisitor();
    await cloud.bus.close();
    const response = await post('alice', { id: randomUUID(), text: 'hello' }, visitor.bearer);
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await Reader.of('alice', visitor.bearer)).feed?.data.items).toEqual([]);
  });

  it('of another site is refused, whatever cookie its browser adds', async () => {
    const { cookie } = await newVisitor();
    const message = { id: randomUUID(), text: 'hello' };
    const elsewhere: Record<string, string>[] = [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none', origin: service.url },
      { origin: 'https://evil.example' },
      { origin: 'null' },
      {},
    ];
    for (const headers of elsewhere) expect((await post('alice', message, { cookie, ...headers })).status).toBe(403);
    const form = await post('alice', 'id=1&text=hello', { ...fromPage, cookie, 'content-type': 'text/plain' });
    expect(form.status).toBe(415);
  });

  it('is taken from a browser that names only its origin, and with a token that no browser sends by itself', async () => {
    const { cookie, bearer } = await newVisitor();
    const message = { id: randomUUID(), text: 'hello' };
    expect((await post('alice', message, { cookie, origin: service.url })).status).toBe(202);
    expect((await post('alice', message, bearer)).status).toBe(202);
  });

  it('needs a session of this very tenant, and is told the same of tenants that do not exist', async () => {
    const { bearer } = await newVisitor(alice);
    const message = { id: randomUUID(), text: 'hello' };
    const forged = { authorization: bearer['authorization']!.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')) };
    const refused = await Promise.all([
      post('bob', message, bearer),
      post('nobody', message, bearer),
      post('alice', message, fromPage),
      post('alice', message, forged),
    ]);
    const problems = await Promise.all(refused.map((response) => response.json()));
    for (const problem of problems) expect(problem).toEqual(problems[0]);
    expect(problems[0]).toMatchObject({ status: 401, code: 'unauthenticated' });
  });

  it('that breaks a rule is refused with the rule', async () => {
    const { bearer } = await newVisitor();
    for (const body of [{ id: 'x', text: 'hello' }, { id: randomUUID(), text: '' }, '{', 'null', '{"__proto__": {"id": 1}}']) {
      expect((await post('alice', body, bearer)).status).toBe(400);
    }
    const long = await post('alice', { id: randomUUID(), text: 'a'.repeat(20_001) }, bearer);
    expect([long.status, await long.json()]).toEqual([
      400,
      expect.objectContaining({ detail: expect.stringContaining('20000 characters') }),
    ]);
  });
});

describe('a session for a terminal', () => {
  const session = (tenant: string, body: object) =>
    fetch(`${service.url}/chat/${tenant}/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  it('is given for a link, or for nothing where the chat is public', async () => {
    const byLink = await session('bob', { link: (await sessions.mintLink(bob)).token });
    const { token } = (await byLink.json()) as { token: string };
    expect((await post('bob', { id: randomUUID(), text: 'hello' }, { authorization: `Bearer ${token}` })).status).toBe(202);
    expect((await session('alice', {})).status).toBe(201);
  });

  it('is not given otherwise', async () => {
    expect((await session('bob', {})).status).toBe(401);
    expect((await session('nobody', {})).status).toBe(401);
    expect((await session('bob', { link: (await sessions.mintLink(alice)).token })).status).toBe(401);
    expect((await session('bob', { link: 5 })).status).toBe(400);
  });
});

describe('the event stream', () => {
  it('goes on where a reader left, without the whole history', async () => {
    const visitor = await newVisitor();
    await feed.show(alice, webConversationId(alice, visitor.visitorId), { id: '1', text: 'seen', receivedAt: new Date() });
    const id = (await Reader.of('alice', visitor.bearer)).feed?.id;
    const second = await Reader.of('alice', { ...visitor.bearer, 'last-event-id': id! });
    expect(second.feed?.data.complete).toBe(false);
    const third = await Reader.of('alice', { ...visitor.bearer, 'last-event-id': 'nonsense' });
    expect(third.feed?.data.complete).toBe(true);
  });

  it('is only for who may chat', async () => {
    const { bearer } = await newVisitor();
    expect((await get('/chat/alice/events')).status).toBe(401);
    expect((await get('/chat/bob/events', bearer)).status).toBe(401);
  });

  it('shows a visitor nothing of another one', async () => {
    const [one, other] = [await newVisitor(), await newVisitor()];
    await post('alice', { id: randomUUID(), text: 'private' }, one.bearer);
    expect((await Reader.of('alice', other.bearer)).feed?.data.items).toEqual([]);
  });

  it('ends when the visitor may no longer read', async () => {
    const reader = await Reader.of('alice', (await newVisitor()).bearer);
    await apply({ ...tenants, alice: { channels: { web: { access: 'link' } } } });
    expect(await reader.toEnd()).toMatchObject({ event: 'closed', data: { code: 'unauthenticated' } });
  });

  it('does not keep the service from ending', async () => {
    const reader = await Reader.of('alice', (await newVisitor()).bearer);
    expect(await service.close()).toBe(true);
    await reader.toEnd();
  });
});
