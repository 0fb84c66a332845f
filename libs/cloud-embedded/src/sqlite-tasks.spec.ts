import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { cpSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { thisProcess, type QueueSpec } from '@rockpool/cloud';
import { eventually, ManualClock, ownDispatchContract, TaskReceiver, tasksContract, type TasksHarness } from '@rockpool/cloud/testing';
import { codeOf } from '@rockpool/contracts';
import { Database } from './database.js';
import { LocalIdentity } from './local-identity.js';
import { SqliteTasks } from './sqlite-tasks.js';
import type { TaskFailure } from './sqlite-tasks/task-queue.js';

const hour = 3_600_000;
const work: QueueSpec = {
  name: 'work',
  maxDispatchesPerSecond: 500,
  maxConcurrentDispatches: 10,
  maxAttempts: 3,
  maxRetryDurationMs: 0,
  minBackoffMs: 1_000,
  maxBackoffMs: 60_000,
};

let folder: string;
let database: Database;
let clock: ManualClock;
let identity: LocalIdentity;
let failures: TaskFailure[];
let opened: SqliteTasks[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-tasks-'));
  await mkdir(join(folder, 'data'));
  database = Database.open(join(folder, 'data', 'rockpool.db'), { synchronous: 'OFF' });
  clock = new ManualClock();
  identity = await LocalIdentity.open({ keysFile: join(folder, 'keys', 'identity.json'), now: clock.now });
  failures = [];
  opened = [];
});
afterEach(async () => {
  for (const tasks of opened) await tasks.close(0);
  await database.close();
  await rm(folder, { recursive: true });
});

async function open(queues: readonly QueueSpec[] = [work], over = database): Promise<SqliteTasks> {
  const tasks = await SqliteTasks.open(over, identity, { queues, clock, onFailure: (failure) => failures.push(failure) });
  opened.push(tasks);
  return tasks;
}

const harness = async (queues: readonly QueueSpec[]): Promise<TasksHarness> => ({
  tasks: await open(queues),
  identity,
  now: clock.now,
  advance: (milliseconds) => clock.advance(milliseconds),
  close: async () => undefined,
});
tasksContract('SqliteTasks', harness);
ownDispatchContract('SqliteTasks', harness);

describe('SqliteTasks', () => {
  let receiver: TaskReceiver;
  beforeEach(async () => {
    receiver = await TaskReceiver.listen(clock.now);
  });
  afterEach(() => receiver.close());

  const request = (path: string, more: object = {}) => ({
    queue: 'work',
    url: `${receiver.url}${path}`,
    body: new TextEncoder().encode(path),
    audience: 'https://agent-host.example',
    ...more,
  });
  const at = (milliseconds: number) => ({ scheduleAt: new Date(milliseconds) });
  const ended = (tasks: SqliteTasks, queue = 'work') => eventually('the end', async () => (await tasks.stats(queue)).pending === 0);

  it('tells the receiver its queue and which attempt it is, and waits exactly its backoff between them', async () => {
    const start = clock.now();
    receiver.answerWith((_task, number) => ({ status: number < 3 ? 500 : 200 }));
    const tasks = await open();
    await tasks.create(request('/'));
    await clock.armed(start + 1_000);
    clock.advance(1_000);
    await clock.armed(start + 3_000);
    clock.advance(2_000);
    await receiver.got(3);
    await ended(tasks);
    expect(receiver.received.map(({ headers }) => headers['x-rockpool-task-attempt'])).toEqual(['1', '2', '3']);
    expect(receiver.received.map((task) => task.at - start)).toEqual([0, 1_000, 3_000]);
    expect(receiver.received[0]!.headers['x-rockpool-task-queue']).toBe('work');
  });

  it('reports every failed attempt with its reason, and the last one as dropped', async () => {
    const start = clock.now();
    receiver.answerWith(() => ({ status: 500 }));
    const tasks = await open();
    await tasks.create(request('/', { name: 'doomed' }));
    for (const dueAt of [start + 1_000, start + 3_000]) {
      await clock.armed(dueAt);
      clock.advance(dueAt - clock.now());
    }
    await eventually('the drop', () => failures.length === 3);
    const task = { queue: 'work', name: 'doomed', url: `${receiver.url}/`, reason: 'the answer was 500' };
    expect(failures).toEqual([
      { ...task, attempt: 1, retryAt: new Date(start + 1_000) },
      { ...task, attempt: 2, retryAt: new Date(start + 3_000) },
      { ...task, attempt: 3, retryAt: undefined },
    ]);
  });

  it('says in its report when the deadline was missed and when nobody listens', async () => {
    receiver.answerWith(() => new Promise(() => undefined));
    const tasks = await open();
    await tasks.create(request('/', { deadlineMs: 15_000 }));
    await receiver.got(1);
    clock.advance(15_000);
    await eventually('the report', () => failures.length === 1);
    expect(failures[0]!.reason).toBe('no answer within 15000 ms');
    await tasks.create(request('/', { url: 'http://127.0.0.1:1/' }));
    await eventually('the report', () => failures.length === 2);
    expect(failures[1]!.reason).toContain('ECONNREFUSED');
  });

  it('aborts an answer that begins and never ends, at the deadline', async () => {
    const endless = await TaskReceiver.listen(clock.now);
    endless.answerWith(() => ({ status: 200, headers: { 'content-length': '1000' } }));
    const tasks = await open();
    await tasks.create(request('/', { url: `${endless.url}/`, deadlineMs: 15_000 }));
    await endless.got(1);
    clock.advance(15_000);
    await eventually('the report', () => failures.length === 1);
    await endless.close();
  });

  it('dispatches no faster than the rate of the queue', async () => {
    const start = clock.now();
    const tasks = await open([{ ...work, maxDispatchesPerSecond: 2 }]);
    for (let count = 0; count < 4; count += 1) await tasks.create(request('/'));
    for (const count of [1, 2, 3]) {
      await receiver.got(count);
      await clock.armed(start + count * 500);
      expect(receiver.received).toHaveLength(count);
      clock.advance(500);
    }
    await receiver.got(4);
    expect(receiver.received.map((task) => task.at - start)).toEqual([0, 500, 1_000, 1_500]);
  });

  it('keeps up its rate when it is high', async () => {
    const start = clock.now();
    const tasks = await open([{ ...work, maxConcurrentDispatches: 1_000, maxDispatchesPerSecond: 100 }]);
    await Promise.all(Array.from({ length: 120 }, () => tasks.create(request('/'))));
    await eventually('the last one', () => {
      if (receiver.received.length === 120) return true;
      clock.advance(10);
      return undefined;
    });
    for (const [index, { at: arrivedAt }] of receiver.received.entries())
      expect(arrivedAt - start).toBeGreaterThanOrEqual((index + 1 - 20) * 10);
    expect(receiver.received.at(-1)!.at - start).toBeGreaterThanOrEqual(1_000);
  });

  it('lets a name be used again an hour after its task ended', async () => {
    const tasks = await open();
    await tasks.create(request('/', { name: 'again' }));
    await receiver.got(1);
    await ended(tasks);
    clock.advance(hour - 1);
    await expect(tasks.create(request('/', { name: 'again' })).catch(codeOf)).resolves.toBe('already_exists');
    clock.advance(1);
    await tasks.create(request('/', { name: 'again' }));
    await receiver.got(2);
  });

  it('forgets old names as tasks end, and keeps nothing of what they carried meanwhile', async () => {
    const tasks = await open();
    const rows = () => database.read((db) => db.prepare('SELECT length(body) AS bytes, headers FROM tasks').all());
    for (let count = 0; count < 20; count += 1) await tasks.create(request('/secret', { headers: { 'x-secret': 'hunter2' } }));
    await ended(tasks);
    expect(rows()).toEqual(Array(20).fill({ bytes: 0, headers: '{}' }));
    clock.advance(hour);
    await tasks.create(request('/'));
    await ended(tasks);
    expect(rows()).toHaveLength(1);
  });

  it('holds one timer however many tasks are scheduled', async () => {
    const tasks = await open();
    const soonest = clock.now() + 10_000;
    await Promise.all(Array.from({ length: 2_000 }, (_, index) => tasks.create(request(`/${index}`, at(soonest + index * 1_000)))));
    await clock.armed(soonest);
    expect(clock.waiting).toBe(1);
    expect((await tasks.stats('work')).pending).toBe(2_000);
    clock.advance(10_000);
    expect((await receiver.got(1)).path).toBe('/0');
  });

  it('looks again when an earlier task comes in', async () => {
    const tasks = await open();
    const start = clock.now();
    await tasks.create(request('/late', at(start + 60_000)));
    await clock.armed(start + 60_000);
    await tasks.create(request('/early', at(start + 1_000)));
    await clock.armed(start + 1_000);
    clock.advance(1_000);
    expect((await receiver.got(1)).path).toBe('/early');
    await clock.armed(start + 60_000);
    clock.advance(59_000);
    expect((await receiver.got(2)).path).toBe('/late');
  });

  it('refuses a queue whose limits make no sense', async () => {
    for (const wrong of [
      { maxDispatchesPerSecond: 0 },
      { maxConcurrentDispatches: 0 },
      { maxAttempts: 0 },
      { maxBackoffMs: 1 },
      { name: 'a b' },
    ]) {
      await expect(open([{ ...work, ...wrong }]).catch(codeOf)).resolves.toBe('invalid');
    }
  });

  it('delivers to wherever this process answers now, and nothing before it does', async () => {
    const before = await SqliteTasks.open(database, identity, { queues: [work], clock, ownUrl: new Promise(() => undefined) });
    await before.create({ ...request('/'), url: `${thisProcess}/internal/it?a=b` });
    expect(await before.stats('work')).toMatchObject({ pending: 1 });
    await before.close(0);
    const tasks = await SqliteTasks.open(database, identity, { queues: [work], clock, ownUrl: Promise.resolve(receiver.url) });
    opened.push(tasks);
    await ended(tasks);
    expect(receiver.received.map(({ path }) => path)).toEqual(['/internal/it?a=b']);
    expect(failures).toEqual([]);
  });

  it('retries a task whose token could not be minted', async () => {
    const start = clock.now();
    const tasks = await SqliteTasks.open(database, identity, {
      queues: [work],
      clock,
      service: 'Not A Service',
      onFailure: (failure) => failures.push(failure),
    });
    opened.push(tasks);
    await tasks.create(request('/'));
    await clock.armed(start + 1_000);
    expect(failures[0]!.reason).toContain('a service is named by');
    expect(receiver.received).toEqual([]);
  });

  describe('while the disk takes no writes', () => {
    const setReadOnly = (readOnly: boolean) => database.read((db) => db.exec(`PRAGMA query_only = ${readOnly}`));

    it('refuses new tasks, and delivers the old ones once it does again', async () => {
      const tasks = await open();
      const start = clock.now();
      await tasks.create(request('/scheduled', at(start + 5_000)));
      await clock.armed(start + 5_000);
      setReadOnly(true);
      await expect(tasks.create(request('/refused')).catch(codeOf)).resolves.toBe('unavailable');
      clock.advance(5_000);
      await clock.armed(start + 6_000);
      setReadOnly(false);
      clock.advance(1_000);
      await receiver.got(1);
      await ended(tasks);
      expect(receiver.paths).toEqual(['/scheduled']);
    });

    it('does not deliver again what was delivered, but records its end as soon as it can', async () => {
      const start = clock.now();
      receiver.answerWith(() => (setReadOnly(true), { status: 200 }));
      const tasks = await open();
      await tasks.create(request('/'));
      await clock.armed(start + 1_000);
      expect((await tasks.stats('work')).pending).toBe(1);
      setReadOnly(false);
      clock.advance(1_000);
      await ended(tasks);
      clock.advance(hour);
      expect(receiver.received).toHaveLength(1);
    });
  });

  describe('after a restart', () => {
    it('delivers what was scheduled, at its time', async () => {
      const tasks = await open();
      const dueAt = clock.now() + 60_000;
      await tasks.create(request('/scheduled', { headers: { 'x-a': 'b' }, ...at(dueAt) }));
      await tasks.close(0);
      await open();
      await clock.armed(dueAt);
      expect(receiver.received).toEqual([]);
      clock.advance(60_000);
      expect(await receiver.got(1)).toMatchObject({ path: '/scheduled', headers: { 'x-a': 'b' }, at: dueAt });
      expect(receiver.received[0]!.body.toString()).toBe('/scheduled');
    });

    it('delivers at once what came due meanwhile', async () => {
      const tasks = await open();
      await tasks.create(request('/overdue', at(clock.now() + 1_000)));
      await tasks.close(0);
      clock.advance(hour);
      await open();
      expect((await receiver.got(1)).path).toBe('/overdue');
    });

    it('delivers again what was aborted by the close before', async () => {
      receiver.answerWith((_task, number) => (number === 1 ? new Promise(() => undefined) : { status: 200 }));
      const tasks = await open();
      await tasks.create(request('/'));
      await receiver.got(1);
      await tasks.close(0);
      expect(failures).toEqual([]);
      const reopened = await open();
      expect((await receiver.got(2)).headers['x-rockpool-task-attempt']).toBe('2');
      await ended(reopened);
    });

    it('does not deliver again what came to its end while closing', async () => {
      const answers = Promise.withResolvers<void>();
      receiver.answerWith(async ({ path }) => {
        if (path === '/') await answers.promise;
        return { status: 200 };
      });
      const tasks = await open();
      await tasks.create(request('/'));
      await receiver.got(1);
      const closed = tasks.close(60_000);
      answers.resolve();
      await closed;
      const reopened = await open();
      await reopened.create(request('/sentinel'));
      await receiver.got(2);
      expect(receiver.paths).toEqual(['/', '/sentinel']);
    });

    it('keeps the names that were used', async () => {
      const tasks = await open();
      await tasks.create(request('/', { name: 'once' }));
      await receiver.got(1);
      await ended(tasks);
      await tasks.close(0);
      await expect((await open()).create(request('/', { name: 'once' })).catch(codeOf)).resolves.toBe('already_exists');
    });

    it('keeps the tasks of a queue that is not given any more until it is given again', async () => {
      const tasks = await open();
      await tasks.create(request('/', at(clock.now() + 1_000)));
      await tasks.close(0);
      clock.advance(2_000);
      const other = await open([{ ...work, name: 'other' }]);
      await other.create(request('/other', { queue: 'other' }));
      await receiver.got(1);
      await other.close(0);
      await open();
      await receiver.got(2);
      expect(receiver.paths).toEqual(['/other', '/']);
    });
  });

  it('delivers again, after a kill, what was under way, and everything that was acknowledged', async () => {
    receiver.answerWith((_task, number) => (number === 1 ? new Promise(() => undefined) : { status: 200 }));
    const tasks = await open();
    await tasks.create(request('/under-way'));
    await receiver.got(1);
    await tasks.create(request('/acknowledged', at(clock.now() + 1_000)));
    // What the next start finds when the process dies at this instant: the kernel's view of the data folder.
    cpSync(join(folder, 'data'), join(folder, 'after-kill'), { recursive: true });
    await tasks.close(0);

    const survivor = Database.open(join(folder, 'after-kill', 'rockpool.db'), { synchronous: 'OFF' });
    const reopened = await open([work], survivor);
    expect(await receiver.got(2)).toMatchObject({ path: '/under-way', headers: { 'x-rockpool-task-attempt': '2' } });
    await clock.armed(clock.now() + 1_000);
    clock.advance(1_000);
    expect((await receiver.got(3)).path).toBe('/acknowledged');
    await ended(reopened);
    await reopened.close(0);
    await survivor.close();
  });
});
