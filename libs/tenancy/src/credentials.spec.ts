import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Database, EncryptedSecrets, SqliteDocuments } from '@rockpool/cloud-embedded';
import type { ReplyTarget, TenantId } from '@rockpool/contracts';
import { BotNames } from './bot-names.js';
import { Credentials, telegramAccount } from './credentials.js';
import { TenantDirectory } from './tenant-directory.js';
import { tenancyIndexes } from './tenant-record.js';
import { tenantsFile } from './tenant.js';
import { Tenants } from './tenants.js';

const alice = 'alice' as TenantId;
const bob = 'bob' as TenantId;
const target: ReplyTarget = { channel: 'telegram', account: '1', chatId: '1', shared: false };

let folder: string;
let database: Database;
let documents: SqliteDocuments;
let secrets: EncryptedSecrets;
let credentials: Credentials;
let tenants: Tenants;
let time: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-credentials-'));
  database = Database.open(join(folder, 'state.db'));
  documents = new SqliteDocuments(database, tenancyIndexes);
  secrets = await EncryptedSecrets.open(database, { keyFile: join(folder, 'elsewhere', 'key'), dataFolder: join(folder, 'data') });
  time = 0;
  tenants = new Tenants(documents, { now: () => time });
  credentials = new Credentials(tenants, secrets, documents, { now: () => time });
  const directory = new TenantDirectory(documents, secrets);
  const file = tenantsFile.parse({
    shared: { telegram: { botToken: 'env://A', webhookSecret: 'env://B' }, slack: { botToken: 'env://C', signingSecret: 'env://D' } },
    tenants: {
      alice: {
        agent: { keys: { anthropic: 'env://K' } },
        channels: {
          telegram: { botToken: 'env://E', webhookSecret: 'env://F' },
          slack: { team: 'T1', botToken: 'env://G', signingSecret: 'env://H' },
          http: { secret: 'env://I', replyUrl: 'https://example.com/answers' },
        },
      },
      bob: { channels: { telegram: { shared: true, people: [1] }, web: {} } },
    },
  });
  await directory.apply(
    await directory.plan(file, {
      'platform/telegram-bot-token': '999:ZZZ',
      'platform/telegram-webhook-secret': 'hook-9',
      'platform/slack-bot-token': 'xoxb-9',
      'platform/slack-signing-secret': 'sign-9',
      'alice/telegram-bot-token': '111:AAA',
      'alice/telegram-webhook-secret': 'hook-1',
      'alice/slack-bot-token': 'xoxb-1',
      'alice/slack-signing-secret': 'sign-1',
      'alice/http-secret': 'whsec_AAAA',
      'alice/anthropic-key': 'sk-alice',
    }),
  );
});

afterEach(async () => {
  tenants.close();
  documents.close();
  await database.close();
  await rm(folder, { recursive: true });
});

describe('credentials', () => {
  it('are those of the tenant’s own endpoint', async () => {
    expect(await credentials.endpoint('telegram', alice)).toEqual({ tenantId: alice, account: '111', signingSecrets: ['hook-1'] });
    expect(await credentials.endpoint('slack', alice)).toEqual({ tenantId: alice, account: 'T1', signingSecrets: ['sign-1'] });
    expect(await credentials.endpoint('http', alice)).toEqual({ tenantId: alice, account: 'alice', signingSecrets: ['whsec_AAAA'] });
  });

  it('are the platform’s for a shared bot, which is no tenant’s own endpoint', async () => {
    expect(await credentials.endpoint('telegram', undefined)).toEqual({ account: '999', signingSecrets: ['hook-9'] });
    expect(await credentials.endpoint('telegram', bob)).toBeUndefined();
    expect(await credentials.endpoint('web', bob)).toEqual({ tenantId: bob, account: 'bob', signingSecrets: [] });
    expect(await credentials.endpoint('telegram', 'nobody' as TenantId)).toBeUndefined();
  });

  it('are found by the Slack team of an own app only', async () => {
    expect(await credentials.slackByTeam('T1')).toMatchObject({ tenantId: alice });
    expect(await credentials.slackByTeam('T2')).toBeUndefined();
  });

  it('know what a bot is called once somebody has asked Telegram', async () => {
    await new BotNames(documents).remember('111', 'alice_bot');
    expect(await credentials.endpoint('telegram', alice)).toMatchObject({ botUsername: 'alice_bot' });
  });

  it('answer through the bot that received the message', async () => {
    expect(await credentials.botToken(alice, target)).toBe('111:AAA');
    expect(await credentials.botToken(bob, { ...target, shared: true })).toBe('999:ZZZ');
  });

  it('do not let a tenant speak through a bot that is not, or no longer, its own', async () => {
    await expect(credentials.botToken(bob, target)).rejects.toMatchObject({ code: 'not_found' });
    await expect(credentials.botToken(alice, { ...target, shared: true })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('hold the tenant’s own model keys, and where its webhook answers go', async () => {
    expect(await credentials.modelKeys(alice)).toEqual({ anthropic: 'sk-alice' });
    expect(await credentials.modelKeys(bob)).toEqual({});
    expect(await credentials.httpReply(alice)).toEqual({ replyUrl: 'https://example.com/answers', secret: 'whsec_AAAA' });
    expect(await credentials.httpReply(bob)).toBeUndefined();
  });

  it('accept the old and the new secret while one is rotated, and forget a disabled one within 20 seconds', async () => {
    const name = { tenant: 'alice', field: 'telegram-webhook-secret' };
    await credentials.endpoint('telegram', alice);
    await secrets.put(name, 'hook-2');
    time += 20_000;
    expect((await credentials.endpoint('telegram', alice))?.signingSecrets).toEqual(['hook-2', 'hook-1']);
    await secrets.disable(name, 1);
    await secrets.disable(name, 2);
    time += 20_000;
    expect(await credentials.endpoint('telegram', alice)).toBeUndefined();
  });

  it('take the bot’s id from its token, and a hash where there is none in it', () => {
    expect(telegramAccount('110201543:AAHdqTcv')).toBe('110201543');
    expect(telegramAccount('weird-token')).toMatch(/^[0-9a-f]{12}$/);
  });
});
