import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { QueueSpec } from '@rockpool/cloud';
import { eventually, TaskReceiver, tasksContract } from '@rockpool/cloud/testing';
import { codeOf } from '@rockpool/contracts';
import {
  type CloudTasksFake,
  type CloudTasksFakeOptions,
  ManualClock,
  type MetadataServer,
  startCloudTasksFake,
  startMetadataServer,
} from '@rockpool/testkit';
import { GoogleIdentity } from '../google-identity/google-identity.js';
import { CloudTasks } from './cloud-tasks.js';

const audience = 'https://agent-host.example';
const projectId = 'rockpool-test';
const work: QueueSpec = {
  name: 'work',
  maxDispatchesPerSecond: 500,
  maxConcurrentDispatches: 10,
  maxAttempts: 3,
  maxRetryDurationMs: 0,
  minBackoffMs: 1_000,
  maxBackoffMs: 60_000,
};

let clock: ManualClock;
let issuer: MetadataServer;
let fakes: CloudTasksFake[];
let opened: CloudTasks[];

beforeEach(async () => {
  clock = new ManualClock();
  issuer = await startMetadataServer({ accounts: [], clock });
  fakes = [];
  opened = [];
});
afterEach(async () => {
  for (const tasks of opened) await tasks.close();
  for (const fake of fakes) await fake.stop();
  await issuer.stop();
});

async function startFake(options: Partial<CloudTasksFakeOptions> = {}): Promise<CloudTasksFake> {
  const fake = await startCloudTasksFake({ clock, mint: issuer.mint, ...options });
  fakes.push(fake);
  return fake;
}

async function open(fake: CloudTasksFake, queues: readonly QueueSpec[] = [work], createTopology = true): Promise<CloudTasks> {
  const tasks = await CloudTasks.open({
    projectId,
    region: 'europe-west1',
    queues,
    serviceAccount: `scheduler@${projectId}.iam.gserviceaccount.com`,
    createTopology,
    endpoint: fake.host,
    now: () => clock.now(),
  });
  opened.push(tasks);
  return tasks;
}

tasksContract('CloudTasks', async (queues) => ({
  tasks: await open(await startFake(), queues),
  identity: new GoogleIdentity({ projectId, service: 'agent-host', certsUrl: issuer.certsUrl, now: () => clock.now() }),
  now: () => clock.now(),
  advance: (milliseconds) => clock.advance(milliseconds),
  close: async () => undefined,
}));

describe('CloudTasks', () => {
  let receiver: TaskReceiver;
  beforeEach(async () => {
    receiver = await TaskReceiver.listen(() => clock.now());
  });
  afterEach(() => receiver.close());

  const request = (path: string, more: object = {}) => ({
    queue: 'work',
    url: `${receiver.url}${path}`,
    body: new TextEncoder().encode(path),
    audience,
    ...more,
  });

  it('begins the id of a task with a hash, and tells the receiver its name', async () => {
    const tasks = await open(await startFake());
    for (const name of ['slice-1', 'slice-2']) expect(await tasks.create(request('/', { name }))).toBe(name);
    await receiver.got(2);
    const ids = receiver.received.map(({ headers }) => String(headers['x-cloudtasks-taskname']));
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{16}-slice-[12]$/);
    expect(new Set(ids.map((id) => id.slice(0, 4))).size).toBe(2);
    expect(receiver.received.map(({ headers }) => headers['x-rockpool-task-name']).sort()).toEqual(['slice-1', 'slice-2']);
  });

  it('tells names apart that differ in their last letter only, however long', async () => {
    const tasks = await open(await startFake());
    const [one, other] = ['a', 'b'].map((last) => 'x'.repeat(499) + last);
    await tasks.create(request('/', { name: one }));
    await tasks.create(request('/', { name: other }));
    expect(await tasks.create(request('/', { name: one })).catch(codeOf)).toBe('already_exists');
  });

  it('lets a name be used again an hour after its task ended', async () => {
    const tasks = await open(await startFake());
    await tasks.create(request('/', { name: 'again' }));
    await receiver.got(1);
    await eventually('the end', async () => (await tasks.stats('work')).pending === 0);
    clock.advance(3_600_000);
    await tasks.create(request('/', { name: 'again' }));
    await receiver.got(2);
  });

  it('makes missing queues, and gives those that exist their limits', async () => {
    const fake = await startFake();
    await open(fake, [{ ...work, maxAttempts: 1 }]);
    const tasks = await open(fake, [work, { ...work, name: 'other' }]);
    receiver.answerWith(() => ({ status: 500 }));
    await tasks.create(request('/'));
    await tasks.create(request('/', { queue: 'other' }));
    await eventually('the second attempts', () => receiver.received.length === 4 || clock.advance(1_000));
  });

  it('makes no queue when Terraform does: a task for one that is missing is refused', async () => {
    const tasks = await open(await startFake(), [work], false);
    expect(await tasks.create(request('/')).catch(codeOf)).toBe('not_found');
  });

  it('makes queues together with other processes that do the same', async () => {
    const fake = await startFake();
    await Promise.all(Array.from({ length: 4 }, () => open(fake)));
  });

  it('refuses a queue that Cloud Tasks cannot have', async () => {
    const fake = await startFake();
    for (const wrong of [{ name: 'a_b' }, { maxDispatchesPerSecond: 501 }, { maxConcurrentDispatches: 5_001 }, { maxAttempts: 0 }])
      expect(await open(fake, [{ ...work, ...wrong }]).catch(codeOf)).toBe('invalid');
  });

  it('delivers, from a service that repeats and reorders, everything at least once under its own name', async () => {
    const tasks = await open(await startFake({ duplicateProbability: 0.5, shuffled: true, seed: 7 }), [
      { ...work, maxConcurrentDispatches: 1 },
    ]);
    const names = Array.from({ length: 20 }, (_, index) => `task-${index}`);
    const scheduleAt = new Date(clock.now() + 1_000);
    for (const name of names) await tasks.create(request('/', { name, scheduleAt }));
    clock.advance(1_000);
    await eventually('the end', async () => (await tasks.stats('work')).pending === 0);
    const arrived = receiver.received.map(({ headers }) => String(headers['x-rockpool-task-name']));
    expect([...new Set(arrived)].sort()).toEqual([...names].sort());
    expect(arrived.length).toBeGreaterThan(20);
    expect([...new Set(arrived)]).not.toEqual(names);
  });

  describe('while the service is away for a moment', () => {
    it('creates a task once, although the answer to the first attempt was lost', async () => {
      const fake = await startFake();
      const tasks = await open(fake);
      fake.faults.add({ kind: 'accept-then-drop', match: 'CreateTask', times: 1 });
      await tasks.create(request('/'));
      await receiver.got(1);
      await eventually('the end', async () => (await tasks.stats('work')).pending === 0);
      expect(receiver.received).toHaveLength(1);
    });

    it('says already_exists of a given name: the task is there, whoever made it', async () => {
      const fake = await startFake();
      const tasks = await open(fake);
      fake.faults.add({ kind: 'accept-then-drop', match: 'CreateTask', times: 1 });
      expect(await tasks.create(request('/', { name: 'given' })).catch(codeOf)).toBe('already_exists');
      await receiver.got(1);
    });

    it('cancels a task, although the answer to the first attempt was lost', async () => {
      const fake = await startFake();
      const tasks = await open(fake);
      const name = await tasks.create(request('/', { scheduleAt: new Date(clock.now() + 1_000) }));
      fake.faults.add({ kind: 'accept-then-drop', match: 'DeleteTask', times: 1 });
      expect(await tasks.cancel('work', name)).toBe(true);
    });
  });

  it.each([503, 401, 403, 500])('is unavailable while the service answers as HTTP says with %d', async (status) => {
    const fake = await startFake();
    const tasks = await open(fake);
    fake.faults.add({ kind: 'status', status });
    expect(await tasks.create(request('/')).catch(codeOf)).toBe('unavailable');
  });

  it('says so when it may not speak for the service account', async () => {
    const fake = await startFake();
    await open(fake);
    const tasks = await CloudTasks.open({
      projectId,
      region: 'europe-west1',
      queues: [work],
      serviceAccount: 'scheduler@another-project.iam.gserviceaccount.com',
      createTopology: false,
      endpoint: fake.host,
      now: () => clock.now(),
    });
    opened.push(tasks);
    await expect(tasks.create(request('/'))).rejects.toThrow('actAs');
  });
});
