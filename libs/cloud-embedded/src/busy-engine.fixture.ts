// Works an embedded engine as hard as it can until it is killed, and reports a line for everything that was promised to be durable:
//   p <n>  message n was published      h <n>  message n was handled      t <n>  transfer n was committed
// usage: node --import ../test/load-sources.mjs busy-engine.fixture.ts <data folder> <key file> <first number>
import { writeSync } from 'node:fs';
import { codeOf, type SubscriptionSpec } from '@rockpool/contracts';
import { type EmbeddedCloudOptions, openEmbeddedCloud } from './embedded-cloud.js';

export const accounts = 5;

export const subscription: SubscriptionSpec = {
  name: 'inbound-messages.busy',
  topic: 'inbound-messages',
  maxAttempts: 5,
  minBackoffMs: 5,
  maxBackoffMs: 10,
  maxConcurrency: 20,
};

export function engineOptions(dataDir: string, keyFile: string): EmbeddedCloudOptions {
  return { dataDir, keyFile, baseUrl: () => 'http://127.0.0.1:8080', subscriptions: [subscription], indexes: [], queues: [] };
}

async function work(dataDir: string, keyFile: string, first: number): Promise<void> {
  const cloud = await openEmbeddedCloud(engineOptions(dataDir, keyFile));
  // At once, so that no report is lost with the process.
  const report = (line: string) => writeSync(1, `${line}\n`);
  let number = first;

  await cloud.bus.subscribe(subscription, async (delivery) => {
    const message = Number(new TextDecoder().decode(delivery.body));
    // Some are still being handled whenever the end comes, and some fail before they succeed.
    if (message % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    if (message % 5 === 0 && delivery.attempt === 1) return { kind: 'retry' };
    report(`h ${message}`);
    return { kind: 'ack' };
  });

  async function publish(): Promise<never> {
    for (;;) {
      const message = number++;
      const body = new TextEncoder().encode(String(message));
      await cloud.bus.publish({ topic: 'inbound-messages', body, attributes: {}, orderingKey: String(message % 50) });
      report(`p ${message}`);
    }
  }

  async function transfer(): Promise<never> {
    for (;;) {
      const id = number++;
      const [from, to] = [`accounts/${id % accounts}`, `accounts/${(id + 2) % accounts}`];
      const moved = cloud.documents.transaction(async (transaction) => {
        const [source, target] = [await transaction.get<{ balance: number }>(from), await transaction.get<{ balance: number }>(to)];
        transaction.set(from, { balance: (source?.data.balance ?? 0) - 1 });
        transaction.create(`transfers/${id}`, { from, to });
        transaction.set(to, { balance: (target?.data.balance ?? 0) + 1 });
      });
      // Under contention a transaction may give up after its attempts, as the port says; then nothing of it has happened.
      const outcome = await moved.then(() => 'moved' as const, codeOf);
      if (outcome === 'moved') report(`t ${id}`);
      else if (outcome !== 'conflict') throw new Error(`a transfer failed: ${outcome}`);
    }
  }

  report('ready');
  for (let worker = 0; worker < 8; worker++) {
    void publish();
    void transfer();
  }
}

if (process.argv[1] === import.meta.filename) await work(process.argv[2]!, process.argv[3]!, Number(process.argv[4]));
