import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Verdict } from '@rockpool/cloud';
import { eventually, messageBusContract, messageOf, Recorder, subscriptionFor, textOf } from '@rockpool/cloud/testing';
import { codeOf, type SubscriptionSpec } from '@rockpool/contracts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from './database.js';
import { SqliteMessageBus } from './sqlite-message-bus.js';

async function openBus(subscriptions: readonly SubscriptionSpec[]) {
  const folder = await mkdtemp(join(tmpdir(), 'rockpool-bus-'));
  let database = Database.open(join(folder, 'bus.sqlite'));
  let bus = await SqliteMessageBus.open(database, subscriptions);
  const shut = async () => {
    await bus.close(0);
    await database.close();
  };
  return {
    bus,
    database,
    async reopen() {
      await shut();
      database = Database.open(join(folder, 'bus.sqlite'));
      bus = await SqliteMessageBus.open(database, subscriptions);
      return bus;
    },
    async close() {
      await shut();
      await rm(folder, { recursive: true });
    },
  };
}

messageBusContract('SqliteMessageBus', openBus);

describe('SqliteMessageBus', () => {
  const spec = subscriptionFor('inbound-messages.test', { maxConcurrency: 50 });
  let opened: Awaited<ReturnType<typeof openBus>>;

  beforeEach(async () => {
    opened = await openBus([spec]);
  });

  afterEach(() => opened.close());

  it('works off a backlog much longer than what it keeps in memory, in order and once', async () => {
    const { bus } = opened;
    const keys = 40;
    const count = 6_000;
    await Promise.all(Array.from({ length: count }, (_, index) => bus.publish(messageOf(`${index}`, { orderingKey: `${index % keys}` }))));
    const recorder = new Recorder();
    await bus.subscribe(spec, recorder.handle);
    await Promise.all(Array.from({ length: 100 }, (_, index) => bus.publish(messageOf(`${count + index}`, { orderingKey: '0' }))));
    await recorder.began(count + 100);
    expect(new Set(recorder.bodies).size).toBe(count + 100);
    for (let key = 0; key < keys; key++) {
      const line = recorder.deliveries.filter(({ orderingKey }) => orderingKey === `${key}`).map((delivery) => Number(textOf(delivery)));
      expect(line).toEqual([...line].sort((one, other) => one - other));
    }
    expect(recorder.deliveries).toHaveLength(count + 100);
  });

  it('delivers once what is published at the moment when the table is read up to it', async () => {
    const { bus } = opened;
    await Promise.all(Array.from({ length: 1_500 }, (_, index) => bus.publish(messageOf(`old ${index}`))));
    let published = 0;
    // The commit that buries one message also brings a new one, and what follows the burial reads on.
    const recorder = new Recorder((delivery) => {
      if (textOf(delivery).startsWith('old')) void bus.publish(messageOf(`new ${published++}`));
      return { kind: 'dead-letter', reason: 'enough' };
    });
    await bus.subscribe(spec, recorder.handle);
    await recorder.began(3_000);
    await eventually('the backlog is empty', async () => (await bus.stats(spec.name)).backlog === 0);
    expect(recorder.deliveries).toHaveLength(3_000);
    expect(new Set(recorder.bodies).size).toBe(3_000);
  });

  it('gives each key its turn while one of them has thousands', async () => {
    const { bus } = opened;
    await Promise.all(Array.from({ length: 3_000 }, () => bus.publish(messageOf('flood', { orderingKey: 'flood' }))));
    const recorder = new Recorder();
    const single = { ...spec, maxConcurrency: 1 };
    await bus.subscribe(single, recorder.handle);
    await recorder.began(100);
    const before = recorder.deliveries.length;
    await bus.publish(messageOf('other', { orderingKey: 'other' }));
    await recorder.began(3_001);
    // It waits for its commit, and for the table to be read up to it; both take a few turns of the event loop, not the whole flood.
    expect(recorder.bodies.indexOf('other')).toBeLessThan(before + 2_000);
  });

  it('goes past any number of messages that wait for their retry', async () => {
    const { bus } = opened;
    await Promise.all(Array.from({ length: 2_000 }, (_, index) => bus.publish(messageOf('ill', { orderingKey: `${index}` }))));
    await bus.publish(messageOf('well', { orderingKey: 'well' }));
    const recorder = new Recorder((delivery) => (textOf(delivery) === 'well' ? { kind: 'ack' } : { kind: 'retry', afterMs: 60_000 }));
    await bus.subscribe(spec, recorder.handle);
    await recorder.began(2_001);
    expect(recorder.bodies.filter((body) => body === 'well')).toHaveLength(1);
  });

  it('remembers attempts and waits across a restart', async () => {
    const recorder = new Recorder(() => ({ kind: 'retry', afterMs: 30 }));
    await opened.bus.subscribe(spec, recorder.handle);
    await opened.bus.publish(messageOf('again'));
    await recorder.began(2);
    const bus = await opened.reopen();
    const after = new Recorder();
    await bus.subscribe(spec, after.handle);
    await after.began(1);
    expect(after.deliveries[0]!.attempt).toBe(3);
  });

  it('gives ids that are new after a restart, too', async () => {
    const first = await opened.bus.publish(messageOf('1'));
    const recorder = new Recorder();
    await opened.bus.subscribe(spec, recorder.handle);
    await recorder.began(1);
    const bus = await opened.reopen();
    expect(await bus.publish(messageOf('2'))).not.toBe(first);
  });

  it('is not changed by what the publisher does to its buffer afterwards', async () => {
    const message = messageOf('as it was');
    const published = opened.bus.publish(message);
    message.body.fill(0);
    await published;
    const recorder = new Recorder();
    await opened.bus.subscribe(spec, recorder.handle);
    await recorder.began(1);
    expect(recorder.bodies).toEqual(['as it was']);
  });

  it('says unavailable when the disk is full, publishes nothing then, and goes on when there is room', async () => {
    const { bus, database } = opened;
    const pages = database.read((db) => Number(db.prepare('PRAGMA page_count').get()?.['page_count']));
    database.read((db) => db.exec(`PRAGMA max_page_count = ${pages + 5}`));
    const large = messageOf('', { body: new Uint8Array(100_000) });
    await expect(bus.publish(large).catch(codeOf)).resolves.toBe('unavailable');
    expect((await bus.stats(spec.name)).backlog).toBe(0);
    database.read((db) => db.exec('PRAGMA max_page_count = 1000000'));
    await bus.publish(large);
    expect((await bus.stats(spec.name)).backlog).toBe(1);
  });

  it('keeps acks and dead letters until the disk takes them', async () => {
    const { bus, database } = opened;
    const recorder = new Recorder((delivery) => (textOf(delivery) === 'well' ? { kind: 'ack' } : { kind: 'dead-letter', reason: 'ill' }));
    await Promise.all([bus.publish(messageOf('well')), bus.publish(messageOf('ill', { orderingKey: 'k' }))]);
    database.read((db) => db.exec('PRAGMA query_only = ON'));
    await bus.subscribe(spec, recorder.handle);
    await recorder.began(2);
    await eventually('the commit has failed', () => database.fault !== undefined);
    await expect(bus.publish(messageOf('more')).catch(codeOf)).resolves.toBe('unavailable');
    database.read((db) => db.exec('PRAGMA query_only = OFF'));
    await eventually('both are done with', async () => {
      const { backlog, deadLetters } = await bus.stats(spec.name);
      return backlog === 0 && deadLetters === 1;
    });
    const rows = database.read((db) => db.prepare('SELECT count(*) AS count FROM bus_messages').get()?.['count']);
    expect(rows).toBe(0);
    expect(recorder.bodies.filter((body) => body === 'well')).toHaveLength(1);
  });

  it('takes a handler without a verdict, or with a senseless delay, for one that failed', async () => {
    const { bus } = opened;
    const verdicts = [undefined, { kind: 'retry', afterMs: NaN }, { kind: 'retry', afterMs: -1 }, { kind: 'ack' }];
    const recorder = new Recorder((_, number) => verdicts[number - 1] as Verdict);
    await bus.subscribe(spec, recorder.handle);
    await bus.publish(messageOf('again'));
    await recorder.began(4);
    expect(recorder.deliveries.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
  });

  it('gives nothing new to a subscription that the catalogue no longer names', async () => {
    await opened.bus.publish(messageOf('1'));
    await opened.bus.close();
    const bus = await SqliteMessageBus.open(opened.database, []);
    await bus.publish(messageOf('2'));
    const recorder = new Recorder();
    await bus.subscribe(spec, recorder.handle);
    await bus.publish(messageOf('3'));
    await recorder.began(2);
    expect(recorder.bodies).toEqual(['1', '3']);
    await bus.close();
  });

  it.each([
    ['no attempts', { maxAttempts: 0 }],
    ['no concurrency', { maxConcurrency: 0 }],
    ['a backoff above its cap', { minBackoffMs: 2, maxBackoffMs: 1 }],
    ['another topic than before', { topic: 'conversation-wakes' as const }],
  ])('refuses a subscription with %s', async (_, wrong) => {
    await expect(opened.bus.subscribe({ ...spec, ...wrong }, new Recorder().handle).catch(codeOf)).resolves.toBe('invalid');
  });
});
