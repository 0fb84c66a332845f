import { describe, expect, it } from '@jest/globals';
import type { SubscriptionSpec } from '@rockpool/contracts';
import fc from 'fast-check';
import { setImmediate } from 'node:timers/promises';
import type { MessageBus } from '../message-bus.js';
import { messageOf, subscriptionFor } from './message-bus.contract.js';
import { gate, Recorder, textOf } from './recorder.js';

/** One message of a random run: its key, how often it fails before it is acked, and how many turns of the event loop each try takes. */
interface Scripted {
  key: string | undefined;
  failures: number;
  turns: number;
}

const scripted: fc.Arbitrary<Scripted> = fc.record({
  key: fc.option(fc.constantFrom('a', 'b', 'c', 'd'), { nil: undefined }),
  failures: fc.nat({ max: 3 }),
  turns: fc.nat({ max: 4 }),
});

/** The part of the contract about order and concurrency. */
export function messageBusOrderingContract(openWith: (...subscriptions: SubscriptionSpec[]) => Promise<MessageBus>): void {
  describe('order', () => {
    const spec = subscriptionFor('contract.ordered');

    it('holds back the later messages of a key that is retried, and nothing else', async () => {
      const bus = await openWith(spec);
      const others = gate();
      const recorder = new Recorder(async (delivery, number) => {
        const text = textOf(delivery);
        if (text === 'b1' || text === 'no key') {
          if (number >= 3) others.open();
          return { kind: 'ack' };
        }
        if (text === 'a1' && delivery.attempt === 1) {
          await others.opened;
          return { kind: 'retry' };
        }
        return { kind: 'ack' };
      });
      await bus.subscribe(spec, recorder.handle);
      await bus.publish(messageOf('a1', { orderingKey: 'a' }));
      await bus.publish(messageOf('a2', { orderingKey: 'a' }));
      await bus.publish(messageOf('b1', { orderingKey: 'b' }));
      await bus.publish(messageOf('no key'));
      await recorder.began(5);
      expect(recorder.bodies.filter((body) => body.startsWith('a'))).toEqual(['a1', 'a1', 'a2']);
      expect(recorder.bodies.slice(0, 3).sort()).toEqual(['a1', 'b1', 'no key']);
    });

    it('handles different keys at once, up to the limit', async () => {
      const limited = { ...spec, maxConcurrency: 3 };
      const bus = await openWith(limited);
      const full = gate();
      const recorder = new Recorder(async (_, number) => {
        if (number === 3) full.open();
        await full.opened;
        await setImmediate();
        return { kind: 'ack' };
      });
      await bus.subscribe(limited, recorder.handle);
      await Promise.all(Array.from({ length: 30 }, (_, index) => bus.publish(messageOf(`${index}`, { orderingKey: `${index}` }))));
      await recorder.began(30);
      expect(recorder.mostAtOnce).toBe(3);
    });

    it('lets the flood of one key delay no other', async () => {
      const single = { ...spec, maxConcurrency: 1 };
      const bus = await openWith(single);
      await Promise.all(Array.from({ length: 300 }, (_, index) => bus.publish(messageOf(`${index}`, { orderingKey: 'flood' }))));
      await bus.publish(messageOf('other', { orderingKey: 'other' }));
      const recorder = new Recorder();
      await bus.subscribe(single, recorder.handle);
      await recorder.began(301);
      expect(recorder.bodies.indexOf('other')).toBeLessThan(300);
      expect(recorder.bodies.filter((body) => body !== 'other')).toEqual(Array.from({ length: 300 }, (_, index) => `${index}`));
    });

    it('is kept per key, without overlap and without loss, whatever fails', async () => {
      const bus = await openWith();
      let runs = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(scripted, { minLength: 1, maxLength: 40 }),
          fc.integer({ min: 1, max: 8 }),
          fc.integer({ min: 1, max: 2 }),
          (script, maxConcurrency, subscribers) =>
            runScript(
              bus,
              subscriptionFor(`contract.run-${++runs}`, { maxConcurrency, minBackoffMs: 1, maxBackoffMs: 2 }),
              script,
              subscribers,
            ),
        ),
        { numRuns: 40 },
      );
    });
  });
}

/** Publishes the script at once, handles it as it says, and checks every delivery against what the order allows. */
async function runScript(bus: MessageBus, spec: SubscriptionSpec, script: readonly Scripted[], subscribers: number): Promise<void> {
  const lines = new Map<string, number[]>();
  for (const [index, { key }] of script.entries()) if (key !== undefined) lines.set(key, [...(lines.get(key) ?? []), index]);
  const failuresLeft = script.map(({ failures }) => failures);
  const acked = new Set<number>();
  const busy = new Set<string>();
  const violations: string[] = [];
  const allAcked = gate();

  const handle = async (delivery: { body: Uint8Array; attempt: number }) => {
    const index = Number(textOf(delivery));
    const { key, turns } = script[index]!;
    if (key !== undefined) {
      if (busy.has(key)) violations.push(`message ${index} overlaps another of its key`);
      const due = lines.get(key)!.find((candidate) => !acked.has(candidate));
      if (due !== index) violations.push(`message ${index} came while ${due} was due`);
      busy.add(key);
    }
    for (let turn = 0; turn < turns; turn++) await setImmediate();
    if (key !== undefined) busy.delete(key);
    if (failuresLeft[index]!-- > 0) return { kind: 'retry' } as const;
    acked.add(index);
    if (acked.size === script.length) allAcked.open();
    return { kind: 'ack' } as const;
  };

  const running = [];
  for (let count = 0; count < subscribers; count++) running.push(await bus.subscribe(spec, handle));
  await Promise.all(script.map(({ key }, index) => bus.publish(messageOf(`${index}`, key === undefined ? {} : { orderingKey: key }))));
  await allAcked.opened;
  await Promise.all(running.map((subscription) => subscription.close()));
  expect(violations).toEqual([]);
}
