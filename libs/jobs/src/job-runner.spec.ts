import { hour, JobBench, minute, sequence, work } from './testing/job-bench.js';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { CrashPoint } from '@rockpool/contracts';

let bench: JobBench;
afterEach(() => bench.close());
const here = () => bench;

describe('a job', () => {
  it('runs its steps in order, each on record, and says its result once', async () => {
    bench = await JobBench.open({ kinds: [sequence('three', ['a', 'b', 'a'], { a: work(here, 0), b: work(here, 0) })] });
    const started = await bench.start1({ kind: 'three' });
    expect(started).toMatchObject({ label: '1', state: 'queued', open: true });
    expect(await bench.ended()).toMatchObject({ state: 'succeeded', result: [1, 2, 3], steps: 3, unsettled: false });
    const steps = await bench.jobs.steps(started.tenantId, started.jobId);
    expect(steps.map(({ n, name, state, attempts }) => [n, name, state, attempts])).toEqual([
      [1, 'a', 'succeeded', 1],
      [2, 'b', 'succeeded', 1],
      [3, 'a', 'succeeded', 1],
    ]);
    expect([...bench.outcomes.heard.keys()]).toEqual(['job:j1:ended:0']);
    expect(bench.results).toEqual([{ kind: 'ended', state: 'succeeded' }]);
  });

  it('of three hours, under the thirty minutes of a request, is done in slices', async () => {
    const names = Array.from({ length: 36 }, () => 'think');
    bench = await JobBench.open({ kinds: [sequence('long', names, { think: work(here, 5 * minute) })] });
    const start = bench.engine.clock.now();
    await bench.start1({ kind: 'long' });
    expect(await bench.ended()).toMatchObject({ state: 'succeeded', steps: 36 });
    expect(bench.engine.clock.now() - start).toBeGreaterThanOrEqual(3 * hour);
    expect(bench.world.repeated).toBe(0);
    expect(bench.results.filter(({ kind }) => kind === 'handed-over').length).toBeGreaterThanOrEqual(6);
    expect(bench.warnings).toEqual([]);
  });

  it('of three hours survives ten kills: a step repeated for each at most, and no effect doubled', async () => {
    const names = Array.from({ length: 36 }, (_, n) => (n % 2 ? 'send' : 'think'));
    bench = await JobBench.open({
      kinds: [
        sequence('long', names, {
          think: work(here, 5 * minute),
          send: work(here, 5 * minute, 'keyed', (context) => (bench.world.once(context), null)),
        }),
      ],
    });
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
    await bench.start1({ kind: 'long' });
    const job = await bench.ended();
    expect(job).toMatchObject({ state: 'succeeded', steps: 36 });
    expect(bench.kills).toBe(10);
    expect(bench.world.repeated).toBeLessThanOrEqual(10);
    expect(bench.world.keyed.size).toBe(18);
    expect(bench.outcomes.heard.size).toBe(1);
  });
});
