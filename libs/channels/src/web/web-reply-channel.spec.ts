import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database, SqliteDocuments } from '@rockpool/cloud-embedded';
import { tenantId, type ConversationId, type ReplyTarget, type TenantId } from '@rockpool/contracts';
import { WebFeed, webIndexes, type FeedChange, type FeedItem } from './web-feed.js';
import { webConversationId } from './web-message.js';
import { WebReplyChannel } from './web-reply-channel.js';

const alice = tenantId.parse('alice');
const bob = tenantId.parse('bob');
const target: ReplyTarget = { channel: 'web', account: 'alice', chatId: 'visitor', messageId: 'question-1', shared: false };
const conversation = webConversationId(alice, 'visitor');

let folder: string;
let database: Database;
let documents: SqliteDocuments;
let nowMs: number;
let feed: WebFeed;
let channel: WebReplyChannel;
const stops: (() => void)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-web-feed-'));
  database = Database.open(join(folder, 'rockpool.db'), { synchronous: 'OFF' });
  documents = new SqliteDocuments(database, webIndexes);
  nowMs = Date.now();
  feed = new WebFeed(documents, () => nowMs);
  channel = new WebReplyChannel(feed, alice);
});
afterEach(async () => {
  for (const stop of stops.splice(0)) stop();
  await database.close();
  await rm(folder, { recursive: true });
});

/** Somebody who looks at a feed: what was told, and what is on the screen after it. */
class Reader {
  readonly changes: FeedChange[] = [];
  readonly #screen = new Map<string, FeedItem>();
  #wake: () => void = () => undefined;

  static async of(tenant: TenantId, id: ConversationId, since?: string): Promise<Reader> {
    const reader = new Reader();
    const listener = (change: FeedChange) => reader.#take(change);
    stops.push(await feed.follow(tenant, id, { listener, failed: (error) => Promise.reject(error), since }));
    await reader.until(() => reader.changes.length > 0);
    return reader;
  }

  get screen(): FeedItem[] {
    return [...this.#screen.values()].sort((a, b) => a.at.localeCompare(b.at) || (a.key < b.key ? -1 : 1));
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  #take(change: FeedChange): void {
    this.changes.push(change);
    if (change.complete) this.#screen.clear();
    for (const item of change.items) this.#screen.set(item.key, item);
    this.#wake();
  }
}

const say = (id: string, text: string) => feed.show(alice, conversation, { id, text, receivedAt: new Date(nowMs++) });

describe('an answer in the web chat', () => {
  it('is placed, grows and is final, in one place', async () => {
    const reader = await Reader.of(alice, conversation);
    const receipt = await channel.place(target, 'turn-1#0');
    await reader.until(() => reader.screen[0]?.state === 'placed');
    await channel.update(target, receipt, channel.render('**Hel')[0]!, { final: false });
    await reader.until(() => reader.screen[0]?.state === 'streaming');
    await channel.update(target, receipt, channel.render('**Hello**')[0]!, { final: true });
    await reader.until(() => reader.screen[0]?.state === 'final');
    expect(reader.screen).toHaveLength(1);
    expect(reader.screen[0]).toMatchObject({
      role: 'assistant',
      text: '**Hello**',
      html: '<p><strong>Hello</strong></p>\n',
      messageId: 'question-1',
    });
  });

  it('exists once however often it is placed, and keeps its place and what was written', async () => {
    const first = await channel.place(target, 'turn-1#0');
    const { at } = (await Reader.of(alice, conversation)).screen[0]!;
    await channel.update(target, first, channel.render('done')[0]!, { final: true });
    nowMs += 5_000;
    expect(await new WebReplyChannel(feed, alice).place(target, 'turn-1#0')).toBe(first);
    expect((await Reader.of(alice, conversation)).screen).toMatchObject([{ at, text: 'done', state: 'final' }]);
  });

  it('is not taken back by a streaming update that comes late, and may be made final again', async () => {
    const receipt = await channel.place(target, 'turn-1#0');
    await channel.update(target, receipt, channel.render('the whole answer')[0]!, { final: true });
    await channel.update(target, receipt, channel.render('the wh')[0]!, { final: false });
    await channel.update(target, receipt, channel.render('the whole answer')[0]!, { final: true });
    expect((await Reader.of(alice, conversation)).screen).toMatchObject([{ text: 'the whole answer', state: 'final' }]);
  });

  it('is written even when its placeholder is gone', async () => {
    await channel.update(target, 'r.turn-9', channel.render('still here')[0]!, { final: true });
    expect((await Reader.of(alice, conversation)).screen).toMatchObject([{ text: 'still here', messageId: 'question-1' }]);
  });

  it('goes to the tenant of the channel, whatever the target says', async () => {
    await channel.place({ ...target, account: 'bob' }, 'turn-1#0');
    expect((await Reader.of(bob, webConversationId(bob, 'visitor'))).screen).toEqual([]);
    expect((await Reader.of(alice, conversation)).screen).toHaveLength(1);
  });

  it('is one chunk of any length, and none when there is nothing to say', () => {
    expect(channel.render('')).toEqual([]);
    const [chunk, ...rest] = channel.render('word '.repeat(50_000));
    expect(rest).toEqual([]);
    expect(chunk?.text).toHaveLength(250_000);
  });
});

describe('the typing sign', () => {
  it('is there for six seconds', async () => {
    await channel.typing(target);
    expect((await Reader.of(alice, conversation)).screen).toMatchObject([
      { key: 'typing', state: 'typing', until: new Date(nowMs + 6_000).toISOString() },
    ]);
  });

  it('is gone once the answer is final', async () => {
    await channel.typing(target);
    const receipt = await channel.place(target, 'turn-1#0');
    await channel.update(target, receipt, channel.render('done')[0]!, { final: true });
    expect((await Reader.of(alice, conversation)).screen).toMatchObject([{ state: 'final' }]);
  });

  it('never rejects', async () => {
    await database.close();
    await expect(channel.typing(target)).resolves.toBeUndefined();
  });
});

describe('following a conversation', () => {
  it('tells the whole history first, in order, and then only what changed', async () => {
    await say('1', 'one');
    await say('2', 'two');
    const reader = await Reader.of(alice, conversation);
    expect(reader.changes).toMatchObject([{ complete: true, items: [{ text: 'one' }, { text: 'two' }] }]);
    await say('3', 'three');
    await reader.until(() => reader.changes.length > 1);
    expect(reader.changes[1]).toMatchObject({ complete: false, items: [{ text: 'three' }] });
  });

  it('puts a question before an answer of the same millisecond', async () => {
    await channel.place(target, 'a');
    await feed.show(alice, conversation, { id: 'z', text: 'why?', receivedAt: new Date(nowMs) });
    expect((await Reader.of(alice, conversation)).changes[0]?.items.map(({ role }) => role)).toEqual(['user', 'assistant']);
  });

  it('shows a message that was posted twice once, where it was first', async () => {
    await say('1', 'one');
    await say('2', 'two');
    await say('1', 'one');
    expect((await Reader.of(alice, conversation)).screen.map(({ text }) => text)).toEqual(['one', 'two']);
  });

  it('tells somebody who comes back only what is younger, with a minute to spare for clocks that differ', async () => {
    await say('1', 'long ago');
    nowMs += 120_000;
    await say('2', 'a while ago');
    nowMs += 30_000;
    const since = new Date(nowMs).toISOString();
    await say('3', 'just now');
    const reader = await Reader.of(alice, conversation, since);
    expect(reader.changes[0]?.complete).toBe(false);
    expect(reader.screen.map(({ text }) => text)).toEqual(['a while ago', 'just now']);
  });

  it('keeps the newest 200', async () => {
    for (let n = 1; n <= 205; n++) await say(String(n), `message ${n}`);
    const { screen } = await Reader.of(alice, conversation);
    expect(screen).toHaveLength(200);
    expect(screen[0]?.text).toBe('message 6');
  });

  it('misses nothing of a burst larger than what it watches', async () => {
    await say('0', 'before');
    const reader = await Reader.of(alice, conversation);
    await documents.transaction(async (transaction) => {
      for (let n = 1; n <= 90; n++) {
        const at = new Date(nowMs + n).toISOString();
        const record = { at, changedAt: at, role: 'user', state: 'final', text: String(n) };
        transaction.set(`tenants/alice/conversations/${conversation}/feed/m.${n}`, record);
      }
    });
    await reader.until(() => reader.screen.length === 91);
    expect(reader.screen.map(({ text }) => text)).toEqual(['before', ...Array.from({ length: 90 }, (_, n) => String(n + 1))]);
  });

  it('tells nothing after it was stopped', async () => {
    const reader = await Reader.of(alice, conversation);
    stops.pop()!();
    const other = await Reader.of(alice, conversation);
    await say('1', 'one');
    await other.until(() => other.screen.length === 1);
    expect(reader.screen).toEqual([]);
  });
});
