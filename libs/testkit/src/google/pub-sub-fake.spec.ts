import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GrpcCaller } from '../testing/grpc-caller.js';
import type { Json } from '../wire/json.js';
import { startPubSubFake, type PubSubFake } from './pub-sub-fake.js';

const topic = 'projects/p/topics/orders';
const dead = 'projects/p/topics/orders.dead';
const name = 'projects/p/subscriptions/orders.app';
const letters = 'projects/p/subscriptions/orders.app.dead';

let fake: PubSubFake;
let publisher: GrpcCaller;
let subscriber: GrpcCaller;
beforeEach(async () => {
  fake = await startPubSubFake({ mint: (account, audience) => `token of ${account} for ${audience}` });
  publisher = new GrpcCaller('@google-cloud/pubsub', 'google.pubsub.v1.Publisher', fake.host);
  subscriber = new GrpcCaller('@google-cloud/pubsub', 'google.pubsub.v1.Subscriber', fake.host);
  for (const each of [topic, dead]) await publisher.call('CreateTopic', { name: each });
});
afterEach(async () => {
  publisher.close();
  subscriber.close();
  await fake.stop();
});

const subscribe = (more: object = {}) => subscriber.codeOf('CreateSubscription', { name, topic, ...more });
const publish = (data: string, more: object = {}) =>
  publisher.codeOf('Publish', { topic, messages: [{ data: Buffer.from(data), ...more }] });

interface Pulled {
  readonly text: string;
  readonly ackId: string;
  readonly attempt: number;
  readonly attributes: Json;
}
async function pull(subscription = name): Promise<Pulled[]> {
  const { receivedMessages } = (await subscriber.call('Pull', { subscription, maxMessages: 100 })) as { receivedMessages: Json[] };
  return receivedMessages.map(({ ackId, deliveryAttempt, message }) => {
    const { data, attributes } = message as { data: Buffer; attributes: Json };
    return { text: data.toString(), ackId: ackId as string, attempt: Number(deliveryAttempt), attributes };
  });
}
const answer = (method: 'ack' | 'nack', { ackId }: Pulled) =>
  method === 'ack'
    ? subscriber.call('Acknowledge', { subscription: name, ackIds: [ackId] })
    : subscriber.call('ModifyAckDeadline', { subscription: name, ackIds: [ackId], ackDeadlineSeconds: 0 });
const texts = (pulled: readonly Pulled[]): string[] => pulled.map(({ text }) => text);

describe('the fake of Pub/Sub', () => {
  it.each(['ab', '1abc', 'googlable', 'a/b/c', 'x'.repeat(256)])('takes no topic named %j', async (id) => {
    expect(await publisher.codeOf('CreateTopic', { name: `projects/p/topics/${id}` })).toBe('INVALID_ARGUMENT');
  });

  it('knows what is there', async () => {
    expect(await publisher.codeOf('CreateTopic', { name: topic })).toBe('ALREADY_EXISTS');
    expect(await publisher.codeOf('Publish', { topic: `${topic}2`, messages: [{ data: Buffer.from('x') }] })).toBe('NOT_FOUND');
    expect(await subscriber.codeOf('Pull', { subscription: name, maxMessages: 1 })).toBe('NOT_FOUND');
    expect(await subscribe()).toBe('OK');
    expect(await subscribe()).toBe('ALREADY_EXISTS');
  });

  it.each<[string, object]>([
    ['a deadline under 10 s', { ackDeadlineSeconds: 9 }],
    ['a retention under ten minutes', { messageRetentionDuration: { seconds: 599 } }],
    ['four attempts', { deadLetterPolicy: { deadLetterTopic: dead, maxDeliveryAttempts: 4 } }],
    ['a backoff above its cap', { retryPolicy: { minimumBackoff: { seconds: 2 }, maximumBackoff: { seconds: 1 } } }],
    ['a filter it does not understand', { filter: 'a = b' }],
    ['a push without token', { pushConfig: { pushEndpoint: 'http://127.0.0.1:9' } }],
  ])('makes no subscription with %s', async (_, more) => {
    expect(await subscribe(more)).toBe('INVALID_ARGUMENT');
  });

  it.each<[string, object]>([
    ['is empty', { data: Buffer.alloc(0) }],
    ['is larger than 10 MB', { data: Buffer.alloc(10_000_001) }],
    ['has 101 attributes', { attributes: Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`a${index}`, ''])) }],
    ['has an attribute of 1,025 bytes', { attributes: { a: 'x'.repeat(1_025) } }],
    ["has an attribute of Google's", { attributes: { 'google-x': '1' } }],
    ['has a key of 1,025 bytes', { orderingKey: 'x'.repeat(1_025) }],
  ])('takes no message that %s', async (_, more) => {
    expect(await publish('x', more)).toBe('INVALID_ARGUMENT');
  });

  it('filters', async () => {
    await subscribe({ filter: 'attributes.kind = "a" AND attributes."odd name" = "b"' });
    await publish('neither');
    await publish('one', { attributes: { kind: 'a' } });
    await publish('both', { attributes: { kind: 'a', 'odd name': 'b' } });
    expect(texts(await pull())).toEqual(['both']);
  });

  it('brings all later messages of a key again when one comes again, also acknowledged ones', async () => {
    await subscribe({ enableMessageOrdering: true });
    for (const text of ['1', '2', '3']) await publish(text, { orderingKey: 'k' });
    await publish('other', { orderingKey: 'o' });
    const [first, second] = (await pull()) as [Pulled, Pulled];
    await answer('ack', second);
    await answer('nack', first);
    expect(texts(await pull())).toEqual(['1', '2', '3']);
  });

  it('waits as the retry policy says, and holds back the key meanwhile', async () => {
    await subscribe({ enableMessageOrdering: true, retryPolicy: { minimumBackoff: { seconds: 600 }, maximumBackoff: { seconds: 600 } } });
    await publish('1', { orderingKey: 'k' });
    await answer('nack', (await pull())[0]!);
    await publish('2', { orderingKey: 'k' });
    await publish('3', { orderingKey: 'other' });
    expect(texts(await pull())).toEqual(['3']);
  });

  it('counts the attempts, and buries what used them up', async () => {
    await subscribe({ deadLetterPolicy: { deadLetterTopic: dead, maxDeliveryAttempts: 5 } });
    await subscriber.call('CreateSubscription', { name: letters, topic: dead });
    await publish('poison', { attributes: { a: '1' } });
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      const [pulled] = (await pull()) as [Pulled];
      expect(pulled.attempt).toBe(attempt);
      await answer('nack', pulled);
    }
    expect(await pull()).toEqual([]);
    const [letter] = (await pull(letters)) as [Pulled];
    expect(letter.attributes).toMatchObject({
      a: '1',
      CloudPubSubDeadLetterSourceDeliveryCount: '5',
      CloudPubSubDeadLetterSourceSubscription: 'orders.app',
    });
  });

  it('does not take the answer to an earlier delivery for one to a later', async () => {
    await subscribe();
    await publish('1');
    const [stale] = (await pull()) as [Pulled];
    await answer('nack', stale);
    const [fresh] = (await pull()) as [Pulled];
    await answer('ack', stale);
    expect(fake.unacked(name)).toHaveLength(1);
    await answer('ack', fresh);
    expect(fake.unacked(name)).toEqual([]);
  });

  it('refuses answers that name nothing', async () => {
    await subscribe();
    expect(await subscriber.codeOf('Acknowledge', { subscription: name, ackIds: [] })).toBe('INVALID_ARGUMENT');
    expect(await subscriber.codeOf('Acknowledge', { subscription: name, ackIds: ['x'] })).toBe('INVALID_ARGUMENT');
  });

  describe('pushing', () => {
    let app: Server;
    let received: { headers: Json; envelope: Json }[];
    let statuses: number[];
    let enough: () => void;
    let done: Promise<void>;
    beforeEach(async () => {
      received = [];
      app = createServer((request, response) => {
        const pieces: Buffer[] = [];
        request.on('data', (piece: Buffer) => pieces.push(piece));
        request.on('end', () => {
          received.push({ headers: request.headers, envelope: JSON.parse(Buffer.concat(pieces).toString()) as Json });
          response.writeHead(statuses[received.length - 1] ?? 204).end();
          if (received.length === statuses.length) enough();
        });
      });
      ({ promise: done, resolve: enough } = Promise.withResolvers<void>());
      await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
      const pushEndpoint = `http://127.0.0.1:${(app.address() as AddressInfo).port}/pubsub/orders.app`;
      await subscribe({
        enableMessageOrdering: true,
        deadLetterPolicy: { deadLetterTopic: dead, maxDeliveryAttempts: 5 },
        pushConfig: { pushEndpoint, oidcToken: { serviceAccountEmail: 'app@p.iam', audience: 'https://app.example' } },
      });
    });
    afterEach(() => {
      app.closeAllConnections();
      app.close();
    });

    it('posts the wrapped envelope with a token, one of a key at a time, again until it is taken', async () => {
      statuses = [503, 429, 204, 200];
      await publish('1', { orderingKey: 'k', attributes: { a: 'b' } });
      await publish('2', { orderingKey: 'k' });
      await done;
      expect(received[0]!.headers).toMatchObject({ authorization: 'Bearer token of app@p.iam for https://app.example' });
      expect(received[0]!.envelope).toMatchObject({
        subscription: name,
        deliveryAttempt: 1,
        message: { data: 'MQ==', attributes: { a: 'b' }, orderingKey: 'k', messageId: expect.any(String), publishTime: expect.any(String) },
      });
      const seen = received.map(({ envelope }) => [(envelope['message'] as Json)['data'], envelope['deliveryAttempt']]);
      expect(seen).toEqual([
        ['MQ==', 1],
        ['MQ==', 2],
        ['MQ==', 3],
        ['Mg==', 1],
      ]);
    });

    it('gives out nothing to a Pull of what it pushes', async () => {
      statuses = [];
      expect(await subscriber.codeOf('Pull', { subscription: name, maxMessages: 1 })).toBe('FAILED_PRECONDITION');
    });
  });
});
