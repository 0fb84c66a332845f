import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, freePort, signStandardWebhook, startProcess, type RunningProcess } from '@rockpool/testkit';

/** The built product on a disk that fails, and is well again. Nothing that got a 2xx may be missing afterwards, or be answered twice. */

const command = fileURLToPath(new URL('../../../cli/bin/rockpool.mjs', import.meta.url));
const faults = fileURLToPath(new URL('storage-faults.ts', import.meta.url));
const secret = `whsec_${Buffer.from('a secret of thirty-two bytes ....').toString('base64')}`;

let folder: string;
let url: string;
let environment: Record<string, string>;
let product: RunningProcess;
const acked = new Set<string>();
let sent = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-storage-'));
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  environment = {
    PORT: String(port),
    ROCKPOOL_DATA_DIR: join(folder, 'data'),
    ROCKPOOL_KEY_FILE: join(folder, 'keys', 'master.key'),
    ROCKPOOL_LOG_FORMAT: 'json',
    ROCKPOOL_LOG_LEVEL: 'error',
    FORCE_COLOR: '0',
    STORAGE_FAULT_FILE: join(folder, 'fault'),
    // What holds a conversation cannot let go of it while nothing can be written.
    ROCKPOOL_LEASE_MS: '3000',
    HTTP_SECRET: secret,
    // Nowhere else to put anything: what the data folder does not take is refused.
    ROCKPOOL_SPOOL_DIR: join(folder, 'fault', 'spool'),
  };
  product = await startProcess({
    command: process.execPath,
    args: ['--import', faults, command, 'start'],
    env: environment,
    dataDir: environment['ROCKPOOL_DATA_DIR']!,
    readyUrl: `${url}/readyz`,
  });
  const tenants = join(folder, 'tenants.yaml');
  await writeFile(tenants, 'tenants:\n  alice: { channels: { http: { secret: "env://HTTP_SECRET" } } }\n');
  expect(await rockpool('apply', tenants, '--yes')).toMatchObject({ code: 0 });
});

afterAll(async () => {
  await product.stop();
  await rm(folder, { recursive: true });
});

function rockpool(...args: string[]): Promise<{ code: number; out: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...args], { env: { ...process.env, ...environment } }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, out: stdout + stderr }),
    );
  });
}

/** Sends a message of some pages and notes it when it was taken. */
async function send(id = `m${++sent}`): Promise<{ id: string; status: number; retryAfter: string | null }> {
  const body = JSON.stringify({ type: 'message', data: { conversation: `c-${id}`, text: `${id} ${'x'.repeat(20_000)}` } });
  const response = await fetch(`${url}/webhooks/http/alice`, { method: 'POST', ...signStandardWebhook({ secret, id, body }) });
  await response.text();
  if (response.ok) acked.add(id);
  return { id, status: response.status, retryAfter: response.headers.get('retry-after') };
}

async function order(fault: 'full' | 'read-only' | 'none'): Promise<void> {
  await writeFile(environment['STORAGE_FAULT_FILE']!, fault);
  const inForce = () => readFile(`${environment['STORAGE_FAULT_FILE']}.in-force`, 'utf8').catch(() => '');
  await eventually(`storage is ${fault}`, async () => (await inForce()) === fault);
}

const readyz = async () => {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, body: await response.text() };
};
const notReady = (words: string) =>
  eventually(`it is not ready: ${words}`, async () => {
    const { status, body } = await readyz();
    return status === 503 && body.includes(words);
  });
const ready = () => eventually('it is ready', async () => (await readyz()).status === 200);

async function operator<Answer>(path: string): Promise<Answer> {
  const token = (await readFile(join(environment['ROCKPOOL_DATA_DIR']!, 'admin-token'), 'utf8')).trim();
  const response = await fetch(`${url}/api/v1/${path}`, { headers: { authorization: `Bearer ${token}` } });
  return (await response.json()) as Answer;
}

/** Every message that was taken has been answered, in one reply. */
async function allAnsweredOnce(): Promise<void> {
  const turns = new Map<string, string>();
  await eventually(
    () => `all are answered: ${JSON.stringify([...turns])}`,
    async () => {
      const { items } = await operator<{ items: { eventId: string; state: string }[] }>('inbox?tenant=alice&limit=1000');
      for (const { eventId, state } of items) turns.set(eventId, state);
      return [...acked].every((id) => turns.get(`http:alice:${id}`) === 'done');
    },
  );
  for (const id of acked) {
    const { turn, replies } = await operator<{ turn: { replays: number }; replies: { state: string }[] }>(
      `inbox/alice/${encodeURIComponent(`http:alice:${id}`)}`,
    );
    expect([id, turn.replays, replies.map(({ state }) => state)]).toEqual([id, 0, ['sent']]);
  }
}

describe('a full disk', () => {
  it('takes nothing that it cannot keep, says why, and goes on by itself once there is room', async () => {
    for (let round = 0; round < 4; round++) {
      // Some are being answered when the disk fills up, some arrive after it has.
      const before = Array.from({ length: 20 }, () => send());
      await order('full');
      const results = [...(await Promise.all(before)), ...(await Promise.all(Array.from({ length: 30 }, () => send())))];
      const refused = results.filter(({ status }) => status !== 200);
      expect(refused.length).toBeGreaterThan(0);
      for (const { status, retryAfter } of refused) expect([status, Number(retryAfter) > 0]).toEqual([503, true]);
      if (round === 0) {
        await Promise.all([send(), notReady('the disk is full: make room')]);
        // However long the doctor takes to come, there is no room while it looks.
        let looking = true;
        const doctor = rockpool('doctor', '--no-network').finally(() => (looking = false));
        while (looking) await send();
        expect((await doctor).out).toContain('→ the disk is full: make room, and everything goes on by itself');
      }
      await order('none');
      // The channel does what Retry-After says.
      for (const { id } of refused) await eventually(`${id} is taken`, async () => (await send(id)).status === 200);
    }
    await ready();
    await allAnsweredOnce();
  });
});

describe('a disk that may only be read', () => {
  it('takes nothing, says why, and goes on by itself', async () => {
    const before = Array.from({ length: 10 }, () => send());
    await Promise.all(before);
    await order('read-only');
    expect(await send('refused-1')).toMatchObject({ status: 503, retryAfter: expect.stringMatching(/^\d+$/) });
    await notReady('the data folder cannot be written');
    const { code, out } = await rockpool('doctor', '--no-network');
    expect(out).toContain('→ the data folder cannot be written: give this user write access');
    expect(code).toBe(1);
    await order('none');
    await ready();
    expect(await send('refused-1')).toMatchObject({ status: 200 });
    await allAnsweredOnce();
  });
});

describe('a database that another program locks', () => {
  it('is waited for while everything but writing goes on, then told, and used again once it is free', async () => {
    await Promise.all(Array.from({ length: 10 }, () => send()));
    const other = new DatabaseSync(join(environment['ROCKPOOL_DATA_DIR']!, 'rockpool.db'), { timeout: 10_000 });
    other.exec('BEGIN IMMEDIATE');
    let answered = false;
    const waiting = send('locked-1').finally(() => (answered = true));
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(answered).toBe(false);
    expect(await waiting).toMatchObject({ status: 503, retryAfter: expect.stringMatching(/^\d+$/) });
    await notReady('another program holds a lock on the database');
    expect((await rockpool('doctor', '--no-network')).out).toContain('→ another program holds a lock on the database: close it');
    other.exec('ROLLBACK');
    other.close();
    await ready();
    expect(await send('locked-1')).toMatchObject({ status: 200 });
    await allAnsweredOnce();
  });
});

describe('a damaged database', () => {
  it('keeps it from starting, with what to do and nothing changed, and all is there once the file is back', async () => {
    await product.kill('SIGTERM');
    const file = join(environment['ROCKPOOL_DATA_DIR']!, 'rockpool.db');
    await copyFile(file, join(folder, 'backup.db'));
    const handle = await open(file, 'r+');
    await handle.write(Buffer.alloc(16_384, 0xab), 0, 16_384, 16_384);
    await handle.close();
    const damaged = await readFile(file);

    const { code, out } = await rockpool('start');
    expect(code).toBe(69);
    expect(out).toMatch(/rockpool\.db is damaged.*Nothing was changed\. Keep a copy, then restore a backup/s);
    const doctor = await rockpool('doctor', '--no-network');
    expect(doctor.code).toBe(1);
    expect(doctor.out).toMatch(/✗ database: .*rockpool\.db is damaged/);
    expect((await readFile(file)).equals(damaged)).toBe(true);

    await copyFile(join(folder, 'backup.db'), file);
    await product.start();
    await allAnsweredOnce();
  });

  it('that is gone while its log is there is not begun anew', async () => {
    await Promise.all(Array.from({ length: 10 }, () => send()));
    await product.kill('SIGKILL');
    const file = join(environment['ROCKPOOL_DATA_DIR']!, 'rockpool.db');
    await copyFile(file, join(folder, 'backup.db'));
    await rm(file);
    const { code, out } = await rockpool('start');
    expect(code).toBe(69);
    expect(out).toMatch(/rockpool\.db is empty or gone, but its write-ahead log is there/);
    await copyFile(join(folder, 'backup.db'), file);
    await product.start();
    await allAnsweredOnce();
  });
});
