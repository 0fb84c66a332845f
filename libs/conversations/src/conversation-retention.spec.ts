import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { EventId } from '@rockpool/contracts';
import { ConversationRetention } from './conversation-retention.js';
import { paths, type ConversationRecord, type TranscriptRecord, type TurnRecord } from './records.js';
import { openHost, type TestHost } from './testing/host.js';
import { alice, chat, messageOf } from './testing/messages.js';

const days = 86_400_000;

let host: TestHost;
beforeEach(async () => (host = await openHost()));
afterEach(() => host.close());

const live = () => new AbortController().signal;
const before = (messagesDays: number, turnsDays: number) => ({
  messagesBefore: Date.now() - messagesDays * days,
  turnsBefore: Date.now() - turnsDays * days,
});
const run = (messagesDays: number, turnsDays: number, signal = live()) =>
  new ConversationRetention(host.documents).run(alice, before(messagesDays, turnsDays), signal);
const idOf = (n: number): EventId => messageOf(n, '').eventId;
const conversation = async () => (await host.documents.get<ConversationRecord>(paths.conversation(alice, chat)))!.data;
const said = async () =>
  (await host.documents.query<TranscriptRecord>({ from: { collection: paths.messages(alice, chat) } })).items.map(({ data }) => data.text);

/** Makes a turn, and what was said in it, so many days old. */
async function age(n: number, ageDays: number): Promise<void> {
  const at = Date.now() - ageDays * days;
  await host.amend(n, (turn) => ({ ...turn, receivedAt: at, ...(turn.finishedAt !== undefined && { finishedAt: at }) }));
  const { items } = await host.documents.query<TranscriptRecord>({ from: { collection: paths.messages(alice, chat) } });
  for (const { path, data } of items)
    if (data.eventId === idOf(n)) await host.documents.set(path, { ...data, at: new Date(at).toISOString() });
}

it('deletes what is older than the plan keeps, turns together with their ledgers, and nothing that is younger', async () => {
  await host.say('one', 'two', 'three');
  await age(1, 40);
  await age(2, 20);
  await age(3, 0);
  expect(await run(30, 10)).toEqual({ messages: 2, turns: 2, isComplete: true });
  expect(await said()).toEqual(['two', 'You said: two', 'three', 'You said: three']);
  expect(await host.inbox.find(alice, idOf(1))).toBeUndefined();
  expect((await host.documents.query({ from: { collection: paths.replies(alice, idOf(1)) } })).items).toEqual([]);
  expect(await host.states(3)).toEqual(['done']);
  expect(await run(30, 10)).toEqual({ messages: 0, turns: 0, isComplete: true });
});

it('never deletes what is open, however old it is', async () => {
  await host.inbox.append(alice, messageOf(1, 'waits'));
  await age(1, 400);
  expect(await run(30, 10)).toEqual({ messages: 0, turns: 0, isComplete: true });
  expect(await host.states(1)).toEqual(['pending']);
});

it('keeps an old turn that was replayed and ended again lately', async () => {
  await host.say('one');
  await age(1, 40);
  await host.inbox.replay(alice, idOf(1));
  await host.drive();
  expect(await run(30, 10)).toMatchObject({ turns: 0 });
  expect(await host.turn(1)).toMatchObject({ state: 'done', replays: 1 });
});

it('keeps a turn that is replayed in the moment it was to be deleted', async () => {
  await host.say('one');
  await age(1, 40);
  // The run has read its page; before it deletes, an operator replays.
  const query = host.documents.query.bind(host.documents);
  let isReplayed = false;
  host.documents.query = (async (asked: Parameters<typeof query>[0]) => {
    const page = await query(asked);
    if (!isReplayed && asked.where?.['open'] === false) {
      isReplayed = true;
      await host.inbox.replay(alice, idOf(1));
    }
    return page;
  }) as typeof host.documents.query;
  expect(await run(30, 10)).toMatchObject({ turns: 0 });
  expect(isReplayed).toBe(true);
  await host.drive();
  expect(await host.states(1)).toEqual(['done']);
});

it('goes on where it was cut short, and repeats do no harm', async () => {
  await host.say('one', 'two');
  await age(1, 40);
  await age(2, 40);
  expect(await run(30, 10, AbortSignal.abort())).toEqual({ messages: 0, turns: 0, isComplete: false });
  const both = await Promise.all([run(30, 10), run(30, 10)]);
  expect(both.every(({ isComplete }) => isComplete)).toBe(true);
  expect(both.reduce((sum, { turns }) => sum + turns, 0)).toBe(2);
  expect(await said()).toEqual([]);
});

it('goes through many pages, of which some are young', async () => {
  await host.say('one');
  const turn = (await host.documents.get<TurnRecord>(paths.turn(alice, idOf(1))))!.data;
  for (let n = 1_000; n < 1_450; n++) {
    const eventId = idOf(n);
    const at = Date.now() - (n % 2 ? 5 : 20) * days;
    await host.documents.set(paths.turn(alice, eventId), { ...turn, eventId, receivedAt: at, finishedAt: at });
  }
  expect(await run(30, 10)).toMatchObject({ turns: 225 });
  expect(await run(30, 10)).toMatchObject({ turns: 0 });
});

it('forgets what shows the same beside the transcript', async () => {
  await host.say('one');
  const at = (daysAgo: number) => ({ at: new Date(Date.now() - daysAgo * days).toISOString() });
  const feed = `${paths.conversation(alice, chat)}/feed`;
  for (let n = 0; n < 300; n++) await host.documents.set(`${feed}/${n}`, at(n < 250 ? 40 : 20));
  await new ConversationRetention(host.documents, ['feed']).run(alice, before(30, 10), live());
  expect((await host.documents.query({ from: { collection: feed }, limit: 1000 })).items).toHaveLength(50);
});

it('forgets the summary of a conversation in which nothing was said for so long, and the next message begins anew', async () => {
  await host.say('one');
  await age(1, 40);
  const old = { ...(await conversation()), summary: 'They spoke of whales.', summaryThrough: 2, updatedAt: Date.now() - 40 * days };
  await host.documents.set(paths.conversation(alice, chat), old);
  await run(90, 10);
  expect(await conversation()).toMatchObject({ summary: 'They spoke of whales.' });
  await run(30, 10);
  expect(await conversation()).not.toHaveProperty('summary');
  await host.inbox.append(alice, messageOf(2, 'two'));
  await host.drive();
  expect(host.runtime.turns.at(-1)).toMatchObject({ history: [] });
  expect(host.runtime.turns.at(-1)).not.toHaveProperty('summary');
});

it('forgets whole conversations of a tenant that is gone, but none in which something is open', async () => {
  await host.say('one');
  const retention = new ConversationRetention(host.documents);
  expect(await retention.forgetConversations(alice, live())).toBe(false);
  await retention.run(alice, { messagesBefore: Date.now() + days, turnsBefore: Date.now() + days }, live());
  await host.inbox.append(alice, messageOf(2, 'waits'));
  expect(await retention.forgetConversations(alice, live())).toBe(false);
  await host.inbox.discard(alice, idOf(2));
  expect(await retention.forgetConversations(alice, live())).toBe(true);
  expect(await host.documents.get(paths.conversation(alice, chat))).toBeUndefined();
});
