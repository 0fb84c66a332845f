import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { adminToken, digestOf, type ControlPlane } from '@rockpool/console';
import type { EventId, TenantId } from '@rockpool/contracts';
import { parseConfig, type RunningService } from '@rockpool/service';
import { tenantsFile } from '@rockpool/tenancy';
import { openPlatform, startPlatform, type Platform } from './compose.js';
import { HttpControlPlane } from './http-control-plane.js';

/** What a command can rely on, whether an instance runs or the data folder was opened: both control planes are asked the same. */
describe.each(['in this process', 'of a running instance'])('the control plane %s', (where) => {
  const alice = 'alice' as TenantId;
  const request = {
    file: tenantsFile.parse({ tenants: { alice: { channels: { http: { secret: 'env://S' }, web: {} } } } }),
    secrets: { 'alice/http-secret': 'whsec_AAAA' },
  };
  let folder: string;
  let platform: Platform;
  let service: RunningService | undefined;
  let controlPlane: ControlPlane;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rockpool-plane-'));
    const dataDir = join(folder, 'data');
    const parsed = parseConfig({
      PORT: '0',
      ROCKPOOL_DATA_DIR: dataDir,
      ROCKPOOL_KEY_FILE: join(folder, 'key'),
      ROCKPOOL_LOG_LEVEL: 'silent',
    });
    if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
    platform = await openPlatform(parsed.config, 'test');
    if (where === 'of a running instance') {
      service = await startPlatform(platform);
      controlPlane = new HttpControlPlane(service.url, await adminToken(dataDir));
    } else {
      controlPlane = platform.controlPlane;
    }
  });

  afterAll(async () => {
    await service?.close();
    await platform.close();
    await rm(folder, { recursive: true });
  });

  it('applies the plan that was agreed to, and no other', async () => {
    const plan = await controlPlane.plan(request);
    expect(plan).toMatchObject({ changes: [{ id: 'alice', kind: 'added', fields: [] }], unchanged: 0, problems: [] });
    await expect(controlPlane.apply(request, 'another')).rejects.toMatchObject({ code: 'conflict' });
    await controlPlane.apply(request, digestOf(plan));
    expect(await controlPlane.plan(request)).toMatchObject({ changes: [], unchanged: 1 });
  });

  it('lists and shows tenants', async () => {
    expect(await controlPlane.tenants()).toEqual([
      { id: 'alice', plan: 'free', suspended: false, model: 'auto', channels: ['http', 'web'] },
    ]);
    expect(await controlPlane.tenant(alice)).toMatchObject({
      id: 'alice',
      secrets: [{ field: 'http-secret', version: 1 }],
      auditIntact: true,
    });
    await expect(controlPlane.tenant('nobody' as TenantId)).rejects.toMatchObject({
      code: 'not_found',
      message: 'there is no tenant nobody',
    });
  });

  it('shows what a tenant used, the latest days first', async () => {
    const used = (day: string) => ({
      tenantId: alice,
      day,
      turns: 2,
      jobs: 1,
      inputTokens: 10,
      outputTokens: 5,
      jobTokens: 100,
      costUsd: 0.5,
      models: { 'test/small': { turns: 2, inputTokens: 10, outputTokens: 5, costUsd: 0.25 } },
      computedAt: 1,
    });
    expect(await controlPlane.usage(alice, 31)).toEqual([]);
    for (const day of ['2026-11-01', '2026-11-03', '2026-11-02'])
      await platform.cloud.documents.set(`tenants/alice/usage/${day}`, used(day));
    expect((await controlPlane.usage(alice, 2)).map(({ day }) => day)).toEqual(['2026-11-03', '2026-11-02']);
    expect((await controlPlane.usage(alice, 31))[2]).toEqual(used('2026-11-01'));
    await expect(controlPlane.usage('nobody' as TenantId, 31)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('stores a secret, and refuses one that cannot be right', async () => {
    await controlPlane.setSecret({ tenant: 'alice', field: 'http-secret' }, 'whsec_BBBB');
    expect((await controlPlane.tenant(alice)).secrets).toMatchObject([{ field: 'http-secret', version: 2 }]);
    await expect(controlPlane.setSecret({ tenant: 'alice', field: 'http-secret' }, 'BBBB')).rejects.toMatchObject({ code: 'invalid' });
  });

  it('makes a chat link', async () => {
    expect(await controlPlane.chatLink(alice, { lifetimeMs: 60_000 })).toEqual({
      path: expect.stringMatching(/^\/chat\/alice\?link=/),
      expiresAt: expect.any(String),
    });
  });

  it('says that there is no such event, and no trace', async () => {
    expect(await controlPlane.inbox({ tenantId: alice, state: 'failed', limit: 10 })).toEqual({ items: [] });
    const unknown = 'telegram:1:update:2' as EventId;
    await expect(controlPlane.turn(alice, unknown)).rejects.toMatchObject({ code: 'not_found' });
    await expect(controlPlane.replay(alice, unknown)).rejects.toMatchObject({ code: 'not_found' });
    await expect(controlPlane.discard(alice, unknown)).rejects.toMatchObject({ code: 'not_found' });
    expect(await controlPlane.trace(unknown)).toEqual([]);
  });

  it('has no dead letters, and tells how it is', async () => {
    expect(await controlPlane.deadLetters()).toEqual([]);
    expect(await controlPlane.replayDeadLetters()).toBe(0);
    expect(await controlPlane.status()).toMatchObject({ engine: 'embedded', tenants: 1, quarantined: 0 });
    expect((await controlPlane.checks({ network: false })).map(({ state }) => state)).not.toContain('fail');
  });

  it('wants a public URL before it registers webhooks', async () => {
    await expect(controlPlane.registerWebhooks()).rejects.toMatchObject({ code: 'invalid' });
    expect(await controlPlane.registerWebhooks('https://bots.example.com')).toEqual([]);
  });
});

describe('a control plane that is not there', () => {
  it('is unavailable', async () => {
    await expect(new HttpControlPlane('http://127.0.0.1:1', 'x').tenants()).rejects.toMatchObject({ code: 'unavailable' });
  });
});
