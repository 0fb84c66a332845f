import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, freePort, signStandardWebhook, startProcess, type RunningProcess } from '@rockpool/testkit';

/** The built product while its database takes nothing: senders that may never try again are answered 2xx all the same, and nothing of theirs is lost. */

const command = fileURLToPath(new URL('../../../cli/bin/rockpool.mjs', import.meta.url));
const faults = fileURLToPath(new URL('storage-faults.ts', import.meta.url));
const secret = `whsec_${Buffer.from('a secret of thirty-two bytes ....').toString('base64')}`;
const telegramSecret = 'a-secret-that-Telegram-sends';

let folder: string;
let spool: string;
let url: string;
let environment: Record<string, string>;
let product: RunningProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-spool-'));
  spool = join(folder, 'another-disk');
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  environment = {
    PORT: String(port),
    ROCKPOOL_DATA_DIR: join(folder, 'data'),
    ROCKPOOL_KEY_FILE: join(folder, 'master.key'),
    ROCKPOOL_SPOOL_DIR: spool,
    ROCKPOOL_LOG_FORMAT: 'json',
    ROCKPOOL_LOG_LEVEL: 'fatal',
    ROCKPOOL_LEASE_MS: '3000',
    STORAGE_FAULT_FILE: join(folder, 'fault'),
    HTTP_SECRET: secret,
    TELEGRAM_SECRET: telegramSecret,
    TELEGRAM_TOKEN: `4242:${'x'.repeat(35)}`,
    // Nobody answers there: what is sent to Telegram is no matter here.
    ROCKPOOL_TELEGRAM_API_URL: 'http://127.0.0.1:9',
  };
  product = await startProcess({
    command: process.execPath,
    args: ['--import', faults, command, 'start'],
    env: environment,
    dataDir: environment['ROCKPOOL_DATA_DIR']!,
    readyUrl: `${url}/readyz`,
  });
  const tenants = join(folder, 'tenants.yaml');
  await writeFile(
    tenants,
    `tenants:
  alice:
    channels:
      http: { secret: "env://HTTP_SECRET" }
      telegram: { botToken: "env://TELEGRAM_TOKEN", webhookSecret: "env://TELEGRAM_SECRET" }
`,
  );
  await promisify(execFile)(process.execPath, [command, 'apply', tenants, '--yes'], { env: { ...process.env, ...environment } });
});

afterAll(async () => {
  await product.stop();
  await rm(folder, { recursive: true });
});

async function send(id: string): Promise<number> {
  const body = JSON.stringify({ type: 'message', data: { conversation: 'one', text: `${id} ${'x'.repeat(20_000)}` } });
  const response = await fetch(`${url}/webhooks/http/alice`, { method: 'POST', ...signStandardWebhook({ secret, id, body }) });
  await response.text();
  return response.status;
}

async function sendFromTelegram(updateId: number): Promise<number> {
  const who = { id: 77, is_bot: false, first_name: 'Ann' };
  const message = { message_id: updateId, date: Math.floor(Date.now() / 1000), chat: { id: 77, type: 'private' }, from: who };
  const response = await fetch(`${url}/webhooks/telegram/alice`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-telegram-bot-api-secret-token': telegramSecret },
    body: JSON.stringify({ update_id: updateId, message: { ...message, text: 'x'.repeat(4_000) } }),
  });
  await response.text();
  return response.status;
}

async function order(fault: 'full' | 'none'): Promise<void> {
  await writeFile(environment['STORAGE_FAULT_FILE']!, fault);
  const inForce = () => readFile(`${environment['STORAGE_FAULT_FILE']}.in-force`, 'utf8').catch(() => '');
  await eventually(`storage is ${fault}`, async () => (await inForce()) === fault);
}

async function operator<Answer>(path: string): Promise<Answer> {
  const token = (await readFile(join(environment['ROCKPOOL_DATA_DIR']!, 'admin-token'), 'utf8')).trim();
  const response = await fetch(`${url}/api/v1/${path}`, { headers: { authorization: `Bearer ${token}` } });
  return (await response.json()) as Answer;
}

const spooled = async () => {
  const sizes = await Promise.all(
    ['arriving', 'leaving'].map((name) =>
      stat(join(spool, `${name}.jsonl`)).then(
        (file) => file.size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
};

const readyz = async () => (await fetch(`${url}/readyz`)).text();

describe('while the bus takes nothing', () => {
  it('what senders that never retry send is kept on the other disk, over a kill, and answered once and in order when the bus is back', async () => {
    expect(await send('before')).toBe(200);
    await order('full');
    // The last free page may still take one or two: then they are on the bus, which is as good.
    const ids = Array.from({ length: 12 }, (_, index) => `m${index + 1}`);
    for (const id of ids) expect([id, await send(id)]).toEqual([id, 200]);
    expect(await spooled()).toBeGreaterThan(20_000);
    // Telegram tries again, so it is told the truth.
    await eventually('Telegram is refused', async () => (await sendFromTelegram(Date.now() % 1_000_000)) === 503);
    await eventually('the spool is told of', async () => (await readyz()).includes('events wait in the spool'));

    await product.kill('SIGKILL');
    await writeFile(environment['STORAGE_FAULT_FILE']!, 'none');
    await product.start();

    const turns = new Map<string, { state: string; seq: number }>();
    await eventually(`${ids.length} events are answered`, async () => {
      const { items } = await operator<{ items: { eventId: string; state: string; seq: number }[] }>('inbox?tenant=alice&limit=1000');
      for (const { eventId, state, seq } of items) turns.set(eventId, { state, seq });
      return ids.every((id) => turns.get(`http:alice:${id}`)?.state === 'done');
    });
    const places = ids.map((id) => turns.get(`http:alice:${id}`)!.seq);
    expect(new Set(places).size).toBe(ids.length);
    expect(places).toEqual(places.toSorted((one, other) => one - other));
    for (const id of ids) {
      const { replies } = await operator<{ replies: { state: string }[] }>(`inbox/alice/${encodeURIComponent(`http:alice:${id}`)}`);
      expect([id, replies.map(({ state }) => state)]).toEqual([id, ['sent']]);
    }
    await eventually('the spool is empty', async () => (await spooled()) === 0);
    await eventually('nothing is said of the spool', async () => !(await readyz()).includes('spool'));
  });
});
