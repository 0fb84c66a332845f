import { describe, expect, it } from '@jest/globals';
import { OutcomeUnknown } from '@rockpool/contracts';
import fc from 'fast-check';
import { openHost, type TestHost } from './testing/host.js';
import { alice, messageOf } from './testing/messages.js';

/** Nobody waits for longer until an unknown outcome is looked after again; the sweep for lost wakes comes as often. */
const longestWaitMs = 60_000;
const messages = 3;
/** Four messages at the channel. */
const long = 'x'.repeat(120);

/**
 * What becomes of a request to the channel. `lost`: it is done, and the answer does not come. `unsent`: it is not done, which nobody can know either.
 * `refused`: surely not done. The process dies `before` it is done, or `after`.
 */
type Fate = 'done' | 'lost' | 'unsent' | 'refused' | 'before' | 'after';

const fates = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant<Fate>('done') },
    { weight: 4, arbitrary: fc.constantFrom<Fate>('lost', 'unsent', 'refused') },
    { weight: 1, arbitrary: fc.constantFrom<Fate>('before', 'after') },
  ),
  { maxLength: 60 },
);

/** Waits for nothing, so that a hundred of them are tried in a moment. */
const atOnce = <Failure extends Error>(error: Failure): Failure => Object.assign(error, { afterMs: 0 });
const unknown = () => atOnce(new OutcomeUnknown('no answer came'));

/** A host whose requests to the channel meet these fates, one after another, and whose process dies where they say so. */
class FatefulHost {
  private host!: TestHost;
  private first!: TestHost;
  private readonly dead: Promise<unknown>[] = [];
  private readonly graves: (() => void)[] = [];
  private died = Promise.withResolvers<void>();

  private constructor(private readonly fates: Fate[]) {}

  static async open(fates: readonly Fate[]): Promise<FatefulHost> {
    const fateful = new FatefulHost([...fates]);
    fateful.host = fateful.first = await openHost();
    const { channel } = fateful.first;
    let fate: Fate = 'done';
    channel.before = () => {
      fate = fateful.fates.shift() ?? 'done';
      if (fate === 'unsent') throw unknown();
      if (fate === 'refused') throw atOnce(new Error('503'));
      return fate === 'before' ? fateful.die() : undefined;
    };
    channel.after = () => {
      const now = fate;
      fate = 'done';
      if (now === 'lost') throw unknown();
      return now === 'after' ? fateful.die() : undefined;
    };
    return fateful;
  }

  get inbox() {
    return this.first.inbox;
  }

  get channel() {
    return this.first.channel;
  }

  /** One drive, or as much of it as its process lives to see. */
  async drive(): Promise<number | 'drained'> {
    this.died = Promise.withResolvers();
    const driven = this.host.drive();
    const result = await Promise.race([driven, this.died.promise.then(() => undefined)]);
    if (result?.kind === 'drained') return 'drained';
    if (result) return result.retryAfterMs;
    this.dead.push(driven);
    await this.first.takeLeaseAway();
    this.host = await this.first.another({ holder: `host-${this.dead.length + 1}` });
    return 0;
  }

  /** The dead find that nothing is theirs any more. */
  async close(): Promise<void> {
    for (const wake of this.graves) wake();
    await Promise.all(this.dead);
    await this.first.close();
  }

  private die(): Promise<void> {
    this.died.resolve();
    return new Promise((_resolve, reject) => this.graves.push(() => reject(new Error('the process is dead'))));
  }
}

/** States of ledger rows whose turn is over, and would be looked at by nobody any more. */
async function unsettled(host: FatefulHost): Promise<string[]> {
  const { items } = await host.inbox.list({ tenantId: alice, limit: 100 });
  const over = items.filter(({ open }) => !open);
  const ledgers = await Promise.all(over.map(({ eventId }) => host.inbox.get(alice, eventId)));
  return ledgers.flatMap(({ replies }) => replies.map(({ state }) => state)).filter((state) => state !== 'sent' && state !== 'failed');
}

describe('a reply whose outcome nobody knows', () => {
  it('is shown in the inbox until it is resolved, is looked after again within a minute, and in the end is there once', async () => {
    const holds = async (plan: readonly Fate[]) => {
      const host = await FatefulHost.open(plan);
      try {
        for (let n = 1; n <= messages; n++) await host.inbox.append(alice, messageOf(n, `${n}${long}`));
        for (let drives = 0; ; drives++) {
          const result = await host.drive();
          expect(await unsettled(host)).toEqual([]);
          if (result === 'drained') break;
          expect(result).toBeLessThanOrEqual(longestWaitMs);
          expect(drives).toBeLessThan(200);
        }
        const said = Array.from({ length: messages }, (_, index) => `You said: ${index + 1}${long}`);
        expect(host.channel.visible.join('')).toBe(said.join(''));
        const { items } = await host.inbox.list({ tenantId: alice, limit: 100 });
        expect(items.map(({ state }) => state)).toEqual(Array(messages).fill('done'));
      } finally {
        await host.close();
      }
    };
    await fc.assert(fc.asyncProperty(fates, holds), { numRuns: 30 });
  });
});
