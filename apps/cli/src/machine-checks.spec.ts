import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parseConfig, type PlatformConfig } from '@rockpool/service';
import { clockCheck, dataFolderChecks, keyFileCheck, nodeCheck, portCheck } from './machine-checks.js';

let folder: string;
const servers: Server[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-doctor-'));
});

afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

function configOf(environment: Record<string, string>): PlatformConfig {
  const parsed = parseConfig({ ROCKPOOL_DATA_DIR: folder, ROCKPOOL_KEY_FILE: `${folder}.key`, ...environment });
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

describe('the doctor', () => {
  it('wants a Node that is new enough', () => {
    expect(nodeCheck('20.1.0')).toMatchObject({ state: 'fail', remedy: expect.any(String) });
    expect(nodeCheck('26.10.0')).toEqual({ name: 'node', state: 'ok', detail: '26.10.0' });
  });

  it('looks at the data folder and its disk', async () => {
    expect(await dataFolderChecks(configOf({}))).toMatchObject([{ name: 'data folder', state: 'ok' }, { name: 'disk' }]);
    await chmod(folder, 0o755);
    expect(await dataFolderChecks(configOf({}))).toMatchObject([{ state: 'warn', remedy: `chmod 700 ${folder}` }, {}]);
    expect(await dataFolderChecks(configOf({ ROCKPOOL_DATA_DIR: join(folder, 'none') }))).toMatchObject([{ state: 'warn' }]);
    await writeFile(join(folder, 'file'), '');
    expect(await dataFolderChecks(configOf({ ROCKPOOL_DATA_DIR: join(folder, 'file') }))).toMatchObject([{ state: 'fail' }]);
  });

  it('misses a key file only where there is something to open with it', async () => {
    const config = configOf({ ROCKPOOL_KEY_FILE: join(folder, '..', 'no-such-key') });
    expect(await keyFileCheck(config, false)).toMatchObject({ state: 'ok' });
    expect(await keyFileCheck(config, true)).toMatchObject({ state: 'fail' });
  });

  it('warns of a key that lies with the data or is open to others', async () => {
    const config = configOf({ ROCKPOOL_KEY_FILE: join(folder, 'key') });
    await writeFile(join(folder, 'key'), '', { mode: 0o600 });
    expect(await keyFileCheck(config, true)).toMatchObject({ state: 'warn', detail: expect.stringContaining('lies in the data folder') });
    await chmod(join(folder, 'key'), 0o644);
    expect(await keyFileCheck(config, true)).toMatchObject({ state: 'fail' });
  });

  it('tells whether the port is free, ours or somebody else’s', async () => {
    const port = await listen((_, response) => response.end());
    const config = configOf({ PORT: String(port) });
    expect(await portCheck(config, undefined)).toMatchObject({ state: 'fail', detail: expect.stringContaining('EADDRINUSE') });
    expect(await portCheck(config, { url: `http://127.0.0.1:${port}`, pid: 1, startedAt: 'today' })).toMatchObject({ state: 'ok' });
    expect(await portCheck(configOf({ PORT: '0' }), undefined)).toMatchObject({ state: 'ok' });
  });

  it('compares the clock with another one, when there is one', async () => {
    const answering = (date: Date) => listen((_, response) => response.setHeader('date', date.toUTCString()).end());
    const right = await answering(new Date());
    const wrong = await answering(new Date(Date.now() - 400_000));
    expect(await clockCheck(`http://127.0.0.1:${right}`)).toMatchObject({ state: 'ok', detail: expect.stringContaining('as 127.0.0.1') });
    expect(await clockCheck(`http://127.0.0.1:${wrong}`)).toMatchObject({ state: 'fail' });
    expect(await clockCheck('http://127.0.0.1:1')).toMatchObject({ state: 'ok', detail: expect.stringContaining('not compared') });
  });
});
