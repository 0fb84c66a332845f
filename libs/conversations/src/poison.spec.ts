import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openHost, type TestHost } from './testing/host.js';
import { alice, messageOf } from './testing/messages.js';

const dyingHost = fileURLToPath(new URL('./testing/dying-host.ts', import.meta.url));
const engine = dirname(createRequire(import.meta.url).resolve('@rockpool/cloud-embedded/package.json'));
const loader = join(engine, 'test/load-sources.mjs');

let folder: string;
let host: TestHost | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-poison-'));
});
afterEach(async () => {
  await host?.close();
  await rm(folder, { recursive: true });
});

/** Drives in a process of its own; resolves with the signal that ended it. */
async function driveAndDie(): Promise<NodeJS.Signals | null> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--import', loader, dyingHost, folder], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return signal;
}

describe('a message that kills the process which runs it', () => {
  it('is set aside after five deaths, the person is told once, and the conversation goes on', async () => {
    host = await openHost({ folder });
    await host.inbox.append(alice, messageOf(1, 'poison'));
    await host.inbox.append(alice, messageOf(2, 'and then?'));
    await host.close();

    for (let death = 1; death <= 5; death++) {
      expect(await driveAndDie()).toBe('SIGKILL');
      host = await openHost({ folder });
      expect(await host.turn(1)).toMatchObject({ state: 'running', attempts: death });
      await host.close();
    }

    host = await openHost({ folder, holder: 'survivor', mayBeAlive: () => false });
    expect(await host.drive()).toEqual({ kind: 'drained' });
    expect(host.asked).toEqual(['and then?']);
    expect(host.channel.visible.join('').match(/set it aside/g)).toHaveLength(1);
    expect(host.channel.visible.at(-1)).toBe('You said: and then?');
    expect(await host.turn(1)).toMatchObject({ state: 'quarantined', open: false });
  });
});
