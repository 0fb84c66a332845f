import { hour, JobBench, minute, sequence, work } from './testing/job-bench.js';
import { afterEach, describe, expect, it } from '@jest/globals';

let bench: JobBench;
afterEach(() => bench.close());
const here = () => bench;

describe('a job', () => {
  it('runs its steps in order, each on record, and says its result once', async () => {
    bench = await JobBench.open({ kinds: [sequence('three', ['a', 'b', 'a'], { a: work(here, 0), b: work(here, 0) })] });
    const started = await bench.begin({ kind: 'three' });
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
    await bench.begin({ kind: 'long' });
    expect(await bench.ended()).toMatchObject({ state: 'succeeded', steps: 36 });
    expect(bench.engine.clock.now() - start).toBeGreaterThanOrEqual(3 * hour);
    expect(bench.world.repeated).toBe(0);
    expect(bench.results.filter(({ kind }) => kind === 'handed-over').length).toBeGreaterThanOrEqual(6);
    expect(bench.warnings).toEqual([]);
  });
});
