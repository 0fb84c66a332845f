import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database, SqliteMessageBus } from '@rockpool/cloud-embedded';
import { quantile, type Figure } from './figures.js';

type Synchronous = 'FULL' | 'NORMAL' | 'OFF';

const levels: readonly Synchronous[] = ['FULL', 'NORMAL', 'OFF'];
/** Publishers at once: one alone has a commit for each message, many share them. */
const [alone, together] = [1, 64];
const roundMs = 300;
const body = new Uint8Array(700);

interface Round {
  readonly synchronous: Synchronous;
  readonly publishers: number;
  readonly perSecond: number;
}

/**
 * What durability costs the bus: messages published a second with a commit each and with shared commits, at each of SQLite's levels. FULL is what the product
 * uses: a publish resolves after an fsync. The levels take turns within one run, and ratios are the median of those of each round.
 */
export async function measureDurability(rounds: number): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'rockpool-bench-'));
  const results: Round[][] = [];
  try {
    const buses = await Promise.all(
      levels.map(async (synchronous) => {
        const database = Database.open(join(folder, `${synchronous}.db`), { synchronous });
        return { synchronous, database, bus: await SqliteMessageBus.open(database, [subscription]) };
      }),
    );
    for (let round = 0; round <= rounds; round++) {
      const measured: Round[] = [];
      for (const publishers of [alone, together]) {
        for (const { synchronous, bus } of buses) measured.push({ synchronous, publishers, perSecond: await publishRate(bus, publishers) });
      }
      // The first one warms up.
      if (round > 0) results.push(measured);
    }
    for (const { bus, database } of buses) {
      await bus.close();
      await database.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const rate = (round: readonly Round[], synchronous: Synchronous, publishers: number) =>
    round.find((one) => one.synchronous === synchronous && one.publishers === publishers)!.perSecond;
  const median = (value: (round: readonly Round[]) => number) => quantile(results.map(value), 0.5);
  const ratio = (name: string, over: [Synchronous, number], under: [Synchronous, number]): Figure => ({
    name,
    value: Math.round(median((round) => rate(round, ...over) / rate(round, ...under)) * 100) / 100,
    unit: '×',
  });
  return [
    { name: 'published, a commit each, FULL', value: Math.round(median((round) => rate(round, 'FULL', alone))), unit: 'messages/s' },
    { name: 'published, group commit, FULL', value: Math.round(median((round) => rate(round, 'FULL', together))), unit: 'messages/s' },
    ratio('group commit / a commit each, FULL', ['FULL', together], ['FULL', alone]),
    ratio('FULL / NORMAL, a commit each', ['FULL', alone], ['NORMAL', alone]),
    ratio('FULL / NORMAL, group commit', ['FULL', together], ['NORMAL', together]),
    ratio('FULL / OFF, a commit each', ['FULL', alone], ['OFF', alone]),
    ratio('FULL / OFF, group commit', ['FULL', together], ['OFF', together]),
  ];
}

const subscription = {
  name: 'durability.bench',
  topic: 'inbound-messages',
  maxAttempts: 5,
  minBackoffMs: 10,
  maxBackoffMs: 100,
  maxConcurrency: 100,
} as const;

async function publishRate(bus: SqliteMessageBus, publishers: number): Promise<number> {
  const began = performance.now();
  let published = 0;
  await Promise.all(
    Array.from({ length: publishers }, async () => {
      while (performance.now() - began < roundMs) {
        await bus.publish({ topic: subscription.topic, body, attributes: { 'ce-id': 'bench' } });
        published += 1;
      }
    }),
  );
  return (published * 1_000) / (performance.now() - began);
}
