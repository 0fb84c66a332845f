import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { inboundMessage, type ConversationId, type TenantId } from '@rockpool/contracts';
import {
  conversationIndexes,
  ConversationRetention,
  ExpiredLeases,
  Inbox,
  LooseEnds,
  paths,
  type ConversationRecord,
  type ReplyRecord,
  type TurnRecord,
} from '@rockpool/conversations';
import { OneChannel, RecordingChannel } from '@rockpool/conversations/testing';
import type { FirestoreDocuments } from './firestore-documents.js';
import { describeOnFirestore } from './testing/firestore-emulator.fixture.js';

const alice = 'alice' as TenantId;
const chat = 'telegram:1:100' as ConversationId;
const minute = 60_000;
const live = () => new AbortController().signal;

const message = inboundMessage.parse({
  eventId: 'telegram:1:1',
  tenantId: alice,
  conversationId: chat,
  kind: 'message',
  providerType: 'message',
  target: { channel: 'telegram', account: '1', chatId: '100', messageId: '1' },
  chatKind: 'direct',
  sender: { id: '100', displayName: 'Ann' },
  text: 'hello',
  addressed: true,
  sentAt: '2026-01-01T00:00:00Z',
  receivedAt: '2026-01-01T00:00:00Z',
});

describeOnFirestore('upkeep of conversations in Firestore', (open) => {
  let documents: FirestoreDocuments;
  let inbox: Inbox;
  beforeEach(() => {
    documents = open(conversationIndexes).documents;
    inbox = new Inbox(documents);
  });
  afterEach(() => documents.close());

  const conversation = async () => (await documents.get<ConversationRecord>(paths.conversation(alice, chat)))!.data;

  /** A turn that was discarded, and whose placeholder is at the channel. */
  async function discarded(channel: RecordingChannel): Promise<TurnRecord> {
    const { eventId } = await inbox.append(alice, message);
    const receipt = await channel.place(message.target, 'key');
    const row: ReplyRecord = { n: 0, key: 'key', state: 'placed', receipt, unknownPlacements: 0, updatedAt: Date.now() };
    await documents.set(paths.reply(alice, eventId, 0), row);
    return inbox.discard(alice, eventId);
  }

  it('clears a lease that ran out where nothing is open, and none where something is', async () => {
    const { eventId } = await inbox.append(alice, message);
    const lease = { holder: 'dead', token: 1, expiresAt: 1, wakeId: 'w' };
    await documents.set(paths.conversation(alice, chat), { ...(await conversation()), lease });
    const leases = new ExpiredLeases(documents);
    expect(await leases.clear(live())).toBe(0);
    await inbox.discard(alice, eventId);
    expect(await leases.clear(live())).toBe(1);
    expect(await conversation()).not.toHaveProperty('lease');
  });

  it('brings to an end what a discarded turn left at the channel, once over two schedulers', async () => {
    const channel = new RecordingChannel();
    await discarded(channel);
    const end = () =>
      new LooseEnds(documents, new OneChannel(channel), { now: () => Date.now() + 2 * minute, onWarning: () => undefined }).end(live());
    const results = await Promise.all([end(), end()]);
    expect(results.map(({ ended }) => ended).sort()).toEqual([0, 1]);
    expect(channel.visible.join('').match(/🗂/gu)).toHaveLength(1);
    expect(await end()).toEqual({ ended: 0, unresolved: [] });
  });

  it('deletes a turn with its ledger, and not while it is open', async () => {
    const { eventId } = await discarded(new RecordingChannel());
    await inbox.replay(alice, eventId);
    const soon = Date.now() + minute;
    const run = () => new ConversationRetention(documents, ['feed']).run(alice, { messagesBefore: soon, turnsBefore: soon }, live());
    expect(await run()).toEqual({ messages: 0, turns: 0, isComplete: true });
    await inbox.discard(alice, eventId);
    expect(await run()).toEqual({ messages: 0, turns: 1, isComplete: true });
    expect((await documents.query({ from: { collection: paths.replies(alice, eventId) } })).items).toEqual([]);
  });
});
