import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TaskBodies, type TaskRequest } from '@rockpool/cloud';
import { TaskReceiver } from '@rockpool/cloud/testing';
import { codeOf } from '@rockpool/contracts';
import { type CloudTasksFake, startCloudTasksFake, startStorageFake, type StorageFake } from '@rockpool/testkit';
import { StorageBlobs } from '../storage/storage-blobs.js';
import { CloudTasks } from './cloud-tasks.js';

const projectId = 'rockpool-test';
const large = Uint8Array.from({ length: 1 << 20 }, (_, index) => index % 251);
const queue = {
  name: 'work',
  maxDispatchesPerSecond: 500,
  maxConcurrentDispatches: 10,
  maxAttempts: 3,
  maxRetryDurationMs: 0,
  minBackoffMs: 1_000,
  maxBackoffMs: 60_000,
};

let storage: StorageFake;
let service: CloudTasksFake;
let blobs: StorageBlobs;
let tasks: CloudTasks;
let receiver: TaskReceiver;
let bodies: TaskBodies;

beforeEach(async () => {
  storage = await startStorageFake();
  service = await startCloudTasksFake({ mint: async () => 'token' });
  blobs = await StorageBlobs.open({
    projectId,
    bucket: 'rockpool-test',
    region: 'europe-west1',
    createTopology: true,
    endpoint: storage.url,
  });
  tasks = await CloudTasks.open({
    projectId,
    region: 'europe-west1',
    queues: [queue],
    serviceAccount: `scheduler@${projectId}.iam.gserviceaccount.com`,
    createTopology: true,
    endpoint: service.host,
  });
  receiver = await TaskReceiver.listen(Date.now);
  bodies = new TaskBodies(blobs);
});
afterEach(async () => {
  await tasks.close();
  await receiver.close();
  await service.stop();
  await storage.stop();
});

const request = (body: Uint8Array, more: Partial<TaskRequest> = {}): TaskRequest => ({
  queue: 'work',
  url: receiver.url,
  body,
  audience: 'https://agent-host.example',
  ...more,
});
const keys = async () => (await blobs.list('')).items.map(({ key }) => key);

describe('the body of a task', () => {
  it('travels in the task when it fits', async () => {
    await tasks.create(await bodies.pack('alice', request(new Uint8Array(96_000))));
    const { headers, body } = await receiver.got(1);
    expect(await bodies.unpack('alice', headers, body)).toHaveLength(96_000);
    await bodies.discard('alice', headers);
    expect(await keys()).toEqual([]);
  });

  it('travels by reference when it is larger, and is gone once the task is done', async () => {
    await tasks.create(await bodies.pack('alice', request(large, { headers: { 'content-type': 'image/png' } })));
    const { headers, body } = await receiver.got(1);
    expect(body).toHaveLength(0);
    expect(headers['content-type']).toBe('image/png');
    expect(Buffer.from(large).equals(await bodies.unpack('alice', headers, body))).toBe(true);
    await bodies.discard('alice', headers);
    await bodies.discard('alice', headers);
    expect(await keys()).toEqual([]);
    expect(await bodies.unpack('alice', headers, body).catch(codeOf)).toBe('not_found');
  });

  it('is stored once, however often the same named task is created', async () => {
    const named = request(large, { name: 'once' });
    await tasks.create(await bodies.pack('alice', named));
    expect(await tasks.create(await bodies.pack('alice', named)).catch(codeOf)).toBe('already_exists');
    expect(await keys()).toHaveLength(1);
  });

  it('does not lead to what is another tenant’s', async () => {
    const { headers = {}, body } = await bodies.pack('alice', request(large));
    expect(await bodies.unpack('bob', headers, body).catch(codeOf)).toBe('not_found');
    expect(await bodies.unpack('../alice', headers, body).catch(codeOf)).toBe('invalid');
  });

  it('is refused when it was changed meanwhile, and when the reference is none', async () => {
    const { headers = {}, body } = await bodies.pack('alice', request(large));
    const [key] = await keys();
    await blobs.put(key!, Buffer.from('something else'));
    expect(await bodies.unpack('alice', headers, body).catch(codeOf)).toBe('invalid');
    const forged = { 'x-rockpool-body-reference': '../../bob/files/secret' };
    expect(await bodies.unpack('alice', forged, body).catch(codeOf)).toBe('invalid');
  });

  it('is swept when no task can refer to it any more', async () => {
    await bodies.pack('alice', request(large));
    await bodies.pack('bob', request(large));
    expect(await bodies.sweep('alice', new Date(Date.now() - 60_000))).toBe(0);
    expect(await bodies.sweep('alice', new Date(Date.now() + 60_000))).toBe(1);
    expect(await keys()).toMatchObject([expect.stringMatching(/^bob\/task-bodies\//)]);
  });
});
