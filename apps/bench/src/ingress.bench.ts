import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, startProcess, telegramUpdate } from '@rockpool/testkit';
import autocannon from 'autocannon';
import { quantile, rounded, type Figure } from './figures.js';
import { postWebhook } from './webhook-post.js';

const secret = 'bench-secret';
const botToken = '424242:bench';

/** Requests a second of the ingress, each one verified and on disk before its 200, beside bare node:http that only verifies; and its p99 at half that load. */
export async function measureIngress(seconds: number): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'rockpool-bench-'));
  const [rawPort, port] = [await freePort(), await freePort()];
  const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const raw = await startProcess({ command: process.execPath, args: [script('raw-server.js'), secret, String(rawPort)] });
  const ingress = await startProcess({
    command: process.execPath,
    args: [script('ingress-server.js'), secret, botToken],
    dataDir: join(folder, 'data'),
    env: {
      PORT: String(port),
      ROCKPOOL_KEY_FILE: join(folder, 'key', 'master.key'),
      ROCKPOOL_LOG_LEVEL: 'warn',
      ROCKPOOL_LOG_FORMAT: 'json',
    },
    readyUrl: `http://127.0.0.1:${port}/readyz`,
  });
  try {
    await load(rawPort, '/', 1);
    await load(port, '/webhooks/telegram/bench', 1);
    const bare = await load(rawPort, '/', seconds);
    const durable = await load(port, '/webhooks/telegram/bench', seconds);
    const half = await openLoop(`http://127.0.0.1:${port}/webhooks/telegram/bench`, durable.requests.average / 2, seconds);
    return [
      { name: 'bare node:http, verify only', value: Math.round(bare.requests.average), unit: 'requests/s' },
      { name: 'ingress, verified and on disk', value: Math.round(durable.requests.average), unit: 'requests/s' },
      {
        name: 'ingress / bare',
        value: Math.round((durable.requests.average / bare.requests.average) * 100) / 100,
        unit: '×',
        target: { at: 'least', value: 0.25 },
      },
      { name: 'ingress p99 at half load', value: rounded(quantile(half, 0.99)), unit: 'ms', target: { at: 'most', value: 15 } },
    ];
  } finally {
    await Promise.all([raw.stop(), ingress.stop()]);
    await rm(folder, { recursive: true, force: true });
  }
}

let updateId = 1;

/** A closed loop of 100 connections. Every update is another one, of one of 200 chats. Rejects when not all got 2xx. */
async function load(port: number, path: string, duration: number): Promise<autocannon.Result> {
  const result = await autocannon({
    url: `http://127.0.0.1:${port}`,
    connections: 100,
    duration,
    requests: [
      {
        method: 'POST',
        path,
        setupRequest: (request) => {
          const { headers, body } = nextUpdate();
          return { ...request, path, method: 'POST', headers, body: body as string };
        },
      },
    ],
  });
  if (result.non2xx > 0 || result.errors > 0) throw new Error(`${path}: ${result.non2xx} answers were not 2xx, ${result.errors} failed`);
  return result;
}

/** Evenly paced, whatever is still unanswered. Milliseconds from when each request was due to its answer. */
async function openLoop(url: string, perSecond: number, seconds: number): Promise<number[]> {
  const answered: Promise<number>[] = [];
  const began = performance.now();
  for (let n = 0; n < perSecond * seconds; n++) {
    const due = began + (n * 1000) / perSecond;
    const waitMs = due - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const { headers, body } = nextUpdate();
    answered.push(
      postWebhook(url, headers, body).then((status) => {
        if (status !== 200) throw new Error(`a webhook got ${status}`);
        return performance.now() - due;
      }),
    );
  }
  return Promise.all(answered);
}

function nextUpdate() {
  const id = updateId++;
  return telegramUpdate({ updateId: id, secret, fromId: 1 + (id % 200), text: `hello ${id}` });
}
