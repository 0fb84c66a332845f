import { describe, expect, it } from '@jest/globals';
import type { QueueSpec, TaskRequest } from '../tasks.js';
import { eventually } from './eventually.js';
import { gate } from './recorder.js';
import { codeFrom, hour, TaskBench, type TasksHarness } from './task-bench.js';
import { taskDeliveryContract } from './task-delivery.contract.js';

/** What every driver of {@link Tasks} does. The requests arrive at a real server. */
export function tasksContract(driver: string, open: (queues: readonly QueueSpec[]) => Promise<TasksHarness>): void {
  describe(`${driver} keeps the contract of Tasks`, () => {
    const bench = new TaskBench(open);
    taskDeliveryContract(bench);

    describe('a name', () => {
      it('is taken while its task waits, and an hour after it ended', async () => {
        await bench.create('/', { name: 'once', ...bench.inMs(1_000) });
        expect(await codeFrom(bench.create('/', { name: 'once' }))).toBe('already_exists');
        await bench.gotInTime(1);
        await bench.ended();
        await bench.harness.advance(hour - 2_000);
        expect(await codeFrom(bench.create('/', { name: 'once' }))).toBe('already_exists');
      });

      it('is taken after its task was cancelled or dropped', async () => {
        await bench.create('/', { name: 'cancelled', ...bench.inMs(1_000) });
        await bench.tasks.cancel('work', 'cancelled');
        expect(await codeFrom(bench.create('/', { name: 'cancelled' }))).toBe('already_exists');
        bench.receiver.answerWith(() => ({ status: 500 }));
        await bench.create('/', { name: 'dropped', queue: 'impatient' });
        await bench.gotInTime(2);
        await bench.ended('impatient');
        expect(await codeFrom(bench.create('/', { name: 'dropped', queue: 'impatient' }))).toBe('already_exists');
      });

      it('goes to one of many who ask for it at once', async () => {
        const outcomes = await Promise.all(Array.from({ length: 10 }, () => codeFrom(bench.create('/', { name: 'once' }))));
        expect(outcomes.filter((outcome) => outcome === 'no error')).toHaveLength(1);
        expect(outcomes.filter((outcome) => outcome === 'already_exists')).toHaveLength(9);
        await bench.receiver.got(1);
        await bench.ended();
        expect(bench.receiver.received).toHaveLength(1);
      });

      it('belongs to its queue', async () => {
        await bench.create('/1', { name: 'once' });
        await bench.create('/2', { name: 'once', queue: 'narrow' });
        await bench.receiver.got(2);
      });

      it('is made up when none is given, another one each time', async () => {
        const one = await bench.create('/');
        const other = await bench.create('/');
        expect(one).not.toBe(other);
        expect(await codeFrom(bench.create('/', { name: one }))).toBe('already_exists');
      });
    });

    describe('cancelling', () => {
      it('keeps a waiting task from being delivered', async () => {
        const name = await bench.create('/', bench.inMs(1_000));
        expect(await bench.tasks.cancel('work', name)).toBe(true);
        await bench.harness.advance(2_000);
        await bench.settled();
        expect(bench.receiver.paths).toEqual(['/sentinel']);
      });

      it('keeps a task that failed from being tried again', async () => {
        bench.receiver.answerWith(({ path }) => ({ status: path === '/' ? 500 : 200 }));
        const name = await bench.create('/');
        await bench.receiver.got(1);
        await eventually('the failure', () => bench.tasks.cancel('work', name));
        await bench.harness.advance(hour);
        await bench.settled();
        expect(bench.receiver.paths).toEqual(['/', '/sentinel']);
      });

      it('comes too late for a task that runs or is done, and for one that never was', async () => {
        const { opened, open: finish } = gate();
        bench.receiver.answerWith(async () => {
          await opened;
          return { status: 200 };
        });
        const name = await bench.create('/');
        await bench.receiver.got(1);
        expect(await bench.tasks.cancel('work', name)).toBe(false);
        finish();
        await bench.ended();
        expect(await bench.tasks.cancel('work', name)).toBe(false);
        expect(await bench.tasks.cancel('work', 'never-was')).toBe(false);
      });
    });

    it('never has more requests under way than the queue allows, and holds no other queue back', async () => {
      const { opened, open: finish } = gate();
      bench.receiver.answerWith(async ({ path }) => {
        if (path === '/') await opened;
        return { status: 200 };
      });
      for (let count = 0; count < 7; count += 1) await bench.create('/', { queue: 'narrow' });
      await bench.receiver.got(2);
      await bench.settled();
      expect(bench.receiver.paths.filter((path) => path === '/')).toHaveLength(2);
      expect((await bench.tasks.stats('narrow')).pending).toBe(7);
      finish();
      await bench.receiver.got(8);
      await bench.ended('narrow');
      expect(bench.receiver.mostAtOnce).toBeLessThanOrEqual(3);
    });

    it('tells how many wait, and how late the latest is', async () => {
      const { opened, open: finish } = gate();
      bench.receiver.answerWith(async () => {
        await opened;
        return { status: 200 };
      });
      expect(await bench.tasks.stats('narrow')).toMatchObject({ pending: 0, oldestLateMs: 0 });
      for (let count = 0; count < 3; count += 1) await bench.create('/', { queue: 'narrow' });
      await bench.create('/', { queue: 'narrow', ...bench.inMs(hour) });
      await bench.receiver.got(2);
      await bench.harness.advance(5_000);
      expect(await bench.tasks.stats('narrow')).toMatchObject({ pending: 4, oldestLateMs: 5_000 });
      await bench.expectDropped('narrow', 0);
      finish();
    });

    it.each<[string, Partial<TaskRequest>]>([
      ['a body over 96,000 bytes', { body: new Uint8Array(96_001) }],
      ['more than 3,000 bytes of headers', { headers: { 'x-a': 'x'.repeat(3_000) } }],
      ['a URL over 2,083 characters', { url: `http://127.0.0.1/${'x'.repeat(2_083)}` }],
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
      ['a header that only Google sets', { headers: { 'X-CloudTasks-TaskName': 'another' } }],
      ['a header name that is none', { headers: { 'a b': 'x' } }],
      ['a header that breaks out of its line', { headers: { 'x-a': 'x\r\nx-b: y' } }],
    ])('refuses %s', async (_what, more) => {
      expect(await codeFrom(bench.create('/', more))).toBe('invalid');
      expect((await bench.tasks.stats('work')).pending).toBe(0);
    });

    it('takes what is just within the limits', async () => {
      const name = await bench.create('/', {
        name: 'x'.repeat(500),
        body: new Uint8Array(96_000),
        headers: { 'x-a': 'x'.repeat(2_400) },
        deadlineMs: 1_800_000,
        ...bench.inMs(30 * 24 * hour),
      });
      expect(await codeFrom(bench.create('/', bench.inMs(30 * 24 * hour + 1_000)))).toBe('invalid');
      expect(await bench.tasks.cancel('work', name)).toBe(true);
      await bench.create('/', { body: new Uint8Array(96_000) });
      expect((await bench.receiver.got(1)).body).toHaveLength(96_000);
    });

    it('knows no queue that it was not given', async () => {
      const attempts = [bench.create('/', { queue: 'nowhere' }), bench.tasks.cancel('nowhere', 'x'), bench.tasks.stats('nowhere')];
      for (const attempt of attempts) expect(await codeFrom(attempt)).toBe('not_found');
    });

    it('takes nothing once it is closed', async () => {
      await bench.tasks.close(0);
      expect(await codeFrom(bench.create('/'))).toBe('unavailable');
    });
  });
}

/** What a driver does besides when it dispatches by itself, and no service does it. */
export function ownDispatchContract(driver: string, open: (queues: readonly QueueSpec[]) => Promise<TasksHarness>): void {
  describe(`${driver} dispatches by itself`, () => {
    const bench = new TaskBench(open);

    it('and counts what it gave up', async () => {
      bench.receiver.answerWith(() => ({ status: 500 }));
      await bench.create('/', { queue: 'impatient' });
      await bench.gotInTime(2);
      await bench.ended('impatient');
      expect((await bench.tasks.stats('impatient')).dropped).toBe(1);
      expect((await bench.tasks.stats('work')).dropped).toBe(0);
    });

    it('and closing lets what is under way come to its end, and begins nothing', async () => {
      const { opened, open: finish } = gate();
      bench.receiver.answerWith(async () => {
        await opened;
        return { status: 200 };
      });
      for (let count = 0; count < 3; count += 1) await bench.create('/', { queue: 'narrow' });
      await bench.receiver.got(2);
      const closed = bench.tasks.close(60_000);
      finish();
      await closed;
      expect(bench.receiver.received).toHaveLength(2);
    });

    it('and closing aborts what takes longer than the drain', async () => {
      bench.receiver.answerWith(() => new Promise(() => undefined));
      await bench.create('/');
      const { aborted } = await bench.receiver.got(1);
      await bench.tasks.close(0);
      await aborted;
    });
  });
}
