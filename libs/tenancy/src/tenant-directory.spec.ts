import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Database, EncryptedSecrets, SqliteDocuments } from '@rockpool/cloud-embedded';
import { eventually } from '@rockpool/cloud/testing';
import { codeOf, type TenantId } from '@rockpool/contracts';
import { AuditLog } from './audit.js';
import { Routes } from './routes.js';
import { TenantDirectory } from './tenant-directory.js';
import { tenancyIndexes } from './tenant-record.js';
import { TenantSecrets } from './tenant-secrets.js';
import { tenantsFile } from './tenant.js';
import { Tenants } from './tenants.js';

const alice = 'alice' as TenantId;
const bob = 'bob' as TenantId;
const aliceBot = { botToken: 'env://ALICE_TOKEN', webhookSecret: 'env://ALICE_SECRET' };
const aliceValues = { 'alice/telegram-bot-token': '111:AAA', 'alice/telegram-webhook-secret': 'hook-1' };
const sharedBot = { botToken: 'secret://platform/telegram-bot-token', webhookSecret: 'secret://platform/telegram-webhook-secret' };
const sharedValues = { 'platform/telegram-bot-token': '999:ZZZ', 'platform/telegram-webhook-secret': 'hook-9' };

let folder: string;
let database: Database;
let documents: SqliteDocuments;
let secrets: EncryptedSecrets;
let directory: TenantDirectory;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-tenancy-'));
  database = Database.open(join(folder, 'state.db'));
  documents = new SqliteDocuments(database, tenancyIndexes);
  secrets = await EncryptedSecrets.open(database, { keyFile: join(folder, 'elsewhere', 'key'), dataFolder: join(folder, 'data') });
  directory = new TenantDirectory(documents, secrets);
});

afterEach(async () => {
  documents.close();
  await database.close();
  await rm(folder, { recursive: true });
});

async function apply(tenants: object, values: Record<string, string> = {}, shared: object = {}) {
  const plan = await directory.plan(tenantsFile.parse({ shared, tenants }), values);
  expect(plan.problems).toEqual([]);
  await directory.apply(plan, 'test');
  return plan;
}

async function problemsOf(tenants: object, values: Record<string, string> = {}, shared: object = {}) {
  const plan = await directory.plan(tenantsFile.parse({ shared, tenants }), values);
  return plan.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

async function owners(): Promise<Record<string, string>> {
  const page = await documents.query<{ tenantId: string }>({ from: { collection: 'routes' } });
  return Object.fromEntries(page.items.map(({ id, data }) => [id, data.tenantId]));
}

const stored = async () => (await new Tenants(documents).list()).map(({ id }) => id);

describe('applying tenants', () => {
  it('adds them with their routes, and stores their secrets under references', async () => {
    expect(await directory.isEmpty()).toBe(true);
    const plan = await apply({ alice: { channels: { telegram: aliceBot } }, bob: {} }, aliceValues);
    expect(plan.changes).toEqual([
      { id: 'alice', kind: 'added', fields: [] },
      { id: 'bob', kind: 'added', fields: [] },
    ]);
    expect(await directory.isEmpty()).toBe(false);
    expect(await owners()).toEqual({ 'telegram:111': 'alice' });
    expect(await secrets.get({ tenant: 'alice', field: 'telegram-bot-token' })).toBe('111:AAA');
    const record = await documents.get('tenants/alice');
    expect(record?.data).toMatchObject({ spec: { channels: { telegram: { botToken: 'secret://alice/telegram-bot-token' } } } });
    expect(JSON.stringify(record)).not.toContain('AAA');
  });

  it('writes nothing while it only plans', async () => {
    await directory.plan(tenantsFile.parse({ tenants: { alice: { channels: { telegram: aliceBot } } } }), aliceValues);
    expect(await stored()).toEqual([]);
    expect(await secrets.list('alice')).toEqual([]);
  });

  it('finds nothing to do the second time', async () => {
    const tenants = { alice: { channels: { telegram: aliceBot } } };
    await apply(tenants, aliceValues);
    expect(await apply(tenants, aliceValues)).toMatchObject({ changes: [], unchanged: 1, shared: [] });
  });

  it('does nothing more when one plan is applied twice', async () => {
    const plan = await apply({ alice: {} });
    const version = (await documents.get('tenants/alice'))?.version;
    await directory.apply(plan, 'test');
    expect((await documents.get('tenants/alice'))?.version).toBe(version);
  });

  it('names the settings that change, and new secret values without showing them', async () => {
    await apply({ alice: { channels: { telegram: aliceBot } } }, aliceValues);
    const plan = await apply(
      { alice: { plan: 'pro', agent: { instructions: 'New.' }, channels: { telegram: { ...aliceBot, allowFrom: [5] } } } },
      { ...aliceValues, 'alice/telegram-webhook-secret': 'hook-2' },
    );
    expect(plan.changes).toEqual([
      {
        id: 'alice',
        kind: 'changed',
        fields: ['plan', 'agent.instructions', 'channels.telegram.allowFrom', 'secrets.telegram-webhook-secret'],
      },
    ]);
    expect(JSON.stringify(plan)).not.toContain('hook-2');
    expect(await secrets.get({ tenant: 'alice', field: 'telegram-webhook-secret' })).toBe('hook-2');
  });

  it('removes who is not in the file any more, keeps what was theirs, and brings it back', async () => {
    await apply({ alice: { channels: { telegram: aliceBot } }, bob: {} }, aliceValues);
    await documents.set('tenants/alice/conversations/c1', { kept: true });
    expect((await apply({ bob: {} })).changes).toEqual([{ id: 'alice', kind: 'removed', fields: [] }]);
    expect(await stored()).toEqual(['bob']);
    expect(await owners()).toEqual({});
    expect(await documents.get('tenants/alice/conversations/c1')).toBeDefined();
    const own = { botToken: 'secret://alice/telegram-bot-token', webhookSecret: 'secret://alice/telegram-webhook-secret' };
    expect((await apply({ alice: { channels: { telegram: own } }, bob: {} })).changes).toEqual([
      { id: 'alice', kind: 'added', fields: [] },
    ]);
    expect(await owners()).toEqual({ 'telegram:111': 'alice' });
  });

  it('hands a route from one tenant to another, and swaps routes', async () => {
    const shared = { telegram: sharedBot };
    const on = (...people: number[]) => ({ channels: { telegram: { shared: true, people } } });
    await apply({ alice: on(1), bob: on(2) }, sharedValues, shared);
    await apply({ alice: on(2), bob: on(1) }, {}, shared);
    expect(await owners()).toEqual({ 'telegram:999:user:1': 'bob', 'telegram:999:user:2': 'alice' });
    await apply({ bob: on(1, 2) }, {}, shared);
    expect(await owners()).toEqual({ 'telegram:999:user:1': 'bob', 'telegram:999:user:2': 'bob' });
  });

  it('refuses a plan that was overtaken by another one', async () => {
    await apply({ alice: {} });
    const old = await directory.plan(tenantsFile.parse({ tenants: { alice: { plan: 'pro' } } }));
    await apply({ alice: { plan: 'starter' } });
    await expect(directory.apply(old)).rejects.toMatchObject({ code: 'conflict' });
    expect((await new Tenants(documents).get(alice))?.spec.plan).toBe('starter');
  });

  it('does not take a route from a tenant that came after the plan', async () => {
    const slack = { team: 'T1', botToken: 'secret://bob/t', signingSecret: 'secret://bob/s' };
    const old = await directory.plan(tenantsFile.parse({ tenants: { bob: { channels: { slack } } } }), {
      'bob/t': 'xoxb-1',
      'bob/s': 'sign',
    });
    const other = { team: 'T1', botToken: 'secret://alice/t', signingSecret: 'secret://alice/s' };
    await apply({ alice: { channels: { slack: other } } }, { 'alice/t': 'xoxb-2', 'alice/s': 'sign' });
    expect(codeOf(await directory.apply(old).catch((error: unknown) => error))).toBe('conflict');
    expect(await owners()).toEqual({ 'slack:T1': 'alice' });
  });
});

describe('a plan has a problem', () => {
  it('when two tenants claim one route', async () => {
    const values = {
      'alice/telegram-bot-token': '111:A',
      'bob/telegram-bot-token': '111:A',
      'alice/telegram-webhook-secret': 'a',
      'bob/telegram-webhook-secret': 'b',
    };
    const own = (name: string) => ({ channels: { telegram: { botToken: `env://${name}`, webhookSecret: 'env://X' } } });
    const problems = await problemsOf({ alice: own('A'), bob: own('B') }, values);
    expect(problems).toEqual(['tenants.bob.channels: alice and bob both claim telegram:111; only one of them can have it']);
  });

  it('when a secret is neither stored nor given', async () => {
    const slack = { team: 'T1', botToken: 'secret://alice/slack-bot-token', signingSecret: 'env://S' };
    expect(await problemsOf({ alice: { channels: { slack } } })).toEqual([
      'tenants.alice.channels.slack.botToken: secret://alice/slack-bot-token is not stored: rockpool secrets set alice slack-bot-token',
      'tenants.alice.channels.slack.signingSecret: env://S was not resolved',
    ]);
  });

  it('when a value cannot be right, without repeating it', async () => {
    const values = { 'alice/telegram-bot-token': '111:AAA\n', 'alice/telegram-webhook-secret': 'not allowed!' };
    const problems = await problemsOf({ alice: { channels: { telegram: aliceBot } } }, values);
    expect(problems).toEqual([
      'tenants.alice.channels.telegram.botToken: the value has a line break, a control character, or a blank at its end',
      'tenants.alice.channels.telegram.webhookSecret: Telegram allows 1 to 256 of A-Z, a-z, 0-9, _ and -',
    ]);
  });

  it('when a value is given that no setting refers to', async () => {
    expect(await problemsOf({ alice: {} }, { 'alice/telegram-bot-tokn': 'x' })).toEqual([
      'alice/telegram-bot-tokn: a value was given for it, but no setting refers to it',
    ]);
  });

  it('when a tenant refers to the secret of another, and it does not say whether that exists', async () => {
    await secrets.put({ tenant: 'alice', field: 'http-secret' }, 'whsec_AAAA');
    const http = (field: string) => ({ bob: { channels: { http: { secret: `secret://alice/${field}` } } } });
    const rule = 'tenants.bob.channels.http.secret: a tenant may refer only to its own secrets: secret://bob/…';
    expect(await problemsOf(http('http-secret'))).toEqual([rule]);
    expect(await problemsOf(http('missing'))).toEqual([rule]);
  });

  it('and then cannot be applied', async () => {
    const plan = await directory.plan(tenantsFile.parse({ tenants: { platform: {} } }));
    await expect(directory.apply(plan)).rejects.toMatchObject({ code: 'invalid' });
    expect(await stored()).toEqual([]);
  });

  it('but only a warning for a channel that lets nobody in', async () => {
    const plan = await directory.plan(tenantsFile.parse({ tenants: { alice: { channels: { telegram: aliceBot } } } }), aliceValues);
    expect(plan.warnings.map(({ path }) => path.join('.'))).toEqual(['tenants.alice.channels.telegram']);
  });
});

describe('the audit log', () => {
  it('has an entry for each change, and shows when one was tampered with', async () => {
    await apply({ alice: {} });
    await apply({ alice: { plan: 'pro' } });
    await apply({});
    const audit = new AuditLog(documents);
    const { entries, intact } = await audit.read(alice);
    expect(entries.map(({ n, actor, action, subjects }) => ({ n, actor, action, subjects }))).toEqual([
      { n: 1, actor: 'test', action: 'add', subjects: [] },
      { n: 2, actor: 'test', action: 'change', subjects: ['plan'] },
      { n: 3, actor: 'test', action: 'remove', subjects: [] },
    ]);
    expect(intact).toBe(true);
    const second = await documents.get<object>('tenants/alice/audit/000000002');
    await documents.set('tenants/alice/audit/000000002', { ...second?.data, actor: 'nobody' });
    expect((await audit.read(alice)).intact).toBe(false);
    await documents.delete('tenants/alice/audit/000000003');
    expect((await audit.read(alice)).intact).toBe(false);
  });

  it('keeps its order when facts are recorded at the same time', async () => {
    const audit = new AuditLog(documents);
    await Promise.all(
      Array.from({ length: 8 }, (_, index) => audit.record(alice, { actor: 'test', action: 'replay', subjects: [`e${index}`] })),
    );
    const { entries, intact } = await audit.read(alice);
    expect({ count: entries.length, intact }).toEqual({ count: 8, intact: true });
  });
});

describe('setting one secret', () => {
  it('moves the routes to another bot with its token', async () => {
    await apply({ alice: { channels: { telegram: aliceBot } } }, aliceValues);
    const set = new TenantSecrets(documents, secrets);
    await set.set({ tenant: 'alice', field: 'telegram-bot-token' }, '222:BBB');
    expect(await owners()).toEqual({ 'telegram:222': 'alice' });
    expect(await secrets.get({ tenant: 'alice', field: 'telegram-bot-token' })).toBe('222:BBB');
  });

  it('refuses the bot of another tenant and stores nothing', async () => {
    const bobBot = { botToken: 'env://B', webhookSecret: 'env://C' };
    const values = { ...aliceValues, 'bob/telegram-bot-token': '222:BBB', 'bob/telegram-webhook-secret': 'hook-2' };
    await apply({ alice: { channels: { telegram: aliceBot } }, bob: { channels: { telegram: bobBot } } }, values);
    const set = new TenantSecrets(documents, secrets);
    await expect(set.set({ tenant: 'bob', field: 'telegram-bot-token' }, '111:AAA')).rejects.toMatchObject({ code: 'conflict' });
    expect(await secrets.get({ tenant: 'bob', field: 'telegram-bot-token' })).toBe('222:BBB');
  });

  it('moves everybody on the shared bot with its token', async () => {
    const on = (...people: number[]) => ({ channels: { telegram: { shared: true, people } } });
    await apply({ alice: on(1), bob: on(2) }, sharedValues, { telegram: sharedBot });
    await new TenantSecrets(documents, secrets).set({ tenant: 'platform', field: 'telegram-bot-token' }, '888:YYY');
    expect(await owners()).toEqual({ 'telegram:888:user:1': 'alice', 'telegram:888:user:2': 'bob' });
  });

  it('takes one for a tenant that is still to come, and none for a name that cannot be a tenant’s', async () => {
    const set = new TenantSecrets(documents, secrets);
    await set.set({ tenant: 'carol', field: 'slack-bot-token' }, 'xoxb');
    expect(await secrets.list('carol')).toEqual(['slack-bot-token']);
    await expect(set.set({ tenant: '../x', field: 'a' }, 'b')).rejects.toMatchObject({ code: 'invalid' });
  });
});

describe('running apps', () => {
  it('see an applied change without a restart, and routes that moved', async () => {
    const shared = { telegram: sharedBot };
    const on = (...people: number[]) => ({ channels: { telegram: { shared: true, people } } });
    await apply({ alice: on(1), bob: on(2) }, sharedValues, shared);
    const tenants = new Tenants(documents);
    const routes = new Routes(documents);
    const resolve = (person: string) => routes.resolve({ channel: 'telegram', account: '999', peers: [`user:${person}`] });
    expect(await tenants.get(alice)).toMatchObject({ spec: { plan: 'free' } });
    expect([await resolve('1'), await resolve('2'), await resolve('3')]).toEqual([alice, bob, undefined]);
    await apply({ alice: { plan: 'pro', ...on(1, 3) } }, {}, shared);
    await eventually('the change', async () => (await tenants.get(alice))?.spec.plan === 'pro');
    await eventually('the removal', async () => (await tenants.get(bob)) === undefined);
    await eventually('the new route', async () => (await resolve('3')) === alice);
    expect([await resolve('1'), await resolve('2')]).toEqual([alice, undefined]);
    tenants.close();
    routes.close();
  });

  it('read a tenant that a newer version stored, without what they do not know', async () => {
    await apply({ alice: {} });
    const record = await documents.get<{ spec: { agent: object } }>('tenants/alice');
    const spec = { ...record?.data.spec, newer: 1, agent: { ...record?.data.spec.agent, mood: 'fine' } };
    await documents.set('tenants/alice', { ...record?.data, spec });
    expect((await new Tenants(documents).get(alice))?.spec).toEqual(record?.data.spec);
  });
});
