import { afterEach, describe, expect, it } from '@jest/globals';
import { codeOf, type SubscriptionSpec } from '@rockpool/contracts';
import type { MessageBus, OutgoingMessage } from '../message-bus.js';
import { eventually } from './eventually.js';
import { messageBusOrderingContract } from './message-bus-ordering.contract.js';
import { gate, Recorder, textOf } from './recorder.js';

/** A bus under test. `close` also frees what the test needed around it. */
export interface OpenedBus {
  readonly bus: MessageBus;
  /** Closes the bus and opens another over the same state, with the same subscriptions. Absent when the engine keeps its state elsewhere. */
  reopen?(): Promise<MessageBus>;
  close(): Promise<void>;
}

/** Opens a fresh bus with these subscriptions in existence. */
export type OpenBus = (subscriptions: readonly SubscriptionSpec[]) => Promise<OpenedBus>;

/** A subscription as the contract uses it: five attempts (the fewest Pub/Sub allows), short waits. */
export function subscriptionFor(name: string, overrides: Partial<SubscriptionSpec> = {}): SubscriptionSpec {
  return { name, topic: 'inbound-messages', maxAttempts: 5, minBackoffMs: 10, maxBackoffMs: 40, maxConcurrency: 10, ...overrides };
}

export function messageOf(text: string, overrides: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return { topic: 'inbound-messages', body: new TextEncoder().encode(text), attributes: {}, ...overrides };
}

/** Every sentence of `MessageBus`, tried on a driver. Runs inside a test file of that driver. */
export function messageBusContract(name: string, open: OpenBus): void {
  describe(`${name} keeps the message bus contract`, () => {
    const spec = subscriptionFor('contract.one');
    let opened: OpenedBus | undefined;

    async function openWith(...subscriptions: SubscriptionSpec[]): Promise<MessageBus> {
      opened = await open(subscriptions);
      return opened.bus;
    }

    afterEach(async () => {
      await opened?.close();
      opened = undefined;
    });

    describe('delivery', () => {
      it('brings what was published, once, with its id and time', async () => {
        const bus = await openWith(spec);
        const recorder = new Recorder();
        await bus.subscribe(spec, recorder.handle);
        const before = Date.now();
        const id = await bus.publish(messageOf('hello', { attributes: { 'ce-id': '1', traceparent: '00-ab-cd-01' }, orderingKey: 'k' }));
        await recorder.began(1);
        const [delivery] = recorder.deliveries;
        expect(textOf(delivery!)).toBe('hello');
        expect(delivery).toMatchObject({ messageId: id, orderingKey: 'k', attempt: 1 });
        expect(delivery!.attributes).toMatchObject({ 'ce-id': '1', traceparent: '00-ab-cd-01' });
        expect(Math.abs(delivery!.publishedAt.getTime() - before)).toBeLessThan(60_000);
        expect(delivery!.signal.aborted).toBe(false);
        await eventually('the backlog is empty', async () => (await bus.stats(spec.name)).backlog === 0);
        expect(recorder.deliveries).toHaveLength(1);
      });

      it('gives every message an id of its own and keeps bytes as they are', async () => {
        const bus = await openWith(spec);
        const recorder = new Recorder();
        await bus.subscribe(spec, recorder.handle);
        const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
        const ids = await Promise.all([bus.publish(messageOf('', { body: bytes, attributes: { a: 'ü🦀' } })), bus.publish(messageOf('x'))]);
        await recorder.began(2);
        expect(new Set(ids).size).toBe(2);
        const first = recorder.deliveries.find(({ messageId }) => messageId === ids[0])!;
        expect([...first.body]).toEqual([...bytes]);
        expect(first.attributes).toMatchObject({ a: 'ü🦀' });
        expect(first.orderingKey).toBeUndefined();
      });

      it('keeps what is published before anybody subscribes', async () => {
        const bus = await openWith(spec);
        await bus.publish(messageOf('early'));
        const recorder = new Recorder();
        await bus.subscribe(spec, recorder.handle);
        await recorder.began(1);
        expect(recorder.bodies).toEqual(['early']);
      });

      it('reaches every subscription of the topic and none of another', async () => {
        const two = subscriptionFor('contract.two');
        const other = subscriptionFor('contract.other', { topic: 'conversation-wakes' });
        const bus = await openWith(spec, two, other);
        const recorders = [new Recorder(), new Recorder(), new Recorder()] as const;
        await bus.subscribe(spec, recorders[0].handle);
        await bus.subscribe(two, recorders[1].handle);
        await bus.subscribe(other, recorders[2].handle);
        await bus.publish(messageOf('to two'));
        await bus.publish(messageOf('to one', { topic: 'conversation-wakes' }));
        await Promise.all(recorders.map((recorder) => recorder.began(1)));
        expect(recorders.map(({ bodies }) => bodies)).toEqual([['to two'], ['to two'], ['to one']]);
      });

      it('delivers only what the filter asks for', async () => {
        const filtered = subscriptionFor('contract.filtered', { filter: { kind: 'a', place: 'x' } });
        const bus = await openWith(filtered);
        const recorder = new Recorder();
        await bus.subscribe(filtered, recorder.handle);
        const variants: Record<string, string>[] = [{ kind: 'a' }, { kind: 'b', place: 'x' }, {}, { kind: 'a', place: 'x', more: '1' }];
        for (const attributes of variants) await bus.publish(messageOf(JSON.stringify(attributes), { attributes, orderingKey: 'k' }));
        await recorder.began(1);
        await eventually('the backlog is empty', async () => (await bus.stats(filtered.name)).backlog === 0);
        expect(recorder.bodies).toEqual(['{"kind":"a","place":"x","more":"1"}']);
      });

      it('shares the messages of a subscription among its subscribers', async () => {
        const bus = await openWith(spec);
        const both = gate();
        let atWork = 0;
        const waitForTheOther = async () => {
          if (++atWork === 2) both.open();
          await both.opened;
          return { kind: 'ack' } as const;
        };
        const recorders = [new Recorder(waitForTheOther), new Recorder(waitForTheOther)] as const;
        const single = { ...spec, maxConcurrency: 1 };
        await bus.subscribe(single, recorders[0].handle);
        await bus.subscribe(single, recorders[1].handle);
        await Promise.all(['1', '2'].map((text) => bus.publish(messageOf(text))));
        await Promise.all(recorders.map((recorder) => recorder.began(1)));
        expect([...recorders[0].bodies, ...recorders[1].bodies].sort()).toEqual(['1', '2']);
      });
    });

    describe('failure', () => {
      it('comes back with the same id when the handler throws, and counts the attempts', async () => {
        const bus = await openWith(spec);
        const recorder = new Recorder((_, number) => {
          if (number < 3) throw new Error('not yet');
          return { kind: 'ack' };
        });
        await bus.subscribe(spec, recorder.handle);
        const id = await bus.publish(messageOf('again'));
        await recorder.began(3);
        expect(recorder.deliveries.map(({ messageId, attempt }) => [messageId, attempt])).toEqual([
          [id, 1],
          [id, 2],
          [id, 3],
        ]);
        expect(recorder.bodies).toEqual(['again', 'again', 'again']);
      });

      it('waits as long as the verdict asks, or as the backoff says', async () => {
        const slow = subscriptionFor('contract.slow', { minBackoffMs: 60, maxBackoffMs: 100 });
        const bus = await openWith(slow);
        const times: number[] = [];
        const recorder = new Recorder((_, number) => {
          times.push(Date.now());
          return number === 1 ? { kind: 'retry', afterMs: 150 } : number < 4 ? { kind: 'retry' } : { kind: 'ack' };
        });
        await bus.subscribe(slow, recorder.handle);
        await bus.publish(messageOf('patience'));
        await recorder.began(4);
        const waits = times.slice(1).map((time, index) => time - times[index]!);
        // After the second delivery: 60 · 2; the cap makes it 100.
        for (const [index, least] of [150, 100, 100].entries()) expect(waits[index]).toBeGreaterThanOrEqual(least);
      });

      it('becomes a dead letter after its attempts, and the next of its key goes on', async () => {
        const bus = await openWith(spec);
        const recorder = new Recorder((delivery) =>
          textOf(delivery) === 'poison' ? { kind: 'retry', reason: 'it does not go down' } : { kind: 'ack' },
        );
        await bus.subscribe(spec, recorder.handle);
        const id = await bus.publish(messageOf('poison', { orderingKey: 'k', attributes: { a: '1' } }));
        await bus.publish(messageOf('next', { orderingKey: 'k' }));
        await recorder.began(6);
        expect(recorder.bodies).toEqual([...Array<string>(5).fill('poison'), 'next']);
        const { items } = await eventually('there is a dead letter', async () => {
          const page = await bus.deadLetters(spec.name);
          return page.items.length > 0 && page;
        });
        expect(items).toHaveLength(1);
        expect(items[0]).toMatchObject({ messageId: id, orderingKey: 'k', attempts: 5, reason: 'it does not go down' });
        expect(items[0]!.attributes).toMatchObject({ a: '1' });
        expect(textOf(items[0]!)).toBe('poison');
        expect(items[0]!.deadAt.getTime()).toBeGreaterThanOrEqual(items[0]!.publishedAt.getTime());
      });

      it('becomes a dead letter at once when the verdict says so', async () => {
        const bus = await openWith(spec);
        const recorder = new Recorder(() => ({ kind: 'dead-letter', reason: 'not for us' }));
        await bus.subscribe(spec, recorder.handle);
        await bus.publish(messageOf('stranger'));
        const stats = await eventually('it is dead', async () => {
          const now = await bus.stats(spec.name);
          return now.deadLetters === 1 && now;
        });
        expect(stats).toMatchObject({ backlog: 0, deadLetters: 1 });
        expect(recorder.deliveries).toHaveLength(1);
        expect((await bus.deadLetters(spec.name)).items[0]).toMatchObject({ attempts: 1, reason: 'not for us' });
      });

      it('replays and purges dead letters', async () => {
        const bus = await openWith(spec);
        let healed = false;
        const recorder = new Recorder(() => (healed ? { kind: 'ack' } : { kind: 'dead-letter', reason: 'ill' }));
        await bus.subscribe(spec, recorder.handle);
        const ids: string[] = [];
        for (const text of ['1', '2', '3', '4', '5']) {
          ids.push(await bus.publish(messageOf(text, { orderingKey: 'k', attributes: { text } })));
          await eventually(`${text} is dead`, async () => (await bus.stats(spec.name)).deadLetters === ids.length);
        }
        const first = await bus.deadLetters(spec.name, { limit: 2 });
        const second = await bus.deadLetters(spec.name, { limit: 10, cursor: first.nextCursor! });
        expect([...first.items, ...second.items].map(({ messageId }) => messageId)).toEqual(ids);
        expect(second.nextCursor).toBeUndefined();

        healed = true;
        expect(await bus.purgeDeadLetters(spec.name, [ids[0]!, 'unknown'])).toBe(1);
        expect(await bus.replayDeadLetters(spec.name, [ids[2]!])).toBe(1);
        await recorder.began(6);
        expect(await bus.replayDeadLetters(spec.name)).toBe(3);
        await recorder.began(9);
        const replayed = recorder.deliveries.slice(5);
        expect(replayed.map(({ messageId }) => messageId)).toEqual([ids[2], ids[1], ids[3], ids[4]]);
        expect(replayed.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1]);
        expect(replayed[0]!.attributes).toMatchObject({ text: '3' });
        await eventually('nothing is left', async () => {
          const { backlog, deadLetters } = await bus.stats(spec.name);
          return backlog === 0 && deadLetters === 0;
        });
        expect(await bus.replayDeadLetters(spec.name)).toBe(0);
      });
    });

    describe('operation', () => {
      it('tells the backlog and its age', async () => {
        const bus = await openWith(spec);
        expect(await bus.stats(spec.name)).toEqual({ backlog: 0, oldestAgeMs: 0, deadLetters: 0 });
        await bus.publish(messageOf('1'));
        await bus.publish(messageOf('2'));
        const aged = await eventually('it ages', async () => {
          const stats = await bus.stats(spec.name);
          return stats.oldestAgeMs > 0 && stats;
        });
        expect(aged).toMatchObject({ backlog: 2, deadLetters: 0 });
        const held = gate();
        const recorder = new Recorder(() => held.opened.then(() => ({ kind: 'ack' })));
        await bus.subscribe(spec, recorder.handle);
        await recorder.began(2);
        expect((await bus.stats(spec.name)).backlog).toBe(2);
        held.open();
        await eventually('it is worked off', async () => (await bus.stats(spec.name)).backlog === 0);
      });

      it('waits on close for what is being handled', async () => {
        const bus = await openWith(spec);
        const held = gate();
        let finished = false;
        const recorder = new Recorder(async () => {
          await held.opened;
          finished = true;
          return { kind: 'ack' };
        });
        const subscription = await bus.subscribe(spec, recorder.handle);
        await bus.publish(messageOf('work'));
        await recorder.began(1);
        const closed = subscription.close(20_000);
        held.open();
        await closed;
        expect(finished).toBe(true);
        expect(recorder.deliveries[0]!.signal.aborted).toBe(false);
        await eventually('it is acked', async () => (await bus.stats(spec.name)).backlog === 0);
      });

      it('aborts what outlasts the drain time, and delivers it again', async () => {
        const bus = await openWith(spec);
        const stubborn = new Recorder(
          (delivery) => new Promise((_, reject) => delivery.signal.addEventListener('abort', () => reject(new Error('aborted')))),
        );
        const subscription = await bus.subscribe(spec, stubborn.handle);
        const id = await bus.publish(messageOf('work', { orderingKey: 'k' }));
        await stubborn.began(1);
        await subscription.close(0);
        expect(stubborn.deliveries[0]!.signal.aborted).toBe(true);
        const next = new Recorder();
        await bus.subscribe(spec, next.handle);
        await next.began(1);
        expect(next.deliveries[0]!.messageId).toBe(id);
      });

      it('takes nothing new once a subscription is closed', async () => {
        const bus = await openWith(spec);
        const first = new Recorder();
        await (await bus.subscribe(spec, first.handle)).close();
        await bus.publish(messageOf('later'));
        const second = new Recorder();
        await bus.subscribe(spec, second.handle);
        await second.began(1);
        expect(first.deliveries).toEqual([]);
      });

      it('refuses to publish once it is closed', async () => {
        const bus = await openWith(spec);
        await bus.close();
        await bus.close();
        await expect(bus.publish(messageOf('too late')).catch(codeOf)).resolves.toBe('unavailable');
      });

      it('refuses what no engine can carry, and knows its subscriptions', async () => {
        const bus = await openWith(spec);
        const tooLarge = messageOf('', { body: new Uint8Array(9 * 2 ** 20 + 1) });
        await expect(bus.publish(tooLarge).catch(codeOf)).resolves.toBe('too_large');
        await expect(bus.publish(messageOf('', { orderingKey: 'ü'.repeat(513) })).catch(codeOf)).resolves.toBe('invalid');
        await expect(bus.publish(messageOf('', { attributes: { long: 'x'.repeat(1_025) } })).catch(codeOf)).resolves.toBe('invalid');
        const attributes = Object.fromEntries(Array.from({ length: 99 }, (_, index) => [`a${index}`, '']));
        await expect(bus.publish(messageOf('', { attributes })).catch(codeOf)).resolves.toBe('invalid');
        await expect(bus.stats('contract.unknown').catch(codeOf)).resolves.toBe('not_found');
        await expect(bus.deadLetters('contract.unknown').catch(codeOf)).resolves.toBe('not_found');
        expect((await bus.stats(spec.name)).backlog).toBe(0);
      });

      it('has after a restart what was not acked, and only that', async () => {
        await openWith(spec);
        if (opened?.reopen === undefined) return;
        const recorder = new Recorder((delivery) => (textOf(delivery) === 'done' ? { kind: 'ack' } : { kind: 'retry', afterMs: 50 }));
        await opened.bus.subscribe(spec, recorder.handle);
        const id = await opened.bus.publish(messageOf('open', { orderingKey: 'k', attributes: { a: 'b' } }));
        await opened.bus.publish(messageOf('done'));
        await opened.bus.publish(messageOf('behind', { orderingKey: 'k' }));
        await recorder.began(2);
        const bus = await opened.reopen();
        const after = new Recorder();
        await bus.subscribe(spec, after.handle);
        await after.began(2);
        expect(after.bodies).toEqual(['open', 'behind']);
        expect(after.deliveries[0]).toMatchObject({ messageId: id, attributes: { a: 'b' } });
        await eventually('the backlog is empty', async () => (await bus.stats(spec.name)).backlog === 0);
      });
    });

    messageBusOrderingContract(openWith);
  });
}
