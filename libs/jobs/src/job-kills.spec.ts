import { alice, hour, JobBench, minute, ScriptedKind, sequence, work } from './testing/job-bench.js';
import { afterEach, describe, expect, it } from '@jest/globals';
import { codeOf, type CrashPoint, type JobId } from '@rockpool/contracts';
import fc from 'fast-check';
import { JobClaims } from './job-claims.js';
import type { JobView } from './job-kind.js';
import { JobPlaces } from './job-places.js';
import { jobPaths, type JobRecord } from './job-records.js';
import { JobTasks } from './job-tasks.js';
import { Life } from './testing/mortal.js';

let bench: JobBench;
afterEach(() => bench.close());
const here = () => bench;
const never = new Promise<never>(() => undefined);

/** Thinking and sending by turns; sending is told apart by its key on the other side. */
function alternating(steps: number, stepMs: number) {
  const names = Array.from({ length: steps }, (_, n) => (n % 2 ? 'send' : 'think'));
  return sequence('long', names, {
    think: work(here, stepMs),
    send: work(here, stepMs, 'keyed', (context) => (bench.world.once(context), null)),
  });
}

describe('a kill', () => {
  it('ten times within three hours, with tasks that come again, costs a job no more than a repeated step each, and doubles no effect', async () => {
    bench = await JobBench.open({ kinds: [alternating(36, 5 * minute)], noisy: true });
    const kills: CrashPoint[] = [
      'after-job-before-task',
      'after-job-claim',
      'after-step-record',
      'after-step-before-record',
      'after-step-end',
      'before-step-record',
      'after-step-before-record',
      'after-job-before-task',
      'after-step-before-record',
      'after-job-end-before-outcome',
    ];
    let seen = 0;
    // At every third time that the point is passed; the last is passed once.
    bench.killAt((point) => point === kills[bench.kills] && (++seen % 3 === 0 || bench.kills === 9));
    const start = bench.engine.clock.now();
    await bench.begin({ kind: 'long' });
    expect(await bench.ended()).toMatchObject({ state: 'succeeded', steps: 36 });
    expect(bench.kills).toBe(10);
    expect(bench.engine.clock.now() - start).toBeGreaterThanOrEqual(3 * hour);
    expect(bench.world.repeated).toBeLessThanOrEqual(10);
    expect(bench.world.keyed.size).toBe(18);
    expect(bench.outcomes.heard.size).toBe(1);
    // A request lasts half an hour at most, which the receiver's clock would show: what is not done by then is another slice's.
    const handedOver = [...bench.results, ...bench.noise].filter(({ kind }) => kind === 'handed-over');
    expect(handedOver.length).toBeGreaterThanOrEqual(3);
  });

  it('at any points, in any engine, leaves a job that ends once, with every step done and each key used for one effect', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        fc.boolean(),
        async (distances, deadAreKnown, noisy) => {
          bench = await JobBench.open({ kinds: [alternating(6, minute)], deadAreKnown, noisy });
          try {
            let passed = 0;
            bench.killAt(() => bench.kills < distances.length && ++passed >= distances[bench.kills]! && ((passed = 0), true));
            for (;;) {
              // Whoever asks for a job asks again when it got no answer: its delivery is repeated.
              const begun = await Promise.race([bench.begin({ kind: 'long' }).catch(() => undefined), bench.died()]);
              if (begun) break;
            }
            const job = await bench.ended();
            expect(job).toMatchObject({ state: 'succeeded', steps: 6, result: [1, null, 3, null, 5, null] });
            expect(bench.world.repeated).toBeLessThanOrEqual(bench.kills);
            expect(bench.world.keyed.size).toBe(3);
            expect([...bench.outcomes.heard.keys()]).toEqual(['job:j1:ended:0']);
            expect(await bench.placesInUse()).toBe(0);
          } finally {
            await bench.close();
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  it('in the middle of a step has it done again by whoever takes over, once the lease has run out', async () => {
    const kind = sequence('one', ['think'], {
      think: {
        repeat: 'safe',
        async run(_input, { attempt }) {
          if (attempt === 1) {
            bench.kill();
            return never;
          }
          return 'done';
        },
      },
    });
    bench = await JobBench.open({ kinds: [kind] });
    const start = bench.engine.clock.now();
    await bench.begin({ kind: 'one' });
    expect(await bench.ended()).toMatchObject({ state: 'succeeded', result: ['done'] });
    expect(bench.engine.clock.now() - start).toBeGreaterThanOrEqual(90_000);
    expect(bench.engine.clock.now() - start).toBeLessThan(3 * minute);
    expect(await bench.steps()).toMatchObject([{ attempts: 2, state: 'succeeded' }]);
  });

  it('by the step itself, every time, ends in a step that failed, and not in a job that kills for ever', async () => {
    const kind = new ScriptedKind(
      'deadly',
      ({ steps }: JobView) =>
        steps.length === 0 ? { do: 'act', action: 'die', input: null } : { do: 'fail', reason: steps[0]!.error!.message },
      { die: { repeat: 'safe', run: () => (bench.kill(), never) } },
    );
    bench = await JobBench.open({ kinds: [kind], deadAreKnown: true });
    await bench.begin({ kind: 'deadly' });
    expect(await bench.ended()).toMatchObject({ state: 'failed', reason: 'the process died in each of 5 tries' });
    expect(bench.kills).toBe(5);
  });

  it('of everything, tasks included, is mended by the next start and its sweep', async () => {
    bench = await JobBench.open({ kinds: [alternating(4, minute)], deadAreKnown: true });
    bench.killAt((point) => point === 'after-job-before-task' && bench.kills === 0);
    await Promise.race([bench.begin({ kind: 'long' }).catch(() => undefined), bench.died()]);
    await bench.restart();
    expect((await bench.engine.tasks.stats('job-slices-normal')).pending).toBe(0);
    // At once: the sweep of a start need not wait until something is overdue.
    await bench.platform.sweep.run();
    expect((await bench.engine.tasks.stats('job-slices-normal')).pending).toBe(1);
    expect(await bench.ended()).toMatchObject({ state: 'succeeded', steps: 4 });
  });
});

describe('a task', () => {
  it('that comes again and again beside old ones, through a job of an hour, is worked on once', async () => {
    bench = await JobBench.open({ kinds: [alternating(12, 5 * minute)], noisy: true });
    await bench.begin({ kind: 'long' });
    expect(await bench.ended()).toMatchObject({ state: 'succeeded', steps: 12 });
    expect(bench.world.repeated).toBe(0);
    expect([...bench.results, ...bench.noise].filter(({ kind }) => kind === 'ended')).toHaveLength(1);
    expect(bench.outcomes.tellings).toBe(1);
  });

  it('that comes twice, late, or for a job that has ended does nothing', async () => {
    bench = await JobBench.open({ kinds: [alternating(4, 8 * minute)], sliceMs: 20 * minute });
    const job = await bench.begin({ kind: 'long' });
    await bench.ended();
    const run = (slice: number) => bench.slice({ tenantId: alice, jobId: job.jobId, slice });
    expect(bench.results.filter(({ kind }) => kind === 'handed-over')).not.toEqual([]);
    expect(await Promise.all([1, 1, 2, 3, 99].map(run))).toEqual(Array(5).fill({ kind: 'duplicate' }));
    expect(await bench.slice({ tenantId: alice, jobId: 'nobody' as JobId, slice: 1 })).toEqual({ kind: 'duplicate' });
    expect(bench.world.repeated).toBe(0);
  });

  it('that comes twice at one time is worked on once', async () => {
    bench = await JobBench.open({ kinds: [alternating(2, minute)] });
    const job = await bench.begin({ kind: 'long' });
    const run = () => bench.slice({ tenantId: alice, jobId: job.jobId, slice: 1 });
    const results = await Promise.all([run(), run(), run()]);
    await bench.ended();
    expect(results.filter(({ kind }) => kind === 'ended').length).toBeLessThanOrEqual(1);
    expect(bench.world.repeated).toBe(0);
  });
});

describe('a stale slice', () => {
  it('can write nothing once another has taken over', async () => {
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const kind = sequence('one', ['think'], {
      think: {
        repeat: 'safe',
        async run(_input, { attempt, progress, signal }) {
          if (attempt > 1) return 'second';
          reached.resolve();
          await gate.promise;
          progress('from the dead');
          signal.throwIfAborted();
          return 'first';
        },
      },
    });
    bench = await JobBench.open({ kinds: [kind] });
    const zombie = bench.platformOf(new Life('zombie'));
    const job = await bench.begin({ kind: 'one' });
    await reached.promise;
    // Its heartbeat is written at once, so a lease that ran out is made by hand: as if the process had been frozen.
    const path = jobPaths.job(alice, job.jobId);
    const held = (await bench.engine.documents.get<JobRecord>(path))!.data;
    await bench.engine.documents.set(path, { ...held, lease: { ...held.lease!, expiresAt: 0 } });
    const deadline = bench.engine.clock.now() + hour / 2;
    const second = await zombie.runner.slice({ ...job, slice: 1 }, { signal: new AbortController().signal, deadline });
    expect(second).toEqual({ kind: 'ended', state: 'succeeded' });
    gate.resolve();
    await bench.engine.until('the first one to learn of it', () => bench.results.length === 1);
    expect(bench.results).toEqual([{ kind: 'superseded' }]);
    expect(await bench.job()).toMatchObject({ state: 'succeeded', result: ['second'] });
    expect((await bench.job()).progress).toBeUndefined();
    expect(bench.outcomes.heard.size).toBe(1);
  });

  it('is refused every kind of write by its token', async () => {
    bench = await JobBench.open({ kinds: [], limits: { min: 0, max: 0 }, shared: 0 });
    const { documents, clock } = bench.engine;
    const places = new JobPlaces(documents, { shared: 0, limitsOf: () => ({ min: 1, max: 1 }) }, clock);
    const tasks = new JobTasks(bench.engine.tasks, { url: 'http://127.0.0.1:9/', audience: 'agent-host' });
    const claimsOf = (holder: string) => new JobClaims(documents, places, tasks, { holder, mayBeAlive: () => false }, clock);
    const job = await bench.begin({ kind: 'any' });
    const [old, young] = [claimsOf('old'), claimsOf('young')];
    const task = { tenantId: alice, jobId: job.jobId, slice: 1 };
    const first = await old.claim(task);
    const second = await young.claim(task);
    if (first.kind !== 'claimed' || second.kind !== 'claimed') throw new Error('both were to be claimed');
    const refusals = [
      old.renew(first.claim),
      old.fenced(first.claim, (transaction) => transaction.set(jobPaths.job(alice, job.jobId), {})),
      old.release(first.claim, (current) => current),
    ];
    const codes = (await Promise.allSettled(refusals)).map((one) => (one.status === 'rejected' ? codeOf(one.reason) : 'written'));
    expect(codes).toEqual(['stale_lease', 'stale_lease', 'stale_lease']);
    await young.renew(second.claim);
  });
});
