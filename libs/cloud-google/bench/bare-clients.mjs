// What the emulators and Google's own clients take, without anything of ours: milliseconds from publish to pull of single messages, and of single document commits.
// node libs/cloud-google/bench/bare-clients.mjs <messages>, with PUBSUB_EMULATOR_HOST and FIRESTORE_EMULATOR_HOST; prints one line of JSON.
import { randomUUID } from 'node:crypto';
import { Firestore } from '@google-cloud/firestore';
import { PubSub } from '@google-cloud/pubsub';

const count = Number(process.argv[2] ?? 100);
const projectId = `bare-${randomUUID().slice(0, 8)}`;

process.stdout.write(`${JSON.stringify({ publishToPullMs: await publishToPull(), commitMs: await commits() })}\n`);

async function publishToPull() {
  const client = new PubSub({ projectId });
  const [topic] = await client.createTopic('bare');
  const [subscription] = await topic.createSubscription('bare.one');
  let arrived = Promise.withResolvers();
  subscription.on('message', (message) => {
    message.ack();
    arrived.resolve();
  });
  const times = [];
  for (let n = 0; n < count + 10; n++) {
    arrived = Promise.withResolvers();
    const began = performance.now();
    await topic.publishMessage({ data: Buffer.from(`message ${n}`) });
    await arrived.promise;
    // The first ones open connections.
    if (n >= 10) times.push(performance.now() - began);
  }
  await subscription.close();
  await client.close();
  return times;
}

async function commits() {
  const client = new Firestore({ projectId });
  const times = [];
  for (let n = 0; n < count + 10; n++) {
    const began = performance.now();
    await client.doc(`bare/${n}`).set({ n });
    if (n >= 10) times.push(performance.now() - began);
  }
  await client.terminate();
  return times;
}
