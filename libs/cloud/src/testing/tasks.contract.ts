import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { codeOf } from '@rockpool/contracts';
import fc from 'fast-check';
import type { Identity } from '../identity.js';
import type { QueueSpec, TaskRequest, Tasks } from '../tasks.js';
import { eventually } from './eventually.js';
import { gate } from './recorder.js';
import { TaskReceiver } from './task-receiver.js';

/** An engine's tasks under test, with these queues and nothing in them. */
export interface TasksHarness {
  readonly tasks: Tasks;
  /** Verifies the tokens that the tasks carry; they speak for the service `scheduler`. */
  readonly identity: Identity;
  /** Milliseconds since the epoch, by the clock that tasks are scheduled with. */
  now(): number;
  advance(milliseconds: number): void | Promise<void>;
  close(): Promise<void>;
}

const queue: QueueSpec = {
  name: 'work',
  maxDispatchesPerSecond: 500,
  maxConcurrentDispatches: 100,
  maxAttempts: 100,
  maxRetryDurationMs: 86_400_000,
  minBackoffMs: 1_000,
  maxBackoffMs: 8_000,
};
const queues: QueueSpec[] = [
  queue,
  { ...queue, name: 'narrow', maxConcurrentDispatches: 2 },
  { ...queue, name: 'impatient', maxAttempts: 2, maxRetryDurationMs: 0 },
  { ...queue, name: 'patient', maxAttempts: 1, maxRetryDurationMs: 10_000 },
];
const audience = 'https://agent-host.example';
const hour = 3_600_000;

/** What every driver of {@link Tasks} does. The requests arrive at a real server. */
export function tasksContract(driver: string, open: (queues: readonly QueueSpec[]) => Promise<TasksHarness>): void {
  describe(`${driver} keeps the contract of Tasks`, () => {
    let harness: TasksHarness;
    let tasks: Tasks;
    let receiver: TaskReceiver;

    beforeEach(async () => {
      harness = await open(queues);
      tasks = harness.tasks;
      receiver = await TaskReceiver.listen(() => harness.now());
    });
    afterEach(async () => {
      await harness.close();
      await receiver.close();
    });

    const request = (path: string, more: Partial<TaskRequest> = {}): TaskRequest => ({
      queue: 'work',
      url: `${receiver.url}${path}`,
      body: new Uint8Array(),
      audience,
      ...more,
    });
    const inMs = (milliseconds: number) => ({ scheduleAt: new Date(harness.now() + milliseconds) });
    const codeFrom = (promise: Promise<unknown>) => promise.then(() => 'no error', codeOf);
    /** Lets time pass until the `count`-th request is there. */
    const gotInTime = (count: number, stepMs = 50) =>
      eventually(`request ${count}`, async () => {
        if (receiver.received.length >= count) return receiver.received[count - 1]!;
        await harness.advance(stepMs);
        return undefined;
      });
    const ended = (name = 'work') => eventually(`the end of what is in ${name}`, async () => (await tasks.stats(name)).pending === 0);
    /** Proves that whatever was due has been dispatched: a task created now arrives. */
    const settled = async () => {
      const before = receiver.received.length;
      await tasks.create(request('/sentinel'));
      await eventually('the sentinel', () => receiver.paths.slice(before).includes('/sentinel'));
    };

    describe('a delivery', () => {
      it('is a POST of the body, with the headers and the name of the task', async () => {
        const body = Uint8Array.from({ length: 256 }, (_, byte) => byte);
        const headers = { 'Content-Type': 'application/json', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
        const name = await tasks.create(request('/jobs/1?slice=2', { name: 'slice-1', body, headers }));
        const arrived = await receiver.got(1);
        expect(name).toBe('slice-1');
        expect(arrived).toMatchObject({ method: 'POST', path: '/jobs/1?slice=2' });
        expect(arrived.body.equals(body)).toBe(true);
        expect(arrived.headers).toMatchObject({
          'content-type': 'application/json',
          traceparent: headers.traceparent,
          'x-rockpool-task-name': 'slice-1',
        });
        await ended();
      });

      it('proves who sends it, to its audience only', async () => {
        await tasks.create(request('/'));
        const { headers } = await receiver.got(1);
        const [scheme, token] = headers.authorization!.split(' ') as [string, string];
        expect(scheme).toBe('Bearer');
        const caller = await harness.identity.verify(token, { audience, callers: ['scheduler'] });
        expect(caller.email).toMatch(/^scheduler@/);
        expect(await codeFrom(harness.identity.verify(token, { audience: 'https://elsewhere.example', callers: ['scheduler'] }))).toBe(
          'unauthenticated',
        );
      });

      it('carries the bytes as they were when the task was created', async () => {
        const body = new TextEncoder().encode('before');
        const created = tasks.create(request('/', { body }));
        body.fill(0);
        await created;
        expect((await receiver.got(1)).body.toString()).toBe('before');
      });

      it.each([200, 201, 204, 299])('is done with %d, and not made again', async (status) => {
        receiver.answerWith(() => ({ status }));
        await tasks.create(request('/'));
        await receiver.got(1);
        await ended();
        await harness.advance(hour);
        await settled();
        expect(receiver.paths).toEqual(['/', '/sentinel']);
      });

      it.each([301, 302, 307, 400, 404, 409, 429, 500, 503])('is made again after %d', async (status) => {
        receiver.answerWith((_task, number) =>
          number === 1 ? { status, headers: { location: `${receiver.url}/elsewhere` } } : { status: 200 },
        );
        await tasks.create(request('/'));
        await gotInTime(2);
        expect(receiver.paths).toEqual(['/', '/']);
        await ended();
      });

      it('is made again when the connection breaks', async () => {
        const broken = TaskReceiver.listen(() => harness.now());
        const url = (await broken).url;
        await (await broken).close();
        const name = await tasks.create(request('/', { url: `${url}/` }));
        await eventually('a failed attempt', async () => {
          await harness.advance(1_000);
          return (await tasks.stats('work')).oldestLateMs === 0;
        });
        expect((await tasks.stats('work')).pending).toBe(1);
        await eventually('a moment between two attempts', () => tasks.cancel('work', name));
      });
    });

    describe('time', () => {
      it('is never ahead of the schedule', async () => {
        await tasks.create(request('/later', inMs(5_000)));
        await harness.advance(4_999);
        await settled();
        expect(receiver.paths).toEqual(['/sentinel']);
        await harness.advance(1);
        expect((await receiver.got(2)).path).toBe('/later');
      });

      it('in the past means now', async () => {
        await tasks.create(request('/', inMs(-hour)));
        await receiver.got(1);
        await ended();
        expect((await tasks.stats('work')).oldestLateMs).toBe(0);
      });

      it('brings each of many tasks once, at its time or later, whatever the order they were created in', async () => {
        const offsets = fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 1, maxLength: 25 });
        await fc.assert(
          fc.asyncProperty(offsets, async (delays) => {
            const before = receiver.received.length;
            const due = new Map<string, number>();
            await Promise.all(
              delays.map(async (delayMs, index) => {
                due.set(`/${before}-${index}`, harness.now() + delayMs);
                await tasks.create(request(`/${before}-${index}`, inMs(delayMs)));
              }),
            );
            await gotInTime(before + delays.length, 500);
            await ended();
            const arrived = receiver.received.slice(before);
            expect(arrived.map(({ path }) => path).sort()).toEqual([...due.keys()].sort());
            for (const { path, at } of arrived) expect(at).toBeGreaterThanOrEqual(due.get(path)!);
          }),
          { numRuns: 10 },
        );
      });

      it('between attempts grows to the limit of the queue', async () => {
        receiver.answerWith(() => ({ status: 500 }));
        await tasks.create(request('/'));
        await gotInTime(6, 100);
        const gaps = receiver.received.slice(1).map(({ at }, index) => at - receiver.received[index]!.at);
        for (const [index, leastMs] of [1_000, 2_000, 4_000, 8_000, 8_000].entries()) expect(gaps[index]).toBeGreaterThanOrEqual(leastMs);
      });

      it.each([429, 503])('that %d asks for with Retry-After is waited for', async (status) => {
        receiver.answerWith((_task, number) => (number === 1 ? { status, headers: { 'retry-after': '60' } } : { status: 200 }));
        await tasks.create(request('/'));
        const second = await gotInTime(2, 500);
        expect(second.at - receiver.received[0]!.at).toBeGreaterThanOrEqual(60_000);
      });

      it('that Retry-After gives as a date is waited for', async () => {
        const date = new Date(harness.now() + 60_000).toUTCString();
        receiver.answerWith((_task, number) => (number === 1 ? { status: 503, headers: { 'retry-after': date } } : { status: 200 }));
        await tasks.create(request('/'));
        expect((await gotInTime(2, 500)).at).toBeGreaterThanOrEqual(Date.parse(date));
      });

      it('that Retry-After cannot mean is not waited for', async () => {
        receiver.answerWith((_task, number) => (number === 1 ? { status: 503, headers: { 'retry-after': 'soon' } } : { status: 200 }));
        await tasks.create(request('/'));
        expect((await gotInTime(2)).at - receiver.received[0]!.at).toBeLessThan(60_000);
      });

      it('to answer is limited: the request is aborted at its deadline and made again', async () => {
        const { opened, open: finish } = gate();
        receiver.answerWith(async (_task, number) => {
          if (number === 1) await opened;
          return { status: 200 };
        });
        await tasks.create(request('/', { deadlineMs: 15_000 }));
        const first = await receiver.got(1);
        await harness.advance(15_000);
        await first.aborted;
        await gotInTime(2);
        await ended();
        finish();
      });
    });

    describe('giving up', () => {
      it('happens once attempts and time are both used up, and is counted', async () => {
        receiver.answerWith(() => ({ status: 500 }));
        await tasks.create(request('/', { queue: 'impatient' }));
        await gotInTime(2);
        await ended('impatient');
        await harness.advance(hour);
        await settled();
        expect(receiver.paths.filter((path) => path === '/')).toHaveLength(2);
        expect((await tasks.stats('impatient')).dropped).toBe(1);
        expect((await tasks.stats('work')).dropped).toBe(0);
      });

      it('does not happen while there is time left, although the attempts are used up', async () => {
        receiver.answerWith(({ path }) => ({ status: path === '/' ? 500 : 200 }));
        await tasks.create(request('/', { queue: 'patient' }));
        await gotInTime(4, 100);
        await eventually('the end', async () => {
          await harness.advance(100);
          return (await tasks.stats('patient')).dropped === 1;
        });
        const attempts = receiver.received.filter(({ path }) => path === '/');
        expect(attempts.at(-1)!.at - attempts[0]!.at).toBeGreaterThanOrEqual(10_000);
      });
    });

    describe('a name', () => {
      it('is taken while its task waits, and an hour after it ended', async () => {
        await tasks.create(request('/', { name: 'once', ...inMs(1_000) }));
        expect(await codeFrom(tasks.create(request('/', { name: 'once' })))).toBe('already_exists');
        await gotInTime(1);
        await ended();
        await harness.advance(hour - 2_000);
        expect(await codeFrom(tasks.create(request('/', { name: 'once' })))).toBe('already_exists');
      });

      it('is taken after its task was cancelled or dropped', async () => {
        await tasks.create(request('/', { name: 'cancelled', ...inMs(1_000) }));
        await tasks.cancel('work', 'cancelled');
        expect(await codeFrom(tasks.create(request('/', { name: 'cancelled' })))).toBe('already_exists');
        receiver.answerWith(() => ({ status: 500 }));
        await tasks.create(request('/', { name: 'dropped', queue: 'impatient' }));
        await gotInTime(2);
        await ended('impatient');
        expect(await codeFrom(tasks.create(request('/', { name: 'dropped', queue: 'impatient' })))).toBe('already_exists');
      });

      it('goes to one of many who ask for it at once', async () => {
        const outcomes = await Promise.all(Array.from({ length: 10 }, () => codeFrom(tasks.create(request('/', { name: 'once' })))));
        expect(outcomes.filter((outcome) => outcome === 'no error')).toHaveLength(1);
        expect(outcomes.filter((outcome) => outcome === 'already_exists')).toHaveLength(9);
        await receiver.got(1);
        await ended();
        expect(receiver.received).toHaveLength(1);
      });

      it('belongs to its queue', async () => {
        await tasks.create(request('/1', { name: 'once' }));
        await tasks.create(request('/2', { name: 'once', queue: 'narrow' }));
        await receiver.got(2);
      });

      it('is made up when none is given, another one each time', async () => {
        const one = await tasks.create(request('/'));
        const other = await tasks.create(request('/'));
        expect(one).not.toBe(other);
        expect(await codeFrom(tasks.create(request('/', { name: one })))).toBe('already_exists');
      });
    });

    describe('cancelling', () => {
      it('keeps a waiting task from being delivered', async () => {
        const name = await tasks.create(request('/', inMs(1_000)));
        expect(await tasks.cancel('work', name)).toBe(true);
        await harness.advance(2_000);
        await settled();
        expect(receiver.paths).toEqual(['/sentinel']);
      });

      it('keeps a task that failed from being tried again', async () => {
        receiver.answerWith(({ path }) => ({ status: path === '/' ? 500 : 200 }));
        const name = await tasks.create(request('/'));
        await receiver.got(1);
        await eventually('the failure', () => tasks.cancel('work', name));
        await harness.advance(hour);
        await settled();
        expect(receiver.paths).toEqual(['/', '/sentinel']);
      });

      it('comes too late for a task that runs or is done, and for one that never was', async () => {
        const { opened, open: finish } = gate();
        receiver.answerWith(async () => {
          await opened;
          return { status: 200 };
        });
        const name = await tasks.create(request('/'));
        await receiver.got(1);
        expect(await tasks.cancel('work', name)).toBe(false);
        finish();
        await ended();
        expect(await tasks.cancel('work', name)).toBe(false);
        expect(await tasks.cancel('work', 'never-was')).toBe(false);
      });
    });

    it('never has more requests under way than the queue allows, and holds no other queue back', async () => {
      const { opened, open: finish } = gate();
      receiver.answerWith(async ({ path }) => {
        if (path === '/') await opened;
        return { status: 200 };
      });
      for (let count = 0; count < 7; count += 1) await tasks.create(request('/', { queue: 'narrow' }));
      await receiver.got(2);
      await settled();
      expect(receiver.paths.filter((path) => path === '/')).toHaveLength(2);
      expect((await tasks.stats('narrow')).pending).toBe(7);
      finish();
      await receiver.got(8);
      await ended('narrow');
      expect(receiver.mostAtOnce).toBeLessThanOrEqual(3);
    });

    it('tells how many wait, and how late the latest is', async () => {
      const { opened, open: finish } = gate();
      receiver.answerWith(async () => {
        await opened;
        return { status: 200 };
      });
      expect(await tasks.stats('narrow')).toEqual({ pending: 0, oldestLateMs: 0, dropped: 0 });
      for (let count = 0; count < 3; count += 1) await tasks.create(request('/', { queue: 'narrow' }));
      await tasks.create(request('/', { queue: 'narrow', ...inMs(hour) }));
      await receiver.got(2);
      await harness.advance(5_000);
      expect(await tasks.stats('narrow')).toEqual({ pending: 4, oldestLateMs: 5_000, dropped: 0 });
      finish();
    });

    it.each<[string, Partial<TaskRequest>]>([
      ['a body over 100 KB', { body: new Uint8Array(102_401) }],
      ['a name with other characters', { name: 'a/b' }],
      ['an empty name', { name: '' }],
      ['a name over 500 characters', { name: 'x'.repeat(501) }],
      ['a URL that is none', { url: 'agent-host/run' }],
      ['a URL of another scheme', { url: 'file:///etc/passwd' }],
      ['a URL with credentials', { url: 'http://user:password@127.0.0.1/' }],
      ['no audience', { audience: '' }],
      ['a deadline under 15 s', { deadlineMs: 14_999 }],
      ['a deadline over 30 min', { deadlineMs: 1_800_001 }],
      ['a deadline that is no number', { deadlineMs: NaN }],
      ['a time that is none', { scheduleAt: new Date(NaN) }],
      ['a token of its own', { headers: { Authorization: 'Bearer x' } }],
      ['a host of its own', { headers: { Host: 'elsewhere' } }],
      ['framing of its own', { headers: { 'transfer-encoding': 'chunked' } }],
      ['a task header of its own', { headers: { 'X-Rockpool-Task-Name': 'another' } }],
      ['a header name that is none', { headers: { 'a b': 'x' } }],
      ['a header that breaks out of its line', { headers: { 'x-a': 'x\r\nx-b: y' } }],
    ])('refuses %s', async (_what, more) => {
      expect(await codeFrom(tasks.create(request('/', more)))).toBe('invalid');
      expect((await tasks.stats('work')).pending).toBe(0);
    });

    it('takes what is just within the limits', async () => {
      const name = await tasks.create(
        request('/', { name: 'x'.repeat(500), body: new Uint8Array(102_400), deadlineMs: 1_800_000, ...inMs(30 * 24 * hour) }),
      );
      expect(await codeFrom(tasks.create(request('/', inMs(30 * 24 * hour + 1_000))))).toBe('invalid');
      expect(await tasks.cancel('work', name)).toBe(true);
      await tasks.create(request('/', { body: new Uint8Array(102_400) }));
      expect((await receiver.got(1)).body).toHaveLength(102_400);
    });

    it('knows no queue that it was not given', async () => {
      const attempts = [tasks.create(request('/', { queue: 'nowhere' })), tasks.cancel('nowhere', 'x'), tasks.stats('nowhere')];
      for (const attempt of attempts) expect(await codeFrom(attempt)).toBe('not_found');
    });

    describe('closing', () => {
      it('lets what is under way come to its end, and begins nothing', async () => {
        const { opened, open: finish } = gate();
        receiver.answerWith(async () => {
          await opened;
          return { status: 200 };
        });
        for (let count = 0; count < 3; count += 1) await tasks.create(request('/', { queue: 'narrow' }));
        await receiver.got(2);
        const closed = tasks.close(60_000);
        expect(await codeFrom(tasks.create(request('/')))).toBe('unavailable');
        finish();
        await closed;
        expect(receiver.received).toHaveLength(2);
      });

      it('aborts what takes longer than the drain', async () => {
        receiver.answerWith(() => new Promise(() => undefined));
        await tasks.create(request('/'));
        const { aborted } = await receiver.got(1);
        await tasks.close(0);
        await aborted;
      });
    });
  });
}
