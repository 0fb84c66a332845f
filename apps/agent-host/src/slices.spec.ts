import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  pooledHostAudience,
  runJobSlicePath,
  services,
  type ConversationId,
  type InboundMessage,
  type JobId,
  type TenantId,
} from '@rockpool/contracts';
import { jobPaths, type JobRecord } from '@rockpool/jobs';
import { openPlatform, startApps, type Platform } from '@rockpool/platform';
import { parseConfig, type RunningService } from '@rockpool/service';
import { TenantDirectory, tenantsFile } from '@rockpool/tenancy';
import { agentHostApp } from './app.js';

const alice = 'alice' as TenantId;
const chat = 'http:alice:c' as ConversationId;
const jobId = 'http:alice:m1' as JobId;

let folder: string;
let platform: Platform;
let service: RunningService | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-slices-'));
  await open();
});
afterEach(async () => {
  await service?.close();
  await platform.close();
  await rm(folder, { recursive: true });
});

async function open(): Promise<void> {
  const parsed = parseConfig({ PORT: '0', ROCKPOOL_DATA_DIR: join(folder, 'data'), ROCKPOOL_KEY_FILE: join(folder, 'keys', 'key') });
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  platform = await openPlatform(parsed.config, 'agent-host');
  service = undefined;
}
async function apply(tenants: object): Promise<void> {
  const directory = new TenantDirectory(platform.cloud.documents, platform.cloud.secrets);
  await directory.apply(await directory.plan(tenantsFile.parse({ tenants })));
}
const start = async () => {
  service = await startApps('agent-host', platform, [agentHostApp.module(platform)], { silent: true });
};

/** A message that opened the conversation, and a job there. */
async function begin(text: string): Promise<JobRecord> {
  const at = new Date().toISOString();
  const message: InboundMessage = {
    eventId: jobId as string as InboundMessage['eventId'],
    conversationId: chat,
    kind: 'message',
    providerType: 'message',
    target: { channel: 'http', account: 'alice', chatId: 'c', shared: false },
    chatKind: 'direct',
    sender: { id: 'sender', isBot: false },
    text,
    attachments: [],
    addressed: true,
    sentAt: at,
    receivedAt: at,
  };
  await platform.inbox.append(alice, message);
  const input = { message: { role: 'user', text, at }, senderId: 'sender' };
  return platform.jobs.start(alice, { jobId, kind: 'agent', title: 'count', input, conversationId: chat });
}
const job = () => platform.jobs.get(alice, jobId);

/** Resolves once the job is as it is asked for. */
async function until(isSo: (record: JobRecord) => boolean): Promise<JobRecord> {
  const seen = Promise.withResolvers<JobRecord>();
  const stop = await platform.jobs.watch(alice, jobId, (record) => isSo(record) && seen.resolve(record));
  try {
    return await seen.promise;
  } finally {
    stop();
  }
}

async function run(slice: number, caller: string = services.agentHost): Promise<Response> {
  const token = await platform.cloud.identity.mint({ audience: pooledHostAudience, service: caller });
  return fetch(`${service!.url}${runJobSlicePath}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ tenantId: alice, jobId, slice }),
  });
}

describe('a job', () => {
  beforeEach(() => apply({ alice: { plan: 'free', agent: { model: 'demo' } } }));

  it('is run by its tasks, over waits and a restart on another port, and what it has to say waits in its conversation', async () => {
    await start();
    await begin('count to 3 every 0.3 seconds');
    await until(({ steps }) => steps >= 4);
    await service!.close();
    await platform.close();
    await open();
    await start();
    expect(await until(({ open, unsettled }) => !open && !unsettled)).toMatchObject({
      state: 'succeeded',
      result: '[demo model] I counted to 3.',
    });
    const [first, ended] = await platform.inbox.open(alice, chat);
    expect(first!.eventId).toBe(jobId);
    expect(ended!.message.text).toBe('**Job 1** (count) is done.\n\n[demo model] I counted to 3.');
  });

  it('that is held makes its task come again, not before the lease has run out', async () => {
    await start();
    await begin('ask me something');
    await until(({ state }) => state === 'waiting');
    const record = await job();
    const lease = { holder: 'embedded-another', token: record.fence, expiresAt: Date.now() + 40_000 };
    const { waiting: _, ...rest } = record;
    // Of a holder of this very process, which nobody takes for dead.
    const held = { ...rest, state: 'running', lease: { ...lease, holder: await ownHolder() } };
    await platform.cloud.documents.set(jobPaths.job(alice, jobId), held);
    const response = await run(record.slice);
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(30);
  });

  it('is not begun by a task of another slice, by other apps than makers of tasks, or by nonsense', async () => {
    await start();
    await begin('ask me something');
    const { slice } = await until(({ state }) => state === 'waiting');
    expect(await (await run(slice + 1)).json()).toEqual({ kind: 'duplicate' });
    expect((await run(slice, 'ingress')).status).toBe(401);
    expect((await run(0)).status).toBe(400);
  });
});

describe('a job of a tenant', () => {
  it.each([
    ['that is suspended', { alice: { suspended: true } }, 'its tenant is suspended'],
    ['that was removed', {}, 'tenant alice was removed'],
  ])('%s ends, with the reason on record', async (_, tenants, reason) => {
    await apply({ alice: {} });
    await begin('count to 3');
    await apply(tenants);
    await start();
    expect(await until(({ open }) => !open)).toMatchObject({ state: 'failed', reason });
  });
});

/** The holder that this process claims jobs as. */
async function ownHolder(): Promise<string> {
  const seen = Promise.withResolvers<string>();
  const other = 'http:alice:m2' as JobId;
  const stop = await platform.jobs.watch(alice, other, ({ lease }) => lease && seen.resolve(lease.holder));
  const at = new Date().toISOString();
  const input = { message: { role: 'user', text: 'echo hi', at }, senderId: 'sender' };
  await platform.jobs.start(alice, { jobId: other, kind: 'agent', title: 'other', input, conversationId: chat });
  try {
    return await seen.promise;
  } finally {
    stop();
  }
}
