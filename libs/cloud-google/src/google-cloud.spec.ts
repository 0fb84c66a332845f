import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { messageOf, Recorder, subscriptionFor } from '@rockpool/cloud/testing';
import { codeOf } from '@rockpool/contracts';
import {
  startCloudTasksFake,
  startMetadataServer,
  startPubSubFake,
  startSecretManagerFake,
  startStorageFake,
  type MetadataServer,
} from '@rockpool/testkit';
import { openGoogleCloud, type GoogleCloudOptions } from './google-cloud.js';

const spec = subscriptionFor('inbound-messages.dispatcher');

describe('the Google engine', () => {
  let google: MetadataServer;
  let fakes: { stop(): Promise<void> }[];
  let firestore: Server;
  let options: GoogleCloudOptions;

  beforeEach(async () => {
    google = await startMetadataServer({ accounts: [] });
    const [pubsub, tasks, secrets, storage] = await Promise.all([
      startPubSubFake(),
      startCloudTasksFake({ mint: google.mint }),
      startSecretManagerFake(),
      startStorageFake(),
    ]);
    fakes = [google, pubsub, tasks, secrets, storage];
    // Somebody who answers the door: documents have an emulator, and specs of their own.
    firestore = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => firestore.listen(0, '127.0.0.1', resolve));
    options = {
      projectId: 'rockpool-test',
      region: 'europe-west1',
      bucket: 'rockpool-test-bucket',
      service: 'dispatcher',
      subscriptions: [spec],
      indexes: [],
      queues: [],
      delivery: 'pull',
      createTopology: true,
      endpoints: {
        pubsub: pubsub.host,
        tasks: tasks.host,
        secrets: secrets.host,
        storage: storage.url,
        firestore: `127.0.0.1:${(firestore.address() as AddressInfo).port}`,
        certs: google.certsUrl,
      },
    };
  });

  afterEach(async () => {
    firestore.close();
    await Promise.all(fakes.map((fake) => fake.stop()));
  });

  it('opens all ports, is well, and says so until it is closed', async () => {
    const cloud = await openGoogleCloud(options);
    const recorder = new Recorder();
    await cloud.bus.subscribe(spec, recorder.handle);
    await cloud.bus.publish(messageOf('hello'));
    await recorder.began(1);
    await cloud.blobs.put('a/b', Buffer.from('text'), { contentType: 'text/plain' });
    await cloud.secrets.put({ tenant: 'alice', field: 'telegram-bot-token' }, 'secret');
    expect(await cloud.check()).toBeUndefined();
    expect(cloud.push).toBeUndefined();
    await cloud.close(0);
    await cloud.close(0);
    expect(await cloud.check()).toBe('the engine is closed');
  });

  it('opens while a service is away when there is nothing to make, and names the one that is', async () => {
    firestore.close();
    const cloud = await openGoogleCloud({ ...options, createTopology: false, endpoints: { ...options.endpoints, tasks: '127.0.0.1:9' } });
    expect(await cloud.check()).toBe(
      `Firestore does not answer at ${options.endpoints.firestore}; Cloud Tasks does not answer at 127.0.0.1:9`,
    );
    await cloud.close(0);
  });

  it('takes pushes when messages are pushed to it, and pulls none', async () => {
    const cloud = await openGoogleCloud({ ...options, delivery: 'push', pushAudience: 'https://dispatcher.example' });
    expect(await cloud.push!.push(spec.name, undefined, new Uint8Array())).toEqual({ status: 401 });
    await cloud.close(0);
  });

  it('refuses to be pushed to without knowing for whom the tokens are', async () => {
    expect(await openGoogleCloud({ ...options, delivery: 'push' }).catch(codeOf)).toBe('invalid');
  });
});
