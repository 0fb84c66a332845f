import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { codeOf, type ConversationId, inboundMessage, type TenantId } from '@rockpool/contracts';
import { type Claim, ConversationLeases, conversationIndexes, Inbox, type TurnRecord } from '@rockpool/conversations';
import type { FirestoreDocuments } from './firestore-documents.js';
import { describeOnFirestore } from './testing/firestore-emulator.fixture.js';

const alice = 'alice' as TenantId;
const chat = 'telegram:1:100' as ConversationId;

function messageOf(n: number) {
  const sentAt = new Date(1_700_000_000_000 + n * 1_000).toISOString();
  return inboundMessage.parse({
    eventId: `telegram:1:${n}`,
    tenantId: alice,
    conversationId: chat,
    kind: 'message',
    providerType: 'message',
    target: { channel: 'telegram', account: '1', chatId: '100', messageId: String(n) },
    chatKind: 'direct',
    sender: { id: '100', displayName: 'Ann' },
    text: `message ${n}`,
    addressed: true,
    sentAt,
    receivedAt: sentAt,
  });
}

describeOnFirestore('two hosts of one conversation in Firestore', (open) => {
  let processes: FirestoreDocuments[];
  let inboxes: Inbox[];
  let leases: ConversationLeases[];
  let now: number;
  let dead: Set<string>;

  beforeEach(() => {
    const first = open(conversationIndexes);
    processes = [first.documents, open(conversationIndexes, first).documents];
    now = Date.now();
    inboxes = processes.map((documents) => new Inbox(documents, () => now));
    dead = new Set();
    const mayBeAlive = (holder: string) => !dead.has(holder);
    leases = processes.map((documents, n) => new ConversationLeases(documents, { holder: `host-${n}`, leaseMs: 30_000, mayBeAlive }));
  });

  afterEach(async () => {
    for (const documents of processes) await documents.close();
  });

  const inbox = (host = 0) => inboxes[host]!;
  const lease = (host: number) => leases[host]!;

  async function claimBy(host: number): Promise<Claim> {
    const result = await lease(host).claim(alice, chat, `wake-${host}`);
    if (result.kind !== 'claimed') throw new Error(`host ${host} was told ${result.kind}`);
    return result.claim;
  }

  const done = (turn: TurnRecord): TurnRecord => ({ ...turn, state: 'done', open: false });

  it('gives every event one place, whichever host it comes to and however often', async () => {
    const appended = await Promise.all([1, 2, 3, 1, 2, 3].map((n, index) => inbox(index % 2).append(alice, messageOf(n))));
    expect(appended.map(({ seq }) => seq).sort()).toEqual([1, 1, 2, 2, 3, 3]);
    const places = (await inbox().open(alice, chat)).map(({ seq, eventId }) => `${seq} ${eventId}`);
    expect(new Set(appended.map(({ seq, eventId }) => `${seq} ${eventId}`))).toEqual(new Set(places));
  });

  it('is held by one of them', async () => {
    await inbox().append(alice, messageOf(1));
    const results = await Promise.all([0, 1].map((host) => lease(host).claim(alice, chat, `wake-${host}`)));
    expect(results.map(({ kind }) => kind).sort()).toEqual(['claimed', 'held']);
  });

  it('goes on with the other when the first is given up, and takes nothing more from the first', async () => {
    await inbox().append(alice, messageOf(1));
    const lost = await claimBy(0);
    dead.add('host-0');
    const taken = await claimBy(1);
    expect([taken.turn.eventId, taken.turn.attempts, taken.resumed]).toEqual([lost.turn.eventId, 2, true]);
    expect(taken.lease.token).toBeGreaterThan(lost.lease.token);
    const late = [lease(0).renew(lost), lease(0).release(lost, done), lease(0).finish(lost, done, () => undefined)];
    for (const attempt of late) await expect(attempt.catch(codeOf)).resolves.toBe('stale_lease');
    await lease(1).renew(taken);
    await expect(lease(1).finish(taken, done, () => undefined)).resolves.toEqual({ kind: 'empty' });
  });

  it('strands no message that comes while its last turn ends', async () => {
    await inbox().append(alice, messageOf(1));
    let claim = await claimBy(0);
    for (let n = 2; n <= 5; n++) {
      const [next] = await Promise.all([lease(0).finish(claim, done, () => undefined), inbox(1).append(alice, messageOf(n))]);
      // Either the end saw the message and goes on with it, or the conversation is free for who is woken by it.
      claim = next.kind === 'claimed' ? next.claim : await claimBy(1);
      expect([next.kind === 'waiting', claim.turn.seq]).toEqual([false, n]);
      if (next.kind === 'empty') leases.reverse();
    }
  });

  it('keeps its turns in order for the list and for the search of what is stranded', async () => {
    for (const n of [1, 2, 3]) {
      now += 1;
      await inbox().append(alice, messageOf(n));
    }
    await lease(0).finish(await claimBy(0), done, () => undefined);
    const { items } = await inbox().list({ state: 'pending' });
    expect(items.map(({ seq }) => seq)).toEqual([3]);
    expect((await inbox().list({ tenantId: alice, conversationId: chat, oldestFirst: true })).items.map(({ seq }) => seq)).toEqual([
      1, 2, 3,
    ]);
    expect((await inbox().stranded(now + 1)).items).toEqual([{ tenantId: alice, conversationId: chat }]);
  });
});
