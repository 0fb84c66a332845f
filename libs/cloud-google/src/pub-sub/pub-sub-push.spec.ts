import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { v1 } from '@google-cloud/pubsub';
import type { DeliveryHandler, Verdict } from '@rockpool/cloud';
import { eventually, gate, messageOf, Recorder, subscriptionFor, textOf } from '@rockpool/cloud/testing';
import { codeOf } from '@rockpool/contracts';
import { startMetadataServer, startPubSubFake, type MetadataServer, type PubSubFake } from '@rockpool/testkit';
import { GoogleIdentity } from '../google-identity/google-identity.js';
import { plaintextEndpoint } from '../grpc-endpoint.js';
import { PubSubMessageBus } from './pub-sub-message-bus.js';
import { PubSubPush } from './pub-sub-push.js';

const projectId = 'rockpool-test';
const service = 'dispatcher';
const account = `${service}@${projectId}.iam.gserviceaccount.com`;
const audience = 'https://dispatcher.example';
const spec = subscriptionFor('inbound-messages.dispatcher');
const subscription = `projects/${projectId}/subscriptions/${spec.name}`;

let google: MetadataServer;
let fake: PubSubFake;
let bus: PubSubMessageBus;
let push: PubSubPush;
let app: Server;
/** What the app answered, in order. */
let answers: number[];

beforeEach(async () => {
  google = await startMetadataServer({ accounts: [account], projectId });
  fake = await startPubSubFake({ mint: google.mint });
  bus = await PubSubMessageBus.open({ projectId, endpoint: fake.host, subscriptions: [], createTopology: true, delivery: 'push' });
  const identity = new GoogleIdentity({ projectId, service, certsUrl: google.certsUrl });
  push = new PubSubPush({ projectId, identity, audience, service, intakeOf: (name) => bus.intakeOf(name) });
  answers = [];
  app = createServer((request, response) => {
    void (async () => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece as Buffer);
      const { status } = await push.push(request.url!.slice('/pubsub/'.length), request.headers.authorization, Buffer.concat(pieces));
      answers.push(status);
      response.writeHead(status).end();
    })();
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  await bus.close(0);
  await fake.stop();
  app.closeAllConnections();
  await new Promise((resolve) => app.close(resolve));
  await google.stop();
});

/** As Terraform makes it: pushed, with the retry policy and the dead-letter topic of the catalogue. */
async function subscribed(handler: DeliveryHandler): Promise<void> {
  const publisher = new v1.PublisherClient({ projectId, ...(await plaintextEndpoint(fake.host)) });
  const subscriber = new v1.SubscriberClient({ projectId, ...(await plaintextEndpoint(fake.host)) });
  const dead = `projects/${projectId}/topics/${spec.name}.dead`;
  await publisher.createTopic({ name: dead });
  await subscriber.createSubscription({ name: `${subscription}.dead`, topic: dead });
  await subscriber.createSubscription({
    name: subscription,
    topic: `projects/${projectId}/topics/${spec.topic}`,
    enableMessageOrdering: true,
    retryPolicy: { minimumBackoff: { nanos: spec.minBackoffMs * 1e6 }, maximumBackoff: { nanos: spec.maxBackoffMs * 1e6 } },
    deadLetterPolicy: { deadLetterTopic: dead, maxDeliveryAttempts: spec.maxAttempts },
    pushConfig: {
      pushEndpoint: `http://127.0.0.1:${(app.address() as AddressInfo).port}/pubsub/${spec.name}`,
      oidcToken: { serviceAccountEmail: account, audience },
    },
  });
  await Promise.all([publisher.close(), subscriber.close()]);
  await bus.subscribe(spec, handler);
}

const isEmpty = () => eventually('nothing is left', () => fake.unacked(subscription).length === 0);

describe('a message that is pushed', () => {
  it('reaches the handler as a pulled one does, and is acknowledged by a 204', async () => {
    const recorder = new Recorder();
    await subscribed(recorder.handle);
    const id = await bus.publish(messageOf('hello', { orderingKey: 'k', attributes: { a: 'ü' } }));
    await isEmpty();
    expect(recorder.deliveries).toHaveLength(1);
    expect(recorder.deliveries[0]).toMatchObject({ messageId: id, orderingKey: 'k', attempt: 1, attributes: { a: 'ü' } });
    expect(recorder.bodies).toEqual(['hello']);
    expect(answers).toEqual([204]);
  });

  it('comes again when its handler asks for it, and holds back its key meanwhile', async () => {
    const recorder = new Recorder((delivery) => (textOf(delivery) === '1' && delivery.attempt < 3 ? { kind: 'retry' } : { kind: 'ack' }));
    await subscribed(recorder.handle);
    for (const text of ['1', '2', '3']) await bus.publish(messageOf(text, { orderingKey: 'k' }));
    await isEmpty();
    expect(recorder.bodies).toEqual(['1', '1', '1', '2', '3']);
    expect(recorder.deliveries.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 1, 1]);
    expect(answers).toEqual([503, 503, 204, 204, 204]);
  });

  it('becomes a dead letter with its reason when its attempts are used up, or at once', async () => {
    const recorder = new Recorder((delivery): Verdict =>
      textOf(delivery) === 'poison' ? { kind: 'retry', reason: 'it does not go down' } : { kind: 'dead-letter', reason: 'not for us' },
    );
    await subscribed(recorder.handle);
    await bus.publish(messageOf('poison', { orderingKey: 'k' }));
    await bus.publish(messageOf('stranger', { orderingKey: 'k' }));
    await isEmpty();
    const { items } = await bus.deadLetters(spec.name);
    expect(items.map(({ reason, attempts }) => [reason, attempts])).toEqual([
      ['it does not go down', 5],
      ['not for us', 1],
    ]);
  });

  it('waits for an earlier one of its key, and a second copy of it for the same handling', async () => {
    const held = gate();
    const recorder = new Recorder((delivery) => (textOf(delivery) === '1' ? held.opened.then(() => ({ kind: 'ack' })) : { kind: 'ack' }));
    await subscribed(recorder.handle);
    const deliver = (messageId: string) =>
      push.push(spec.name, authorization(), envelope({ messageId, data: Buffer.from(messageId).toString('base64') }));
    const first = deliver('1');
    await recorder.began(1);
    const rest = [deliver('1'), deliver('2'), deliver('1')];
    held.open();
    expect(await Promise.all([first, ...rest])).toEqual(Array(4).fill({ status: 204 }));
    expect(recorder.bodies).toEqual(['1', '2']);
  });

  it('is given back when the subscription is closed, and finds nobody afterwards', async () => {
    await subscribed(
      (delivery) => new Promise((_, reject) => delivery.signal.addEventListener('abort', () => reject(new Error('closed')))),
    );
    const answer = push.push(spec.name, authorization(), envelope({}));
    await eventually('it is being handled', () => bus.intakeOf(spec.name)?.inHand().next().done === false);
    await bus.close(0);
    expect((await answer).status).toBe(503);
    expect((await push.push(spec.name, authorization(), envelope({}))).status).toBe(404);
  });
});

function authorization(claims: object = {}, header?: Record<string, unknown>): string {
  return `Bearer ${google.sign({ ...google.claims(account, audience), ...claims }, header)}`;
}

function envelope(message: object, around: object = {}): Uint8Array {
  const whole = { messageId: '1', data: 'eA==', publishTime: '2026-03-01T12:00:00.123Z', orderingKey: 'k', ...message };
  return Buffer.from(JSON.stringify({ subscription, message: whole, ...around }));
}

describe('a request to the push endpoint', () => {
  const recorder = new Recorder();
  beforeEach(() => subscribed(recorder.handle));
  afterEach(() => expect(recorder.deliveries).toEqual([]));

  it.each<[string, () => string | undefined]>([
    ['without a token', () => undefined],
    ['with an empty one', () => 'Bearer '],
    ['with another scheme', () => authorization().replace('Bearer', 'Basic')],
    ['with a token that is garbage', () => 'Bearer a.b.c'],
    ['with a token for another audience', () => authorization({ aud: 'https://ingress.example' })],
    ['with the token of another app', () => authorization({ email: `ingress@${projectId}.iam.gserviceaccount.com` })],
    ['with the token of another project', () => authorization({ email: `${service}@elsewhere.iam.gserviceaccount.com` })],
    ['with an unverified email', () => authorization({ email_verified: false })],
    ['with another issuer', () => authorization({ iss: 'https://issuer.example' })],
    ['with a token that has expired', () => authorization({ exp: 1_000_000_000 })],
    ['with an unsigned token', () => `Bearer ${google.forge('unsigned', google.claims(account, audience))}`],
    ['with a token signed by the public key', () => `Bearer ${google.forge('hmac-with-public-key', google.claims(account, audience))}`],
    ['with a key that is not published', () => authorization({}, { kid: 'unknown' })],
  ])('is refused %s', async (_, header) => {
    expect(await push.push(spec.name, header(), envelope({}))).toEqual({ status: 401 });
  });

  it('finds no subscription that nobody handles here', async () => {
    expect(await push.push('inbound-messages.other', authorization(), envelope({}))).toEqual({ status: 404 });
  });

  it.each<[string, () => Uint8Array]>([
    ['is no JSON', () => Buffer.from('{')],
    ['is no UTF-8', () => Uint8Array.of(0xff, 0xfe)],
    ['is a list', () => Buffer.from('[]')],
    ['has no message', () => envelope({}, { message: null })],
    ['is of another subscription', () => envelope({}, { subscription: `${subscription}2` })],
    ['is of another project', () => envelope({}, { subscription: `projects/elsewhere/subscriptions/${spec.name}` })],
    ['has no id', () => envelope({ messageId: '' })],
    ['has data that is not base64', () => envelope({ data: 'ä' })],
    ['has data cut short', () => envelope({ data: 'eA=' })],
    ['has attributes that are no texts', () => envelope({ attributes: { a: 1 } })],
    ['has a key that is no text', () => envelope({ orderingKey: 1 })],
    ['was never published', () => envelope({ publishTime: 'yesterday' })],
  ])('is invalid when its body %s', async (_, body) => {
    expect(await push.push(spec.name, authorization(), body()).catch(codeOf)).toBe('invalid');
  });
});
