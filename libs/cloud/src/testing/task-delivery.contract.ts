import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { eventually } from './eventually.js';
import { gate } from './recorder.js';
import { audience, codeFrom, hour, type TaskBench } from './task-bench.js';
import { TaskReceiver } from './task-receiver.js';

/** The part of the contract of Tasks that the receiver sees: requests, their times, and their end. */
export function taskDeliveryContract(bench: TaskBench): void {
  describe('a delivery', () => {
    it('is a POST of the body, with the headers and the name of the task', async () => {
      const body = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      const headers = { 'Content-Type': 'application/json', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
      const name = await bench.create('/jobs/1?slice=2', { name: 'slice-1', body, headers });
      const arrived = await bench.receiver.got(1);
      expect(name).toBe('slice-1');
      expect(arrived).toMatchObject({ method: 'POST', path: '/jobs/1?slice=2' });
      expect(arrived.body.equals(body)).toBe(true);
      expect(arrived.headers).toMatchObject({
        'content-type': 'application/json',
        traceparent: headers.traceparent,
        'x-rockpool-task-name': 'slice-1',
      });
      await bench.ended();
    });

    it('proves who sends it, to its audience only', async () => {
      await bench.create('/');
      const { headers } = await bench.receiver.got(1);
      const [scheme, token] = headers.authorization!.split(' ') as [string, string];
      expect(scheme).toBe('Bearer');
      const caller = await bench.harness.identity.verify(token, { audience, callers: ['scheduler'] });
      expect(caller.email).toMatch(/^scheduler@/);
      expect(await codeFrom(bench.harness.identity.verify(token, { audience: 'https://elsewhere.example', callers: ['scheduler'] }))).toBe(
        'unauthenticated',
      );
    });

    it('carries the bytes as they were when the task was created', async () => {
      const body = new TextEncoder().encode('before');
      const created = bench.create('/', { body });
      body.fill(0);
      await created;
      expect((await bench.receiver.got(1)).body.toString()).toBe('before');
    });

    it.each([200, 201, 204, 299])('is done with %d, and not made again', async (status) => {
      bench.receiver.answerWith(() => ({ status }));
      await bench.create('/');
      await bench.receiver.got(1);
      await bench.ended();
      await bench.harness.advance(hour);
      await bench.settled();
      expect(bench.receiver.paths).toEqual(['/', '/sentinel']);
    });

    it.each([301, 302, 307, 400, 404, 409, 429, 500, 503])('is made again after %d', async (status) => {
      bench.receiver.answerWith((_task, number) =>
        number === 1 ? { status, headers: { location: `${bench.receiver.url}/elsewhere` } } : { status: 200 },
      );
      await bench.create('/');
      await bench.gotInTime(2);
      expect(bench.receiver.paths).toEqual(['/', '/']);
      await bench.ended();
    });

    it('is made again when the connection breaks', async () => {
      const broken = TaskReceiver.listen(() => bench.harness.now());
      const url = (await broken).url;
      await (await broken).close();
      const name = await bench.create('/', { url: `${url}/` });
      await eventually('a failed attempt', async () => {
        await bench.harness.advance(1_000);
        return (await bench.tasks.stats('work')).oldestLateMs === 0;
      });
      expect((await bench.tasks.stats('work')).pending).toBe(1);
      await eventually('a moment between two attempts', () => bench.tasks.cancel('work', name));
    });
  });

  describe('time', () => {
    it('is never ahead of the schedule', async () => {
      await bench.create('/later', bench.inMs(5_000));
      await bench.harness.advance(4_999);
      await bench.settled();
      expect(bench.receiver.paths).toEqual(['/sentinel']);
      await bench.harness.advance(1);
      expect((await bench.receiver.got(2)).path).toBe('/later');
    });

    it('in the past means now', async () => {
      await bench.create('/', bench.inMs(-hour));
      await bench.receiver.got(1);
      await bench.ended();
      expect((await bench.tasks.stats('work')).oldestLateMs).toBe(0);
    });

    it('brings each of many tasks once, at its time or later, whatever the order they were created in', async () => {
      const offsets = fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 1, maxLength: 25 });
      await fc.assert(
        fc.asyncProperty(offsets, async (delays) => {
          const before = bench.receiver.received.length;
          const due = new Map<string, number>();
          await Promise.all(
            delays.map(async (delayMs, index) => {
              due.set(`/${before}-${index}`, bench.harness.now() + delayMs);
              await bench.create(`/${before}-${index}`, bench.inMs(delayMs));
            }),
          );
          await bench.gotInTime(before + delays.length, 500);
          await bench.ended();
          const arrived = bench.receiver.received.slice(before);
          expect(arrived.map(({ path }) => path).sort()).toEqual([...due.keys()].sort());
          for (const { path, at } of arrived) expect(at).toBeGreaterThanOrEqual(due.get(path)!);
        }),
        { numRuns: 10 },
      );
    });

    it('between attempts grows to the limit of the queue', async () => {
      bench.receiver.answerWith(() => ({ status: 500 }));
      await bench.create('/');
      await bench.gotInTime(6, 100);
      const gaps = bench.receiver.received.slice(1).map(({ at }, index) => at - bench.receiver.received[index]!.at);
      for (const [index, leastMs] of [1_000, 2_000, 4_000, 8_000, 8_000].entries()) expect(gaps[index]).toBeGreaterThanOrEqual(leastMs);
    });

    it.each([429, 503])('that %d asks for with Retry-After is waited for', async (status) => {
      bench.receiver.answerWith((_task, number) => (number === 1 ? { status, headers: { 'retry-after': '60' } } : { status: 200 }));
      await bench.create('/');
      const second = await bench.gotInTime(2, 500);
      expect(second.at - bench.receiver.received[0]!.at).toBeGreaterThanOrEqual(60_000);
    });

    it('that Retry-After gives as a date is waited for', async () => {
      const date = new Date(bench.harness.now() + 60_000).toUTCString();
      bench.receiver.answerWith((_task, number) => (number === 1 ? { status: 503, headers: { 'retry-after': date } } : { status: 200 }));
      await bench.create('/');
      expect((await bench.gotInTime(2, 500)).at).toBeGreaterThanOrEqual(Date.parse(date));
    });

    it('that Retry-After cannot mean is not waited for', async () => {
      bench.receiver.answerWith((_task, number) => (number === 1 ? { status: 503, headers: { 'retry-after': 'soon' } } : { status: 200 }));
      await bench.create('/');
      expect((await bench.gotInTime(2)).at - bench.receiver.received[0]!.at).toBeLessThan(60_000);
    });

    it('to answer is limited: the request is aborted at its deadline and made again', async () => {
      const { opened, open: finish } = gate();
      bench.receiver.answerWith(async (_task, number) => {
        if (number === 1) await opened;
        return { status: 200 };
      });
      await bench.create('/', { deadlineMs: 15_000 });
      const first = await bench.receiver.got(1);
      await bench.harness.advance(15_000);
      await first.aborted;
      await bench.gotInTime(2);
      await bench.ended();
      finish();
    });
  });

  describe('giving up', () => {
    it('happens once attempts and time are both used up, and is counted', async () => {
      bench.receiver.answerWith(() => ({ status: 500 }));
      await bench.create('/', { queue: 'impatient' });
      await bench.gotInTime(2);
      await bench.ended('impatient');
      await bench.harness.advance(hour);
      await bench.settled();
      expect(bench.receiver.paths.filter((path) => path === '/')).toHaveLength(2);
      await bench.expectDropped('impatient', 1);
      await bench.expectDropped('work', 0);
    });

    it('does not happen while there is time left, although the attempts are used up', async () => {
      bench.receiver.answerWith(({ path }) => ({ status: path === '/' ? 500 : 200 }));
      await bench.create('/', { queue: 'patient' });
      await bench.gotInTime(4, 100);
      await eventually('the end', async () => {
        await bench.harness.advance(100);
        return (await bench.tasks.stats('patient')).pending === 0;
      });
      await bench.expectDropped('patient', 1);
      const attempts = bench.receiver.received.filter(({ path }) => path === '/');
      expect(attempts.at(-1)!.at - attempts[0]!.at).toBeGreaterThanOrEqual(10_000);
    });
  });
}
