import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { eventually } from '@rockpool/cloud/testing';
import { hostPaths, openPlatform, startApps, type HostRecord, type Platform } from '@rockpool/platform';
import { parseConfig, type RunningService } from '@rockpool/service';
import { agentHostModule } from './app.js';

let folder: string;
let platform: Platform;
let service: RunningService | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-signs-'));
  service = undefined;
  await open();
});
afterEach(async () => {
  await service?.close();
  await platform.close();
  await rm(folder, { recursive: true });
});

async function open(): Promise<void> {
  const parsed = parseConfig({
    PORT: '0',
    ROCKPOOL_DATA_DIR: join(folder, 'data'),
    ROCKPOOL_KEY_FILE: join(folder, 'keys', 'key'),
    // Whoever looks after this process, it is everybody's.
    ROCKPOOL_SUPERVISED: 'true',
  });
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  platform = await openPlatform(parsed.config, 'agent-host');
}

const hosts = async () => (await platform.cloud.documents.query<HostRecord>({ from: { collection: hostPaths.hosts } })).items;

it('are given from the start where the process is everybody’s, and taken back when it ends in order', async () => {
  service = await startApps('agent-host', platform, [agentHostModule(platform)], { silent: true });
  const [host] = await eventually('the sign of life', async () => {
    const found = await hosts();
    return found.length > 0 && found;
  });
  expect(host!.data).toMatchObject({ isSteady: true, isSupervised: false, work: { conversations: 0, slices: 0 } });
  expect(host!.data.rssBytes).toBeGreaterThan(0);
  expect(host!.data.rssBytes).toBeLessThan(host!.data.memoryLimitBytes * 2);
  await service.close();
  await open();
  expect(await hosts()).toEqual([]);
});
