import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GrpcCaller } from '../testing/grpc-caller.js';
import { ManualClock } from '../wire/clock.js';
import { startCloudTasksFake, type CloudTasksFake, type CloudTasksFakeOptions } from './cloud-tasks-fake.js';
import { timestampOf } from './grpc-time.js';

const location = 'projects/my-project/locations/europe-west1';
const queue = `${location}/queues/work`;
const day = 86_400_000;

let clock: ManualClock;
let fake: CloudTasksFake;
let service: GrpcCaller;
let server: Server;
let arrived: IncomingMessage[];
let listeners: (() => void)[];
let answer: { status: number; headers?: Record<string, string> };

async function start(options: Partial<CloudTasksFakeOptions> = {}): Promise<void> {
  const mint = async (email: string, audience: string): Promise<string> => `${email} for ${audience}`;
  fake = await startCloudTasksFake({ clock, mint, ...options });
  service = new GrpcCaller('@google-cloud/tasks', 'google.cloud.tasks.v2.CloudTasks', fake.host);
}

async function stop(): Promise<void> {
  service.close();
  await fake.stop();
}

beforeEach(async () => {
  clock = new ManualClock();
  arrived = [];
  listeners = [];
  answer = { status: 200 };
  server = createServer((request, response) => {
    request.resume().once('end', () => {
      response.writeHead(answer.status, answer.headers).end();
      arrived.push(request);
      for (const listener of listeners.splice(0)) listener();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await start();
});
afterEach(async () => {
  await stop();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** Resolves with the `count`-th request once it is there. */
async function got(count: number): Promise<IncomingMessage> {
  while (arrived.length < count) await new Promise<void>((resolve) => listeners.push(resolve));
  return arrived[count - 1]!;
}

const createQueue = (more: object = {}) => service.codeOf('CreateQueue', { parent: location, queue: { name: queue, ...more } });
const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/run`;
const taskOf = (task: object = {}, request: object = {}) => ({
  parent: queue,
  task: { httpRequest: { url: url(), httpMethod: 'POST', ...request }, ...task },
});
const create = (task: object = {}, request: object = {}) => service.codeOf('CreateTask', taskOf(task, request));
/** Resolves when the task has been tried this often and waits for its next try, with the pause until then in milliseconds. */
async function pauseAfter(name: string, attempts: number): Promise<number> {
  for (;;) {
    const task = (await service.call('GetTask', { name })) as {
      dispatchCount: number;
      responseCount: number;
      scheduleTime: { seconds: string; nanos: number };
    };
    if (task.responseCount === attempts) return Number(task.scheduleTime.seconds) * 1000 + task.scheduleTime.nanos / 1e6 - clock.now();
  }
}

describe('a queue', () => {
  it('has a name of letters, digits and hyphens, at its location, once', async () => {
    expect(await createQueue()).toBe('OK');
    expect(await createQueue()).toBe('ALREADY_EXISTS');
    for (const name of [
      `${location}/queues/a_b`,
      `${location}/queues/${'x'.repeat(101)}`,
      'projects/my-project/locations/us-east1/queues/work',
    ])
      expect(await createQueue({ name })).toBe('INVALID_ARGUMENT');
  });

  it('makes at most 500 dispatches a second, 5,000 at once', async () => {
    for (const rateLimits of [{ maxDispatchesPerSecond: 501 }, { maxConcurrentDispatches: 5_001 }])
      expect(await createQueue({ rateLimits })).toBe('INVALID_ARGUMENT');
    expect(await createQueue({ rateLimits: { maxDispatchesPerSecond: 500, maxConcurrentDispatches: 5_000 } })).toBe('OK');
  });

  it('has to be there before a task is', async () => {
    expect(await create()).toBe('NOT_FOUND');
  });

  it('holds its tasks while it is paused', async () => {
    await createQueue();
    await service.call('PauseQueue', { name: queue });
    await create();
    clock.advance(day);
    expect(arrived).toEqual([]);
    await service.call('ResumeQueue', { name: queue });
    await got(1);
  });

  it('is emptied by a purge', async () => {
    await createQueue();
    for (let count = 0; count < 3; count += 1) await create({ scheduleTime: timestampOf(clock.now() + day) });
    expect((await service.call('ListTasks', { parent: queue, pageSize: 2 }))['tasks']).toHaveLength(2);
    await service.call('PurgeQueue', { name: queue });
    expect((await service.call('ListTasks', { parent: queue }))['tasks']).toEqual([]);
  });
});

describe('a task', () => {
  beforeEach(() => createQueue());

  it.each<[string, object, object, string]>([
    ['of 99,000 bytes', {}, { body: Buffer.alloc(99_000) }, 'OK'],
    ['of more than 100 KB in all', {}, { body: Buffer.alloc(99_000), headers: { 'x-a': 'x'.repeat(2_000) } }, 'INVALID_ARGUMENT'],
    ['with an id of 500 characters', { name: `${queue}/tasks/${'x'.repeat(500)}` }, {}, 'OK'],
    ['with an id of 501 characters', { name: `${queue}/tasks/${'x'.repeat(501)}` }, {}, 'INVALID_ARGUMENT'],
    ['with an id of other characters', { name: `${queue}/tasks/a.b` }, {}, 'INVALID_ARGUMENT'],
    ['with the name of another queue', { name: `${location}/queues/other/tasks/a` }, {}, 'INVALID_ARGUMENT'],
    ['with a deadline of 15 s', { dispatchDeadline: { seconds: 15 } }, {}, 'OK'],
    ['with a deadline of 14 s', { dispatchDeadline: { seconds: 14 } }, {}, 'INVALID_ARGUMENT'],
    ['with a deadline of 30 min', { dispatchDeadline: { seconds: 1_800 } }, {}, 'OK'],
    ['with a deadline over 30 min', { dispatchDeadline: { seconds: 1_801 } }, {}, 'INVALID_ARGUMENT'],
    ['with a URL that is none', {}, { url: 'agent-host/run' }, 'INVALID_ARGUMENT'],
    ['with a URL over 2,083 characters', {}, { url: `http://127.0.0.1/${'x'.repeat(2_083)}` }, 'INVALID_ARGUMENT'],
    ['with a header that breaks out of its line', {}, { headers: { 'x-a': 'b\r\nx-c: d' } }, 'INVALID_ARGUMENT'],
    ['for an account of the project', {}, { oidcToken: { serviceAccountEmail: 'a@my-project.iam.gserviceaccount.com' } }, 'OK'],
    [
      'for an account of another project',
      {},
      { oidcToken: { serviceAccountEmail: 'a@other.iam.gserviceaccount.com' } },
      'PERMISSION_DENIED',
    ],
  ])('%s', async (_what, task, request, code) => {
    expect(await create(task, request)).toBe(code);
  });

  it('lies at most 30 days ahead', async () => {
    expect(await create({ scheduleTime: timestampOf(clock.now() + 30 * day) })).toBe('OK');
    expect(await create({ scheduleTime: timestampOf(clock.now() + 30 * day + 1) })).toBe('INVALID_ARGUMENT');
  });

  it('keeps its name for an hour after it was deleted', async () => {
    const name = `${queue}/tasks/once`;
    await create({ name, scheduleTime: timestampOf(clock.now() + day) });
    expect(await create({ name })).toBe('ALREADY_EXISTS');
    await service.call('DeleteTask', { name });
    expect(await service.codeOf('DeleteTask', { name })).toBe('NOT_FOUND');
    clock.advance(3_599_999);
    expect(await create({ name })).toBe('ALREADY_EXISTS');
    clock.advance(1);
    expect(await create({ name })).toBe('OK');
  });

  it('is a POST with the headers of the service, its token, and none that the service replaces', async () => {
    const oidcToken = { serviceAccountEmail: 'a@my-project.iam.gserviceaccount.com', audience: 'https://audience.example' };
    const headers = { 'x-mine': 'kept', 'User-Agent': 'mine', 'X-Google-Mine': 'x', Authorization: 'Bearer mine' };
    await create({ name: `${queue}/tasks/named` }, { headers, oidcToken });
    const request = await got(1);
    expect(request).toMatchObject({ method: 'POST', url: '/run' });
    expect(request.headers).toMatchObject({
      'x-mine': 'kept',
      'user-agent': 'Google-Cloud-Tasks',
      authorization: 'Bearer a@my-project.iam.gserviceaccount.com for https://audience.example',
      'x-cloudtasks-taskname': 'named',
      'x-cloudtasks-taskretrycount': '0',
    });
    expect(request.headers).not.toHaveProperty('x-google-mine');
  });

  it('shows its body only to those who ask for all of it', async () => {
    const name = `${queue}/tasks/secret`;
    await create({ name, scheduleTime: timestampOf(clock.now() + day) }, { body: Buffer.from('hunter2') });
    const bodyIn = async (responseView: string) =>
      String(((await service.call('GetTask', { name, responseView }))['httpRequest'] as { body: Buffer }).body);
    expect([await bodyIn('BASIC'), await bodyIn('FULL')]).toEqual(['', 'hunter2']);
  });

  it('waits twice as long so many times, then longer by the last step', async () => {
    const retryConfig = { minBackoff: { seconds: 10 }, maxBackoff: { seconds: 300 }, maxDoublings: 3, maxAttempts: -1 };
    await service.call('UpdateQueue', { queue: { name: queue, retryConfig } });
    answer = { status: 500 };
    const name = `${queue}/tasks/failing`;
    await create({ name });
    const pauses: number[] = [];
    for (let attempt = 1; attempt <= 8; attempt += 1) {
      pauses.push((await pauseAfter(name, attempt)) / 1000);
      clock.advance(pauses.at(-1)! * 1000);
    }
    expect(pauses).toEqual([10, 20, 40, 80, 160, 240, 300, 300]);
  });

  it('is given up when its attempts and its time are both used up, not before', async () => {
    const retryConfig = { minBackoff: { seconds: 10 }, maxBackoff: { seconds: 10 }, maxAttempts: 2, maxRetryDuration: { seconds: 25 } };
    await service.call('UpdateQueue', { queue: { name: queue, retryConfig } });
    answer = { status: 500 };
    const name = `${queue}/tasks/failing`;
    await create({ name });
    for (const attempt of [1, 2, 3]) clock.advance(await pauseAfter(name, attempt));
    await got(4);
    while ((await service.codeOf('GetTask', { name })) !== 'NOT_FOUND') continue;
    expect(fake.dropped(queue)).toBe(1);
  });
});

describe('deliveries', () => {
  it('come twice and out of order when that is asked for', async () => {
    await stop();
    await start({ duplicateProbability: 1, shuffled: true, seed: 3 });
    await createQueue({ rateLimits: { maxConcurrentDispatches: 1 } });
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    const scheduleTime = timestampOf(clock.now() + 1_000);
    for (const id of ids) await create({ name: `${queue}/tasks/${id}`, scheduleTime });
    clock.advance(1_000);
    await got(12);
    const names = arrived.map(({ headers }) => String(headers['x-cloudtasks-taskname']));
    expect([...names].sort()).toEqual(ids.flatMap((id) => [id, id]));
    expect([...new Set(names)]).not.toEqual(ids);
  });
});
