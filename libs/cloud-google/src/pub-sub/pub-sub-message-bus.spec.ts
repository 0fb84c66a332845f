import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import type { Delivery, Verdict } from '@rockpool/cloud';
import { eventually, gate, messageBusContract, messageOf, Recorder, subscriptionFor, textOf } from '@rockpool/cloud/testing';
import { codeOf, type SubscriptionSpec } from '@rockpool/contracts';
import { startPubSubFake, type PubSubFake } from '@rockpool/testkit';
import { PubSubMessageBus } from './pub-sub-message-bus.js';

const projectId = 'rockpool-test';
const spec = subscriptionFor('contract.one');
const other = subscriptionFor('contract.other');
const full = (subscription: string): string => `projects/${projectId}/subscriptions/${subscription}`;

function openOn(
  fake: PubSubFake,
  subscriptions: readonly SubscriptionSpec[],
  more: { createTopology?: boolean; onFault?: () => void } = {},
) {
  return PubSubMessageBus.open({ projectId, endpoint: fake.host, subscriptions, createTopology: true, ...more });
}

messageBusContract('PubSubMessageBus on a strict Pub/Sub', async (subscriptions) => {
  const fake = await startPubSubFake();
  let bus = await openOn(fake, subscriptions);
  return {
    bus,
    async reopen() {
      await bus.close(0);
      bus = await openOn(fake, subscriptions);
      return bus;
    },
    async close() {
      await bus.close(0);
      await fake.stop();
    },
  };
});

describe('PubSubMessageBus', () => {
  let fake: PubSubFake;
  let bus: PubSubMessageBus;
  beforeEach(async () => {
    fake = await startPubSubFake();
    bus = await openOn(fake, [spec, other]);
  });
  afterEach(async () => {
    await bus.close(0);
    await fake.stop();
  });

  const inOrder = { orderingKey: 'k' };
  const isEmpty = (subscription = spec.name) => eventually('nothing is left', () => fake.unacked(full(subscription)).length === 0);

  it('handles no message again that it acknowledged, when an earlier one of its key is redelivered', async () => {
    const recorder = new Recorder();
    const lost = fake.faults.add({ kind: 'status', match: 'Acknowledge', status: 400, times: 1 });
    await bus.subscribe(spec, recorder.handle);
    const first = await bus.publish(messageOf('1', inOrder));
    await lost.struck();
    await bus.publish(messageOf('2', inOrder));
    await eventually(
      'the second is acknowledged, and the first is not',
      () => recorder.bodies.length === 2 && fake.unacked(full(spec.name)).length === 1,
    );
    fake.expire(full(spec.name), first);
    await isEmpty();
    expect(recorder.bodies).toEqual(['1', '2']);
  });

  it('does not let a message whose lease was lost be handled twice at once, nor the next before it', async () => {
    const held = gate();
    const recorder = new Recorder(async (delivery) => {
      if (textOf(delivery) === '1') await held.opened;
      return { kind: 'ack' };
    });
    await bus.subscribe(spec, recorder.handle);
    const first = await bus.publish(messageOf('1', inOrder));
    await bus.publish(messageOf('2', inOrder));
    await recorder.began(1);
    fake.expire(full(spec.name), first);
    await bus.publish(messageOf('elsewhere', { orderingKey: 'other' }));
    await recorder.began(2);
    expect(recorder.bodies).toEqual(['1', 'elsewhere']);
    held.open();
    await isEmpty();
    expect(recorder.bodies).toEqual(['1', 'elsewhere', '2']);
  });

  it('publishes a key again after a publish of it failed', async () => {
    fake.faults.add({ kind: 'status', match: 'Publish', status: 403, times: 1 });
    expect(await bus.publish(messageOf('refused', inOrder)).catch(codeOf)).toBe('unavailable');
    await bus.publish(messageOf('taken', inOrder));
    expect(fake.unacked(full(spec.name)).map(({ data }) => data.toString())).toEqual(['taken']);
  });

  it('says unavailable within seconds when nobody answers, and no more than that', async () => {
    const nobody = await PubSubMessageBus.open({ projectId, endpoint: '127.0.0.1:9', subscriptions: [], createTopology: false });
    const [inOrderOne, one] = await Promise.allSettled([nobody.publish(messageOf('1', inOrder)), nobody.publish(messageOf('2'))]);
    for (const result of [inOrderOne, one]) {
      const error = (result as PromiseRejectedResult).reason as Error;
      expect(codeOf(error)).toBe('unavailable');
      expect(error.message).toBe('Pub/Sub did not take the message for inbound-messages: deadlineExceeded');
    }
    await nobody.close();
  });

  it('says invalid when Pub/Sub refuses a message', async () => {
    fake.faults.add({ kind: 'status', match: 'Publish', status: 400, times: 1 });
    expect(await bus.publish(messageOf('strange')).catch(codeOf)).toBe('invalid');
    expect(await bus.publish(messageOf('', { attributes: { 'goog-x': '1' } })).catch(codeOf)).toBe('invalid');
  });

  it('publishes once it can when Pub/Sub is away for a moment', async () => {
    fake.faults.add({ kind: 'status', match: 'Publish', status: 503, times: 2 });
    await bus.publish(messageOf('patient'));
    expect(fake.unacked(full(spec.name))).toHaveLength(1);
  });

  it('carries a message without body and attributes', async () => {
    const recorder = new Recorder();
    await bus.subscribe(spec, recorder.handle);
    await bus.publish(messageOf(''));
    await recorder.began(1);
    expect(recorder.deliveries[0]).toMatchObject({ attributes: {} });
    expect(recorder.bodies).toEqual(['']);
  });

  it('carries the trace where Google looks for it, and reads it there when it is nowhere else', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const recorder = new Recorder();
    await bus.publish(messageOf('ours', { attributes: { traceparent } }));
    await bus.publish(messageOf('theirs', { attributes: { googclient_traceparent: traceparent } }));
    expect(fake.unacked(full(spec.name)).map(({ attributes }) => attributes['googclient_traceparent'])).toEqual([traceparent, traceparent]);
    await bus.subscribe(spec, recorder.handle);
    await recorder.began(2);
    for (const { attributes } of recorder.deliveries) expect(attributes).toEqual({ traceparent });
  });

  it('finds among the dead letters what Pub/Sub gave up because no delivery of it ever ended', async () => {
    const endless = gate();
    const recorder = new Recorder(() => endless.opened.then(() => ({ kind: 'ack' })));
    await bus.subscribe(spec, recorder.handle);
    await bus.publish(messageOf('killer', { attributes: { a: '1' }, orderingKey: 'k' }));
    await recorder.began(1);
    const { messageId, publishedAtMs } = fake.unacked(full(spec.name))[0]!;
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      await eventually('it is leased again', () => {
        fake.expire(full(spec.name), messageId);
        return fake.unacked(full(spec.name)).length === 0;
      });
    }
    const { items } = await bus.deadLetters(spec.name);
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({ attempts: 5, orderingKey: 'k', attributes: { a: '1' }, publishedAt: new Date(publishedAtMs) });
    expect(items[0]!.reason).toMatch('without a verdict');
    endless.open();
  });

  it('replays a dead letter to the subscription it died in, and to no other', async () => {
    let healed = false;
    const recorders = [new Recorder(() => (healed ? { kind: 'ack' } : { kind: 'dead-letter', reason: 'ill' })), new Recorder()] as const;
    await bus.subscribe(spec, recorders[0].handle);
    await bus.subscribe(other, recorders[1].handle);
    const id = await bus.publish(messageOf('letter', inOrder));
    await eventually('it is dead', async () => (await bus.stats(spec.name)).deadLetters === 1);
    healed = true;
    expect(await bus.replayDeadLetters(spec.name)).toBe(1);
    await Promise.all([isEmpty(spec.name), isEmpty(other.name)]);
    expect(recorders.map(({ deliveries }) => deliveries.map(({ messageId }) => messageId))).toEqual([[id, id], [id]]);
  });

  it('tries a message again whose dead letter could not be written', async () => {
    const refused = fake.faults.add({
      kind: 'status',
      status: 403,
      times: 1,
      match: ({ operation, body }) => operation === 'Publish' && body.includes('.dead'),
    });
    const recorder = new Recorder(() => ({ kind: 'dead-letter', reason: 'ill' }));
    await bus.subscribe(spec, recorder.handle);
    await bus.publish(messageOf('letter'));
    await refused.struck();
    await eventually('it is dead', async () => (await bus.stats(spec.name)).deadLetters === 1);
    expect(recorder.deliveries.map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  it('keeps a letter whose reason is longer than an attribute, cut', async () => {
    const recorder = new Recorder(() => ({ kind: 'dead-letter', reason: 'ü"'.repeat(2_000) }));
    await bus.subscribe(spec, recorder.handle);
    await bus.publish(messageOf('letter'));
    await eventually('it is dead', async () => (await bus.stats(spec.name)).deadLetters === 1);
    expect((await bus.deadLetters(spec.name)).items[0]!.reason).toMatch(/^ü"ü".*…$/);
  });

  it('keeps the order of every key over several processes, without overlap and without loss', async () => {
    const processes = [bus, await openOn(fake, [spec]), await openOn(fake, [spec])];
    const keys = 20;
    const perKey = 15;
    const busy = new Set<string>();
    const acked = new Map<string, number[]>();
    const violations: string[] = [];
    const handle = async ({ body, orderingKey, attempt }: Delivery): Promise<Verdict> => {
      const number = Number(textOf({ body }));
      if (busy.has(orderingKey!)) violations.push(`${orderingKey}/${number} overlaps another of its key`);
      busy.add(orderingKey!);
      await setImmediate();
      busy.delete(orderingKey!);
      if (number % 4 === 3 && attempt === 1) return { kind: 'retry' };
      acked.set(orderingKey!, [...(acked.get(orderingKey!) ?? []), number]);
      return { kind: 'ack' };
    };
    for (const each of processes) await each.subscribe(spec, handle);
    const numbers = Array.from({ length: perKey }, (_, number) => number);
    for (const number of numbers) {
      const all = Array.from({ length: keys }, (_, key) => processes[key % 3]!.publish(messageOf(`${number}`, { orderingKey: `${key}` })));
      await Promise.all(all);
    }
    await isEmpty();
    expect(violations).toEqual([]);
    for (const line of acked.values()) expect(line).toEqual(numbers);
    expect(acked.size).toBe(keys);
    await Promise.all(processes.slice(1).map((each) => each.close()));
  });

  it('keeps a dead letter with all the attributes that a message may have, through a replay and a second death', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const attributes = { traceparent, ...Object.fromEntries(Array.from({ length: 97 }, (_, index) => [`a${index}`, 'x'.repeat(1_024)])) };
    const recorder = new Recorder(() => ({ kind: 'dead-letter', reason: 'ill' }));
    await bus.subscribe(spec, recorder.handle);
    const id = await bus.publish(messageOf('letter', { attributes }));
    await eventually('it is dead', async () => (await bus.stats(spec.name)).deadLetters === 1);
    await bus.replayDeadLetters(spec.name);
    await recorder.began(2);
    await isEmpty();
    expect((await bus.deadLetters(spec.name)).items).toMatchObject([{ messageId: id, attributes }]);
  });

  it('carries the largest message there is, also among the dead letters', async () => {
    const recorder = new Recorder(({ attempt }) => (attempt === 1 ? { kind: 'retry' } : { kind: 'dead-letter', reason: 'ill' }));
    await bus.subscribe(spec, recorder.handle);
    const body = new Uint8Array(9 * 2 ** 20).fill(7);
    await bus.publish(messageOf('', { body, attributes: { a: 'x'.repeat(1_024) } }));
    await eventually('it is dead', async () => (await bus.stats(spec.name)).deadLetters === 1);
    const { items } = await bus.deadLetters(spec.name);
    for (const each of [...recorder.deliveries, ...items]) expect(Buffer.compare(each.body, body)).toBe(0);
  });

  it('keeps the lease of a message for as long as its handler takes', async () => {
    const held = gate();
    const recorder = new Recorder(() => held.opened.then(() => ({ kind: 'ack' })));
    const renewed = fake.faults.add({ kind: 'delay', delayMs: 0, match: 'ModifyAckDeadline' });
    await bus.subscribe(spec, recorder.handle);
    await bus.publish(messageOf('slow', inOrder));
    await recorder.began(1);
    // The first one confirms the receipt; the client renews somewhere within the ten seconds of the lease.
    await renewed.struck(2);
    held.open();
    await isEmpty();
    expect(recorder.deliveries).toHaveLength(1);
  });

  it('goes on when its stream is broken', async () => {
    const recorder = new Recorder();
    await bus.subscribe(spec, recorder.handle);
    await bus.publish(messageOf('before'));
    await recorder.began(1);
    fake.breakStreams();
    await bus.publish(messageOf('after'));
    await recorder.began(2);
    expect(recorder.bodies).toEqual(['before', 'after']);
  });

  it('says which subscription is not there, and takes it up once it is', async () => {
    const missing = subscriptionFor('contract.missing');
    const told = gate();
    const poor = await openOn(fake, [missing], { createTopology: false, onFault: told.open });
    const recorder = new Recorder();
    await poor.subscribe(missing, recorder.handle);
    await told.opened;
    expect(poor.fault).toMatch(/no messages come from contract.missing: .*not found/);
    await bus.subscribe(missing, new Recorder(() => ({ kind: 'retry' })).handle).then((subscription) => subscription.close());
    await bus.publish(messageOf('at last'));
    await recorder.began(1);
    expect(poor.fault).toBeUndefined();
    await poor.close();
  });

  it.each([
    ['no attempts', { maxAttempts: 0 }],
    ['no concurrency', { maxConcurrency: 0 }],
    ['a backoff above its cap', { minBackoffMs: 2, maxBackoffMs: 1 }],
    ['another topic than before', { topic: 'conversation-wakes' as const }],
  ])('refuses a subscription with %s', async (_, wrong) => {
    expect(await bus.subscribe({ ...spec, ...wrong }, new Recorder().handle).catch(codeOf)).toBe('invalid');
  });
});
