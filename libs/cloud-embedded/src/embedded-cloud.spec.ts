import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually, messageOf, Recorder, textOf } from '@rockpool/cloud/testing';
import { codeOf } from '@rockpool/contracts';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { accounts, engineOptions, subscription } from './busy-engine.fixture.js';
import { type EmbeddedCloud, openEmbeddedCloud } from './embedded-cloud.js';

const fixture = fileURLToPath(new URL('./busy-engine.fixture.ts', import.meta.url));
const loader = fileURLToPath(new URL('../test/load-sources.mjs', import.meta.url));

describe('the embedded engine', () => {
  let folder: string;
  let cloud: EmbeddedCloud | undefined;
  let child: ChildProcessByStdio<null, Readable, null> | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rockpool-engine-'));
  });

  afterEach(async () => {
    if (child !== undefined) await kill(child);
    child = undefined;
    await cloud?.close(0);
    cloud = undefined;
    await rm(folder, { recursive: true });
  });

  const options = () => engineOptions(join(folder, 'data'), join(folder, 'keys', 'master.key'));

  /** Starts a process that works the same data folder; `lines` are its reports so far. */
  async function startBusy(first: number): Promise<{ lines: string[]; reported: (count: number) => Promise<void> }> {
    const { dataDir, keyFile } = options();
    child = spawn(process.execPath, ['--import', loader, fixture, dataDir, keyFile, String(first)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    const running = child;
    return {
      lines,
      reported: (count) =>
        eventually(`${count} reports`, () => {
          if (running.exitCode !== null) throw new Error(`the busy process ended with ${running.exitCode}`);
          return lines.length >= count;
        }).then(() => undefined),
    };
  }

  async function kill(victim: ChildProcessByStdio<null, Readable, null>): Promise<void> {
    if (victim.exitCode !== null || victim.signalCode !== null) return;
    victim.kill('SIGKILL');
    // `close`, not `exit`: only then everything it reported has been read.
    await once(victim, 'close');
  }

  it('keeps every promise through kill -9, again and again', async () => {
    const lines: string[] = [];
    for (const [round, reports] of [150, 700, 1_500].entries()) {
      const busy = await startBusy(round * 1_000_000);
      await busy.reported(reports);
      await kill(child!);
      lines.push(...busy.lines);
    }
    const reported = (kind: string) => lines.filter((line) => line.startsWith(`${kind} `)).map((line) => Number(line.slice(2)));

    cloud = await openEmbeddedCloud(options());
    const { bus, documents } = cloud;
    const recorder = new Recorder();
    await bus.subscribe(subscription, recorder.handle);
    await eventually('the backlog is empty', async () => (await bus.stats(subscription.name)).backlog === 0);
    const arrived = new Set([...reported('h'), ...recorder.bodies.map(Number)]);
    expect(reported('p').filter((message) => !arrived.has(message))).toEqual([]);
    expect((await bus.stats(subscription.name)).deadLetters).toBe(0);

    const balances = new Map<string, number>();
    const transfers = new Set<number>();
    let cursor: string | undefined;
    do {
      const page = await documents.query<{ from: string; to: string }>({
        from: { collection: 'transfers' },
        limit: 1_000,
        ...(cursor && { cursor }),
      });
      for (const { id, data } of page.items) {
        transfers.add(Number(id));
        balances.set(data.from, (balances.get(data.from) ?? 0) - 1);
        balances.set(data.to, (balances.get(data.to) ?? 0) + 1);
      }
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(reported('t').length).toBeGreaterThan(0);
    expect(reported('t').filter((transfer) => !transfers.has(transfer))).toEqual([]);
    for (let account = 0; account < accounts; account++) {
      const path = `accounts/${account}`;
      expect([path, (await documents.get<{ balance: number }>(path))?.data.balance ?? 0]).toEqual([path, balances.get(path) ?? 0]);
    }
  });

  it('delivers after a kill in the order of each key', async () => {
    const busy = await startBusy(0);
    await busy.reported(500);
    await kill(child!);
    cloud = await openEmbeddedCloud(options());
    const recorder = new Recorder();
    await cloud.bus.subscribe(subscription, recorder.handle);
    await eventually('the backlog is empty', async () => (await cloud!.bus.stats(subscription.name)).backlog === 0);
    for (const line of Map.groupBy(recorder.deliveries, ({ orderingKey }) => orderingKey).values()) {
      const numbers = line.map((delivery) => Number(textOf(delivery)));
      expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
    }
  });

  it('lets one process at a time hold a data folder, and names it to the others', async () => {
    const busy = await startBusy(0);
    await busy.reported(1);
    const refusal = await openEmbeddedCloud(options()).catch((error: Error) => error);
    expect(codeOf(refusal)).toBe('unavailable');
    expect((refusal as Error).message).toContain(`process ${child!.pid}`);
    await kill(child!);
    cloud = await openEmbeddedCloud(options());
    expect(await cloud.check()).toBeUndefined();
  });

  it('works as a whole, and finds everything again after it was closed', async () => {
    cloud = await openEmbeddedCloud(options());
    await cloud.documents.create('tenants/alice', { plan: 'pro' });
    await cloud.secrets.put({ tenant: 'alice', field: 'token' }, 'hush');
    await cloud.blobs.put('alice/photo', new TextEncoder().encode('pixels'));
    const token = await cloud.identity.mint({ audience: 'http://127.0.0.1:8080', service: 'dispatcher' });
    const messageId = await cloud.bus.publish(messageOf('hello'));
    await cloud.close();
    expect(await cloud.check()).toBe('the engine is closed');
    await expect(cloud.bus.publish(messageOf('late')).catch(codeOf)).resolves.toBe('unavailable');

    cloud = await openEmbeddedCloud(options());
    expect((await cloud.documents.get('tenants/alice'))?.data).toEqual({ plan: 'pro' });
    expect(await cloud.secrets.get({ tenant: 'alice', field: 'token' })).toBe('hush');
    expect((await cloud.blobs.head('alice/photo'))?.sizeBytes).toBe(6);
    expect((await cloud.identity.verify(token, { audience: 'http://127.0.0.1:8080', callers: ['dispatcher'] })).email).toContain(
      'dispatcher',
    );
    const recorder = new Recorder();
    await cloud.bus.subscribe(subscription, recorder.handle);
    await recorder.began(1);
    expect(recorder.deliveries[0]!.messageId).toBe(messageId);
  });

  it('waits on close for what is being handled, and keeps what comes of it', async () => {
    cloud = await openEmbeddedCloud(options());
    const { bus, documents } = cloud;
    const recorder = new Recorder(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      await documents.set('outcomes/1', { done: true });
      return { kind: 'ack' };
    });
    await bus.subscribe(subscription, recorder.handle);
    await bus.publish(messageOf('work'));
    await recorder.began(1);
    await cloud.close();
    cloud = await openEmbeddedCloud(options());
    expect(await cloud.documents.get('outcomes/1')).toBeDefined();
    expect((await cloud.bus.stats(subscription.name)).backlog).toBe(0);
  });

  it('keeps its folder to its owner', async () => {
    cloud = await openEmbeddedCloud(options());
    expect((await stat(options().dataDir)).mode & 0o777).toBe(0o700);
  });

  it('lets go of the folder when it cannot open', async () => {
    const misplaced = { ...options(), keyFile: join(folder, 'data', 'master.key') };
    await expect(openEmbeddedCloud(misplaced).catch(codeOf)).resolves.toBe('invalid');
    cloud = await openEmbeddedCloud(options());
    expect(await cloud.check()).toBeUndefined();
  });
});
