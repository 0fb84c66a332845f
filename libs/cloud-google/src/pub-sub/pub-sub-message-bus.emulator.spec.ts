import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe } from '@jest/globals';
import { messageBusContract } from '@rockpool/cloud/testing';
import type { SubscriptionSpec } from '@rockpool/contracts';
import { borrowPubSubEmulator, findEmulators, type RunningEmulator } from '@rockpool/testkit';
import { PubSubMessageBus } from './pub-sub-message-bus.js';

const { missing } = findEmulators().pubsub;

(missing === undefined ? describe : describe.skip)(`on Google's emulator${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let emulator: RunningEmulator;
  const run = randomUUID();
  let projects = 0;
  beforeAll(async () => void (emulator = await borrowPubSubEmulator()));
  afterAll(() => emulator.stop());

  messageBusContract('PubSubMessageBus', async (subscriptions: readonly SubscriptionSpec[]) => {
    // A project for each test: nothing is left over from the one before.
    const projectId = `contract-${run}-${++projects}`;
    const bus = await PubSubMessageBus.open({ projectId, endpoint: emulator.host, subscriptions, createTopology: true });
    // No `reopen`: what a bus gives back when it closes, the emulator delivers in any order. The strict Pub/Sub has that case.
    return { bus, close: () => bus.close(0) };
  });
});
