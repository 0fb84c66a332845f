import { alice, JobBench, ScriptedKind } from './testing/job-bench.js';
import { afterEach, describe, expect, it } from '@jest/globals';
import { TerminalError, type JobId } from '@rockpool/contracts';
import type { BuilderResult, BuilderSpec, StepAction } from './job-kind.js';

// Found by the property in builders.spec: the manager dies among the builders that it makes, and what a later one waits for is over before that one is made.
const parts: readonly BuilderSpec[] = [[], [], [], ['p0', 'p2'], ['p0', 'p3']].map((after, n) => ({
  key: `p${n}`,
  kind: 'builder',
  title: `builds p${n}`,
  input: `p${n}`,
  ...(after.length > 0 && { after }),
}));
/** Crash points from one kill to the next. */
const distances = [12, 4, 2];

describe('a builder that is made when what it waits for is over', () => {
  let bench: JobBench;
  afterEach(() => bench.close());

  async function resultsWhen(build: StepAction): Promise<Record<string, BuilderResult>> {
    const manager = new ScriptedKind('manager', ({ steps }) =>
      steps.length > 0 ? { do: 'succeed', result: steps[0]!.output ?? null } : { do: 'delegate', builders: parts },
    );
    const builder = new ScriptedKind(
      'builder',
      ({ job, steps: [step] }) => {
        if (!step) return { do: 'act', action: 'build', input: job.input };
        return step.state === 'succeeded' ? { do: 'succeed', result: step.output ?? null } : { do: 'fail', reason: step.error!.message };
      },
      { build },
    );
    bench = await JobBench.open({ kinds: [manager, builder], deadAreKnown: true, noisy: true, limits: { min: 1, max: 2 }, shared: 1 });
    await bench.begin({ kind: 'manager' });
    let passed = 0;
    bench.killAt(() => bench.kills < distances.length && ++passed >= distances[bench.kills]! && ((passed = 0), true));
    const { result } = await bench.ended();
    expect(bench.kills).toBe(distances.length);
    return result as unknown as Record<string, BuilderResult>;
  }

  it('begins', async () => {
    const results = await resultsWhen({ repeat: 'safe', run: async (input) => input });
    expect(Object.values(results).map(({ state }) => state)).toEqual(parts.map(() => 'succeeded'));
    expect((await bench.jobs.get(alice, 'j1.1.p4.1' as JobId)).dependencies).toEqual({ p0: 'p0', p3: 'p3' });
  });

  it('is ended, with the reason, when some of it failed', async () => {
    const results = await resultsWhen({
      repeat: 'safe',
      run: async (input) => {
        if (input === 'p3') throw new TerminalError('no such part', { code: 'invalid' });
        return input;
      },
    });
    expect(results['p3']).toMatchObject({ state: 'failed' });
    expect(results['p4']).toMatchObject({ state: 'cancelled', reason: 'it needs p3, which failed' });
  });
});
