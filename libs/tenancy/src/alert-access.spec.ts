import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Database, EncryptedSecrets, SqliteDocuments } from '@rockpool/cloud-embedded';
import { codeOf } from '@rockpool/contracts';
import { Credentials } from './credentials.js';
import { TenantDirectory } from './tenant-directory.js';
import { tenancyIndexes } from './tenant-record.js';
import { TenantSecrets } from './tenant-secrets.js';
import { tenantsFile } from './tenant.js';
import { Tenants } from './tenants.js';

let folder: string;
let database: Database;
let documents: SqliteDocuments;
let secrets: EncryptedSecrets;
let directory: TenantDirectory;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-alerts-'));
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

const settings = {
  telegram: { botToken: 'env://BOT', chatId: 5 },
  slack: { webhookUrl: 'file://slack' },
  webhook: { url: 'https://ops.example.com/alerts', secret: 'env://SECRET' },
};
const values = {
  'platform/alerts-telegram-bot-token': '7:OPS',
  'platform/alerts-slack-webhook-url': 'https://hooks.slack.com/services/T/B/x',
  'platform/alerts-webhook-secret': `whsec_${Buffer.alloc(32, 1).toString('base64')}`,
};
const plan = (alerts: object, given: Record<string, string> = {}) => directory.plan(tenantsFile.parse({ alerts, tenants: {} }), given);
const access = () => new Credentials(new Tenants(documents), secrets, documents).alertAccess();

it('is what was applied, with secrets that are stored apart from the settings', async () => {
  expect(await access()).toEqual({});
  const first = await plan(settings, values);
  expect(first).toMatchObject({ problems: [], shared: [] });
  expect(first.alerts).toEqual(expect.arrayContaining(['telegram', 'secrets.alerts-telegram-bot-token']));
  await directory.apply(first);
  expect(await access()).toEqual({
    telegram: { botToken: '7:OPS', chatId: '5' },
    slack: { webhookUrl: values['platform/alerts-slack-webhook-url'] },
    webhook: { url: 'https://ops.example.com/alerts', secret: values['platform/alerts-webhook-secret'] },
  });
  const stored = JSON.stringify((await documents.get('platform/settings'))?.data);
  for (const value of Object.values(values)) expect(stored).not.toContain(value);
  expect(await plan(settings, values)).toMatchObject({ alerts: [] });
});

it('changes with the file, and ends where the file names nobody any more', async () => {
  await directory.apply(await plan(settings, values));
  const other = { ...settings, telegram: { botToken: 'secret://platform/alerts-telegram-bot-token', chatId: 6 } };
  const changed = await plan(other, {
    'platform/alerts-slack-webhook-url': values['platform/alerts-slack-webhook-url'],
    'platform/alerts-webhook-secret': values['platform/alerts-webhook-secret'],
  });
  expect(changed).toMatchObject({ problems: [], alerts: ['telegram.chatId'] });
  await directory.apply(changed);
  expect(await access()).toMatchObject({ telegram: { chatId: '6' } });
  await directory.apply(await plan({}));
  expect(await access()).toEqual({});
});

it('is refused without its secrets, or with values that cannot be right', async () => {
  const problems = (await plan(settings)).problems.map(({ path }) => path.join('.'));
  expect(problems.sort()).toEqual(['alerts.slack.webhookUrl', 'alerts.telegram.botToken', 'alerts.webhook.secret']);
  const wrong = {
    ...values,
    'platform/alerts-slack-webhook-url': 'http://hooks.example.com/x',
    'platform/alerts-webhook-secret': 'secret',
  };
  expect((await plan(settings, wrong)).problems.map(({ path }) => path.join('.')).sort()).toEqual([
    'alerts.slack.webhookUrl',
    'alerts.webhook.secret',
  ]);
});

it('takes a new secret at once, and moves no routes with it', async () => {
  await directory.apply(await plan(settings, values));
  const single = new TenantSecrets(documents, secrets);
  await single.set({ tenant: 'platform', field: 'alerts-telegram-bot-token' }, '8:NEW');
  expect(await access()).toMatchObject({ telegram: { botToken: '8:NEW' } });
  expect((await documents.query({ from: { collection: 'routes' } })).items).toEqual([]);
  expect(await single.set({ tenant: 'platform', field: 'alerts-webhook-secret' }, 'x').catch(codeOf)).toBe('invalid');
});
