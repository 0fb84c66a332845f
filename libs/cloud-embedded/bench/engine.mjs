// What the embedded engine does on this machine, one JSON line a figure. Run after a build: node libs/cloud-embedded/bench/engine.mjs
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Database, SqliteDocuments, SqliteMessageBus } from '../dist/index.js';

const folder = mkdtempSync(join(tmpdir(), 'rockpool-bench-'));
const database = Database.open(join(folder, 'bench.db'));
const subscription = {
  name: 'inbound-messages.bench',
  topic: 'inbound-messages',
  maxAttempts: 5,
  minBackoffMs: 10,
  maxBackoffMs: 100,
  maxConcurrency: 100,
};
const bus = await SqliteMessageBus.open(database, [subscription]);
const documents = new SqliteDocuments(database, [{ collection: 'turns', scope: 'collection', fields: ['state', 'createdAt'] }]);
const body = new Uint8Array(500);

const report = (what, figures) => console.log(JSON.stringify({ what, ...figures }));
const quantile = (sorted, share) => Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))].toFixed(2));

/** Runs `once` for about `seconds`, `concurrency` at a time. */
async function perSecond(what, concurrency, once, seconds = 2) {
  const began = performance.now();
  const end = began + seconds * 1_000;
  const latencies = [];
  let number = 0;
  const worker = async () => {
    while (performance.now() < end) {
      const start = performance.now();
      await once(number++);
      latencies.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const rate = Math.round((latencies.length * 1_000) / (performance.now() - began));
  latencies.sort((one, other) => one - other);
  report(what, { concurrency, perSecond: rate, p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) });
}

const publish = (number) =>
  bus.publish({
    topic: 'inbound-messages',
    body,
    attributes: { 'ce-id': `${number}`, sent: `${performance.now()}` },
    orderingKey: `${number % 1_000}`,
  });
for (const concurrency of [1, 50, 500]) await perSecond('publish', concurrency, publish);

let handled = 0;
let latencies = [];
const consumer = await bus.subscribe(subscription, async (delivery) => {
  handled++;
  latencies.push(performance.now() - Number(delivery.attributes.sent));
  return { kind: 'ack' };
});
const began = performance.now();
const { backlog } = await bus.stats(subscription.name);
while ((await bus.stats(subscription.name)).backlog > 0) await new Promise((resolve) => setTimeout(resolve, 10));
report('work off a backlog', { messages: backlog, perSecond: Math.round((handled * 1_000) / (performance.now() - began)) });

for (const concurrency of [1, 50]) {
  latencies = [];
  await perSecond('publish while it is consumed', concurrency, publish);
  while ((await bus.stats(subscription.name)).backlog > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  latencies.sort((one, other) => one - other);
  report('from publish to handler', { concurrency, p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) });
}
await consumer.close();

const turn = (number) => ({ state: number % 10 === 0 ? 'waiting' : 'done', createdAt: number, text: 'x'.repeat(400) });
const waiting = (number) => ({
  from: { collection: `tenants/${number % 100}/turns` },
  where: { state: 'waiting' },
  orderBy: { field: 'createdAt' },
  limit: 20,
});
const count = (number) =>
  documents.transaction(async (transaction) => {
    const path = `counters/${number % 1_000}`;
    const counter = await transaction.get(path);
    transaction.set(path, { count: (counter?.data.count ?? 0) + 1 });
  });
let stored = 0;
for (const total of [5_000, 100_000]) {
  while (stored < total) {
    const some = Array.from({ length: 2_500 }, () => stored++);
    await Promise.all(some.map((number) => documents.set(`tenants/${number % 100}/turns/${number}`, turn(number))));
  }
  const among = `among ${total} documents`;
  await perSecond(`get ${among}`, 1, (number) => documents.get(`tenants/${(number * 7) % 100}/turns/${(number * 7) % total}`));
  await perSecond(`query a page of 20 ${among}`, 1, (number) => documents.query(waiting(number)));
  await perSecond(`set ${among}`, 50, (number) => documents.set(`tenants/${number % 100}/turns/${number % total}`, turn(number)));
  for (const concurrency of [1, 50]) await perSecond(`transaction ${among}`, concurrency, count);
}
report('resident memory', { mebibytes: Math.round(process.memoryUsage.rss() / 2 ** 20) });

await bus.close();
documents.close();
await database.close();
rmSync(folder, { recursive: true });
