import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Database, EncryptedSecrets, SqliteDocuments } from '@rockpool/cloud-embedded';
import { inboundMessage, type ConversationId, type JobId, type TenantId } from '@rockpool/contracts';
import { Inbox, paths, type TranscriptRecord, type TurnRecord } from '@rockpool/conversations';
import { jobPaths } from '@rockpool/jobs';
import { plans, removedKeptDays, TenantDirectory, Tenants, tenantsFile, type PlanName } from '@rockpool/tenancy';
import { indexes } from '../engine.js';
import { Retention } from './retention.js';

const days = 86_400_000;
const [free, pro] = ['free-one', 'pro-one'] as [TenantId, TenantId];

let folder: string;
let database: Database;
let documents: SqliteDocuments;
let directory: TenantDirectory;
let tenants: Tenants;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-retention-'));
  database = Database.open(join(folder, 'state.db'), { synchronous: 'OFF' });
  documents = new SqliteDocuments(database, indexes);
  const secrets = await EncryptedSecrets.open(database, { keyFile: join(folder, 'elsewhere', 'key'), dataFolder: join(folder, 'data') });
  directory = new TenantDirectory(documents, secrets);
  tenants = new Tenants(documents);
  await apply(free, pro);
});
afterEach(async () => {
  tenants.close();
  documents.close();
  await database.close();
  await rm(folder, { recursive: true });
});

async function apply(...ids: TenantId[]): Promise<void> {
  const specs = Object.fromEntries(ids.map((id) => [id, { plan: id.split('-')[0] }]));
  await directory.apply(await directory.plan(tenantsFile.parse({ tenants: specs })));
}

const run = (inDays = 0, signal = new AbortController().signal) =>
  new Retention(documents, tenants, () => Date.now() + inDays * days).run(signal);
const count = async (collection: string) => (await documents.query({ from: { collection }, limit: 1000 })).items.length;

/** A turn with what was said in it, a job with a step, and a note; all of them so old. */
async function leave(tenantId: TenantId, ageDays: number, isOpen = false): Promise<void> {
  const at = Date.now() - ageDays * days;
  const conversationId = `http:${tenantId}:c`;
  const message = inboundMessage.parse({
    eventId: `http:${tenantId}:${ageDays}`,
    conversationId,
    kind: 'message',
    providerType: 'message',
    target: { channel: 'http', account: tenantId, chatId: 'c' },
    chatKind: 'direct',
    sender: { id: 'sender' },
    text: 'hello',
    addressed: true,
    sentAt: new Date(at).toISOString(),
    receivedAt: new Date(at).toISOString(),
    tenantId,
  });
  const turn = await new Inbox(documents, () => at).append(tenantId, message);
  const ended: TurnRecord = { ...turn, state: 'done', open: false, finishedAt: at };
  if (!isOpen) await documents.set(paths.turn(tenantId, message.eventId), ended);
  const path = paths.conversation(tenantId, message.conversationId);
  await documents.set(path, { ...(await documents.get<object>(path))!.data, messages: 1_000 });
  const said: TranscriptRecord = {
    n: ageDays,
    session: 1,
    role: 'user',
    text: 'hello',
    eventId: message.eventId,
    at: new Date(at).toISOString(),
  };
  await documents.set(paths.message(tenantId, message.conversationId, 1_000 - ageDays), said);
  const job = { tenantId, jobId: `j${ageDays}`, label: '1', open: isOpen, unsettled: false, createdAt: at, finishedAt: at, steps: 1 };
  await documents.set(jobPaths.job(tenantId, job.jobId as JobId), job);
  await documents.set(jobPaths.step(tenantId, job.jobId as JobId, 1), { n: 1 });
  await documents.set(`tenants/${tenantId}/memories/m${ageDays}`, { text: 'likes tea', at: new Date(at).toISOString() });
}

const left = async (tenantId: TenantId) => ({
  turns: await count(paths.turns(tenantId)),
  messages: await count(paths.messages(tenantId, `http:${tenantId}:c` as ConversationId)),
  jobs: await count(jobPaths.jobs(tenantId)),
});

it('keeps what each plan keeps, and no more', async () => {
  for (const id of [free, pro]) for (const age of [1, 20, 60, 400]) await leave(id, age);
  expect(await run()).toEqual({ messages: 3, turns: 4, jobs: 4, isComplete: true });
  expect(await left(free)).toEqual({ turns: 1, messages: 2, jobs: 1 });
  expect(await left(pro)).toEqual({ turns: 3, messages: 3, jobs: 3 });
  expect(await count(`tenants/${free}/memories`)).toBe(4);
  expect(await run()).toEqual({ messages: 0, turns: 0, jobs: 0, isComplete: true });
});

it('keeps turns of every plan for longer than a channel may deliver them again', () => {
  for (const name of Object.keys(plans) as PlanName[]) expect(plans[name].retention.turns).toBeGreaterThanOrEqual(8);
});

it('never deletes what is open', async () => {
  await leave(free, 400, true);
  expect(await run()).toMatchObject({ turns: 0, jobs: 0 });
});

it('keeps everything of a removed tenant for its days, and gives it back', async () => {
  await leave(pro, 1);
  await apply(free);
  await run(removedKeptDays - 1);
  await apply(free, pro);
  await run();
  expect(await left(pro)).toEqual({ turns: 1, messages: 1, jobs: 1 });
});

it('deletes what a removed tenant left once its days are over, but not what is known of who changed what', async () => {
  await leave(pro, 1);
  await leave(free, 1);
  await apply(free);
  expect(await run(removedKeptDays + 1)).toMatchObject({ isComplete: true });
  expect(await left(pro)).toEqual({ turns: 0, messages: 0, jobs: 0 });
  for (const name of ['conversations', 'memories', 'schedules', 'counters'])
    expect([name, await count(`tenants/${pro}/${name}`)]).toEqual([name, 0]);
  expect(await count(`tenants/${pro}/audit`)).toBeGreaterThan(0);
  expect(await count(`tenants/${free}/memories`)).toBe(1);
});

it('leaves alone the rest of a removed tenant in which something is open still', async () => {
  await leave(pro, 1, true);
  await apply(free);
  await run(removedKeptDays + 1);
  expect(await left(pro)).toMatchObject({ turns: 1, jobs: 1 });
  expect(await count(`tenants/${pro}/memories`)).toBe(1);
});

it('says when its time was over first, and goes on another time', async () => {
  for (let age = 100; age < 150; age++) await leave(free, age);
  expect(await run(0, AbortSignal.abort())).toEqual({ messages: 0, turns: 0, jobs: 0, isComplete: false });
  expect(await run()).toEqual({ messages: 50, turns: 50, jobs: 50, isComplete: true });
});
