import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Documents } from '@rockpool/cloud';
import { openTestDocuments, type TestDocuments } from '@rockpool/cloud-embedded/testing';
import { inboundMessage, type ConversationId, type TenantId } from '@rockpool/contracts';
import { conversationIndexes, Inbox, paths, Wakes, type TurnRecord, type TurnState } from '@rockpool/conversations';
import { BulkWorker, operationPath, type BulkOperation, type BulkRequest } from '@rockpool/platform';
import { AuditLog, tenancyIndexes } from '@rockpool/tenancy';
import { BulkOperations } from './bulk-operations.js';

const alice = 'alice' as TenantId;
const bob = 'bob' as TenantId;

/** Wakes that somebody would hear. */
class HeardWakes extends Wakes {
  readonly heard: string[] = [];
  before: () => Promise<void> | void = () => undefined;

  override async wake(tenantId: TenantId, conversationId: ConversationId): Promise<void> {
    await this.before();
    this.heard.push(`${tenantId}/${conversationId}`);
  }
}

describe('operations in bulk', () => {
  let store: TestDocuments;
  let documents: Documents;
  let inbox: Inbox;
  let wakes: HeardWakes;
  let audit: AuditLog;
  let operations: BulkOperations;
  let workers: BulkWorker[];
  let errors: unknown[];

  beforeEach(async () => {
    store = await openTestDocuments([...conversationIndexes, ...tenancyIndexes]);
    documents = store.documents;
    inbox = new Inbox(documents);
    wakes = new HeardWakes();
    audit = new AuditLog(documents);
    operations = new BulkOperations(documents, inbox, 'cli');
    workers = [];
    errors = [];
  });

  afterEach(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await store.close();
  });

  async function startWorker(): Promise<BulkWorker> {
    const worker = new BulkWorker(documents, inbox, wakes, audit, (error) => errors.push(error));
    workers.push(worker);
    await worker.start();
    return worker;
  }

  /** Turns 1 to `count` of a tenant, in conversations of ten, received a second after one another. */
  async function turns(tenantId: TenantId, count: number, state: TurnState): Promise<void> {
    for (let n = 1; n <= count; n++) {
      const message = inboundMessage.parse({
        eventId: `telegram:1:${tenantId}:${n}`,
        conversationId: `telegram:1:${Math.ceil(n / 10)}`,
        kind: 'message',
        providerType: 'message',
        target: { channel: 'telegram', account: '1', chatId: '1' },
        chatKind: 'direct',
        sender: { id: '1' },
        text: `message ${n}`,
        addressed: true,
        sentAt: '2026-01-01T00:00:00Z',
        receivedAt: '2026-01-01T00:00:00Z',
        tenantId,
      });
      const turn = await inbox.append(tenantId, message);
      await documents.set(paths.turn(tenantId, turn.eventId), { ...turn, state, open: false, receivedAt: n * 1000 });
    }
  }

  async function ended(id: string): Promise<BulkOperation> {
    const { promise, resolve } = Promise.withResolvers<BulkOperation>();
    const unwatch = await documents.watch<BulkOperation>({ from: { collection: 'operations' } }, ({ items }) => {
      const found = items.find(({ data }) => data.id === id);
      if (found && found.data.state !== 'running') resolve(found.data);
    });
    try {
      return await promise;
    } finally {
      unwatch();
    }
  }

  const all = async (tenantId: TenantId) => {
    const page = await documents.query<TurnRecord>({ from: { collection: paths.turns(tenantId) }, limit: 1000 });
    return page.items.map(({ data }) => data);
  };
  const quarantined: BulkRequest = { action: 'replay', state: 'quarantined' };

  it('are planned without a write: how many, of whom, the oldest first', async () => {
    await turns(alice, 12, 'quarantined');
    await turns(bob, 3, 'quarantined');
    await turns('carol' as TenantId, 2, 'done');
    expect(await operations.plan(quarantined)).toMatchObject({ count: 15, isMore: false, tenants: { alice: 12, bob: 3 } });
    const plan = await operations.plan({ ...quarantined, tenantId: alice, before: 6_000 });
    expect(plan.count).toBe(5);
    expect(plan.first[0]).toEqual({ tenantId: alice, eventId: 'telegram:1:alice:1' });
    expect(await operations.plan({ ...quarantined, tenantId: alice, conversationId: 'telegram:1:2' as ConversationId })).toMatchObject({
      count: 2,
    });
    expect(await operations.list()).toEqual([]);
  });

  it.each<[BulkRequest['action'], TurnState]>([
    ['replay', 'running'],
    ['replay', 'dropped'],
    ['discard', 'answered'],
    ['discard', 'done'],
  ])('do not %s what is %s', async (action, state) => {
    await expect(operations.plan({ action, state })).rejects.toMatchObject({ code: 'invalid' });
    await expect(operations.begin({ action, state })).rejects.toMatchObject({ code: 'invalid' });
  });

  it('replay each turn once, in its order, wake its conversation, and stand in the audit log', async () => {
    await turns(alice, 60, 'quarantined');
    await turns(bob, 5, 'failed');
    await startWorker();
    const { id } = await operations.begin(quarantined);
    expect(await ended(id)).toMatchObject({ state: 'done', actor: 'cli', planned: 60, done: 60, skipped: 0 });
    const after = await all(alice);
    expect(after.map(({ state, replays }) => [state, replays])).toEqual(Array(60).fill(['pending', 1]));
    const fourth = after.filter(({ conversationId }) => conversationId === 'telegram:1:4').sort((a, b) => a.seq - b.seq);
    expect(fourth.map(({ receivedAt }) => receivedAt)).toEqual(fourth.map(({ receivedAt }) => receivedAt).sort((a, b) => a - b));
    expect(new Set(wakes.heard)).toEqual(new Set([1, 2, 3, 4, 5, 6].map((n) => `alice/telegram:1:${n}`)));
    expect((await all(bob)).map(({ state }) => state)).toEqual(Array(5).fill('failed'));
    const { entries, intact } = await audit.read(alice);
    expect(intact).toBe(true);
    expect(
      entries.every(({ actor, action, subjects }) => actor === 'cli' && action === 'replay' && subjects[0] === `operation:${id}`),
    ).toBe(true);
    expect(entries.flatMap(({ subjects }) => subjects.slice(1)).sort()).toEqual(after.map(({ eventId }) => eventId).sort());
  });

  it('discard what is asked for', async () => {
    await turns(alice, 30, 'quarantined');
    await startWorker();
    const { id } = await operations.begin({ action: 'discard', state: 'quarantined', tenantId: alice, before: 11_000 });
    expect(await ended(id)).toMatchObject({ done: 10 });
    expect((await all(alice)).filter(({ state }) => state === 'discarded')).toHaveLength(10);
  });

  it('do not take again what was quarantined again meanwhile', async () => {
    await turns(alice, 40, 'quarantined');
    wakes.before = async () => {
      for (const turn of await all(alice)) {
        if (turn.state === 'pending') await documents.set(paths.turn(alice, turn.eventId), { ...turn, state: 'quarantined', open: false });
      }
    };
    await startWorker();
    const { id } = await operations.begin(quarantined);
    expect(await ended(id)).toMatchObject({ done: 40 });
    expect((await all(alice)).map(({ replays }) => replays)).toEqual(Array(40).fill(1));
  });

  it('leave alone what changed since the batch was taken, and say so', async () => {
    await turns(alice, 2, 'done');
    const [first] = await all(alice);
    await documents.set(paths.turn(alice, first!.eventId), { ...first, command: { name: 'help', answer: '' } });
    await startWorker();
    const { id } = await operations.begin({ action: 'replay', state: 'done' });
    const { problems, ...operation } = await ended(id);
    expect(operation).toMatchObject({ done: 1, skipped: 1 });
    expect(problems).toEqual([{ tenantId: alice, eventId: first!.eventId, reason: expect.stringContaining('nothing to run') }]);
  });

  it('are cancelled between two batches', async () => {
    await turns(alice, 100, 'quarantined');
    const { id } = await operations.begin(quarantined);
    wakes.before = async () => void (await operations.cancel(id).catch(() => undefined));
    await startWorker();
    await ended(id);
    await workers[0]!.stop();
    const operation = await operations.get(id);
    expect(operation).toMatchObject({ state: 'cancelled', done: 25 });
    expect((await all(alice)).filter(({ replays }) => replays === 1)).toHaveLength(25);
    await expect(operations.cancel(id)).rejects.toMatchObject({ code: 'conflict' });
    await expect(operations.cancel('nothing')).rejects.toMatchObject({ code: 'not_found' });
    await expect(operations.get('../tenants')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('go on after a crash in the middle of a batch, with nothing replayed twice and nothing uncounted', async () => {
    await turns(alice, 60, 'quarantined');
    const { id } = await operations.begin(quarantined);
    let heard = 0;
    wakes.before = () => {
      if (++heard > 4) throw new Error('the process ends here');
    };
    const dying = await startWorker();
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (errors.length > 0) resolve(clearInterval(timer));
      }, 5);
    });
    await dying.stop();
    const left = await operations.get(id);
    expect(left).toMatchObject({ state: 'running', batch: expect.any(Array) });
    wakes.before = () => undefined;
    await startWorker();
    expect(await ended(id)).toMatchObject({ state: 'done', done: 60, skipped: 0 });
    expect((await all(alice)).map(({ replays }) => replays)).toEqual(Array(60).fill(1));
  });

  it('are worked on by one of several instances, and taken over when that one is silent', async () => {
    await turns(alice, 50, 'quarantined');
    const { id } = await operations.begin(quarantined);
    const found = await documents.get<BulkOperation>(operationPath(id));
    await documents.set(operationPath(id), { ...found!.data, holder: 'silent', heldUntil: Date.now() + 200 });
    await Promise.all([startWorker(), startWorker()]);
    expect((await all(alice)).filter(({ replays }) => replays > 0)).toEqual([]);
    expect(await ended(id)).toMatchObject({ state: 'done', done: 50, skipped: 0 });
    expect((await all(alice)).map(({ replays }) => replays)).toEqual(Array(50).fill(1));
  });
});
