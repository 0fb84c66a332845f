import { alice, JobBench, minute, ScriptedKind, work } from './testing/job-bench.js';
import { afterEach, describe, expect, it } from '@jest/globals';
import { TerminalError, type JobId } from '@rockpool/contracts';
import fc from 'fast-check';
import type { BuilderResult, BuilderSpec, JobView, StepAction } from './job-kind.js';

let bench: JobBench;
afterEach(() => bench.close());
const here = () => bench;
const never = new Promise<never>(() => undefined);

/** Delegates once and ends with what came of it. */
function manager(builders: readonly BuilderSpec[]) {
  return new ScriptedKind('manager', ({ steps }: JobView) =>
    steps.length ? { do: 'succeed', result: steps[0]!.output ?? null } : { do: 'delegate', builders },
  );
}

const part = (key: string, more: Partial<BuilderSpec> = {}): BuilderSpec => ({
  key,
  kind: 'builder',
  title: `builds ${key}`,
  input: key,
  ...more,
});

/** Builds by `build`; what it throws for good fails the builder. */
function builder(build: StepAction) {
  return new ScriptedKind(
    'builder',
    ({ job, steps: [step] }) => {
      if (!step) return { do: 'act', action: 'build', input: { part: job.input, from: job.dependencies ?? null } as never };
      return step.state === 'succeeded' ? { do: 'succeed', result: step.output ?? null } : { do: 'fail', reason: step.error!.message };
    },
    { build },
  );
}

async function resultsOf(id = 'j1'): Promise<Record<string, BuilderResult>> {
  return (await bench.ended(id)).result as unknown as Record<string, BuilderResult>;
}

describe('builders', () => {
  it('are counted while their manager waits: people see how many are over', async () => {
    bench = await JobBench.open({ kinds: [manager([part('a'), part('b', { after: ['a'] })]), builder(work(here, 0))] });
    await bench.begin({ kind: 'manager' });
    await resultsOf();
    expect(bench.outcomes.shown.map(({ label, progress }) => [label, progress])).toEqual([
      ['1', { text: '1 of 2 parts are over', fraction: 0.5, at: expect.any(Number) }],
    ]);
  });

  it('work side by side, and wake their manager once with everything', async () => {
    let atOnce = 0;
    let most = 0;
    const all = Promise.withResolvers<void>();
    const build: StepAction = {
      repeat: 'safe',
      async run(input) {
        most = Math.max(most, ++atOnce);
        if (atOnce === 3) all.resolve();
        await all.promise;
        return (input as { part: string }).part.toUpperCase();
      },
    };
    bench = await JobBench.open({ kinds: [manager([part('a'), part('b'), part('c')]), builder(build)] });
    const job = await bench.begin({ kind: 'manager' });
    expect(await resultsOf()).toMatchObject({ a: { state: 'succeeded', result: 'A' }, b: { result: 'B' }, c: { result: 'C' } });
    expect(most).toBe(3);
    expect(bench.results.filter(({ kind }) => kind === 'waiting')).toHaveLength(1);
    expect((await bench.jobs.builders(alice, job.jobId)).map(({ label }) => label).sort()).toEqual(['1/a', '1/b', '1/c']);
    // Only the manager's end is told.
    expect(bench.outcomes.heard.size).toBe(1);
  });

  it('begin when what they wait for has succeeded, and are given its results', async () => {
    const order: unknown[] = [];
    const build = work(here, minute, 'safe', (_context, input) => (order.push(input), (input as { part: string }).part));
    const parts = [part('roof', { after: ['walls'] }), part('walls', { after: ['base'] }), part('base')];
    bench = await JobBench.open({ kinds: [manager(parts), builder(build)] });
    await bench.begin({ kind: 'manager' });
    expect(Object.keys(await resultsOf())).toEqual(['roof', 'walls', 'base']);
    expect(order).toEqual([
      { part: 'base', from: null },
      { part: 'walls', from: { base: 'base' } },
      { part: 'roof', from: { walls: 'walls' } },
    ]);
  });

  it('that fail are tried again and given to others, as declared, before they have failed', async () => {
    const given: unknown[] = [];
    const build: StepAction = {
      repeat: 'safe',
      async run(input) {
        const { part: model } = input as { part: string };
        given.push(model);
        if (model !== 'large') throw new TerminalError(`${model} cannot do it`);
        return 'built';
      },
    };
    const parts = [part('a', { input: 'small', alternatives: ['small', 'large'] }), part('b', { input: 'tiny' })];
    bench = await JobBench.open({ kinds: [manager(parts), builder(build)] });
    await bench.begin({ kind: 'manager' });
    expect(await resultsOf()).toMatchObject({
      a: { state: 'succeeded', result: 'built', attempts: 3 },
      b: { state: 'failed', reason: 'tiny cannot do it', attempts: 1 },
    });
    expect(given.filter((model) => model !== 'tiny')).toEqual(['small', 'small', 'large']);
  });

  it('whose dependency failed are not begun, and say why', async () => {
    const build: StepAction = { repeat: 'safe', run: () => Promise.reject(new TerminalError('no ground')) };
    const parts = [part('base'), part('walls', { after: ['base'] }), part('roof', { after: ['walls'] })];
    bench = await JobBench.open({ kinds: [manager(parts), builder(build)] });
    await bench.begin({ kind: 'manager' });
    expect(await resultsOf()).toMatchObject({
      base: { state: 'failed', reason: 'no ground' },
      walls: { state: 'cancelled', reason: 'it needs base, which failed' },
      roof: { state: 'cancelled', reason: 'it needs walls, which was cancelled' },
    });
  });

  it('one of which dies with its process are taken over, and nobody is left waiting', async () => {
    let deaths = 0;
    const build: StepAction = {
      repeat: 'safe',
      async run(input) {
        const { part: key } = input as { part: string };
        if (key === 'b' && deaths++ === 0) {
          bench.kill();
          return never;
        }
        return key;
      },
    };
    bench = await JobBench.open({ kinds: [manager([part('a'), part('b'), part('c', { after: ['b'] })]), builder(build)] });
    await bench.begin({ kind: 'manager' });
    expect(await resultsOf()).toMatchObject({ a: { result: 'a' }, b: { result: 'b' }, c: { result: 'c' } });
    expect(deaths).toBe(2);
  });

  it('are cancelled with their manager, whatever they are at', async () => {
    const begun = Promise.withResolvers<AbortSignal>();
    const build: StepAction = { repeat: 'safe', run: (_input, { signal }) => (begun.resolve(signal), never) };
    bench = await JobBench.open({ kinds: [manager([part('a'), part('b', { after: ['a'] })]), builder(build)] });
    const { jobId } = await bench.begin({ kind: 'manager' });
    const signal = await begun.promise;
    const stopped = new Promise((resolve) => signal.addEventListener('abort', resolve));
    await bench.engine.until('the manager to wait', async () => (await bench.job()).state === 'waiting', 0);
    await bench.jobs.cancel(alice, jobId, 'enough');
    await stopped;
    expect((await bench.jobs.builders(alice, jobId)).map(({ state, reason }) => [state, reason])).toEqual([
      ['cancelled', 'the job it was for was cancelled'],
      ['cancelled', 'the job it was for was cancelled'],
    ]);
  });

  it('use up the budget of their manager, an equal part each', async () => {
    const build: StepAction = { repeat: 'safe', run: async (_input, { spend, remaining }) => (spend({ tokens: 40 }), remaining as never) };
    bench = await JobBench.open({ kinds: [manager([part('a'), part('b', { budget: { tokens: 70 } })]), builder(build)] });
    await bench.begin({ kind: 'manager', budget: { tokens: 100 } });
    expect(await resultsOf()).toMatchObject({ a: { result: { tokens: 50 } }, b: { result: { tokens: 70 } } });
    expect((await bench.job()).spent).toMatchObject({ tokens: 80 });
  });

  it('that make more than their manager can read are read in part', async () => {
    const build = work(here, 0, 'safe', () => 'x'.repeat(250_000));
    bench = await JobBench.open({ kinds: [manager([part('a'), part('b')]), builder(build)] });
    await bench.begin({ kind: 'manager' });
    const { a, b } = await resultsOf();
    for (const result of [a!.result, b!.result]) {
      expect((result as string).length).toBeLessThan(120_000);
      expect(result).toMatch(/^x{1000}.*The rest is left out\.\]$/);
    }
  });

  it.each([
    ['none', []],
    ['twins', [part('a'), part('a')]],
    ['a stranger', [part('a', { after: ['z'] })]],
    ['a circle', [part('a', { after: ['b'] }), part('b', { after: ['a'] })]],
    ['a crowd', Array.from({ length: 51 }, (_, n) => part(`p${n}`))],
    ['a name that is none', [part('A b')]],
  ])('that could never end (%s) are refused, and fail their manager', async (_, parts) => {
    bench = await JobBench.open({ kinds: [manager(parts), builder(work(here, 0))] });
    await bench.begin({ kind: 'manager' });
    expect(await bench.ended()).toMatchObject({ state: 'failed', steps: 0 });
  });

  it('are not passed on without end', async () => {
    const endless = new ScriptedKind('manager', ({ steps: [step] }) =>
      step
        ? { do: 'succeed', result: (Object.values(step.output as never)[0] as BuilderResult).reason ?? null }
        : { do: 'delegate', builders: [part('again', { kind: 'manager' })] },
    );
    bench = await JobBench.open({ kinds: [endless] });
    await bench.begin({ kind: 'manager' });
    await bench.ended();
    const deepest = await bench.jobs.get(alice, 'j1.1.again.1.1.again.1.1.again.1' as JobId);
    expect(deepest).toMatchObject({ state: 'failed', reason: 'work is passed on 3 times at most' });
  });

  it('of any shape, with kills anywhere, all end, in an order that their dependencies allow', async () => {
    const shape = fc.array(fc.array(fc.nat({ max: 4 }), { maxLength: 2 }), { minLength: 2, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(
        shape,
        fc.array(fc.integer({ min: 1, max: 25 }), { maxLength: 3 }),
        fc.boolean(),
        async (needs, distances, noisy) => {
          const parts = needs.map((before, n) =>
            part(`p${n}`, { after: [...new Set(before.filter((other) => other < n).map((other) => `p${other}`))] }),
          );
          const done: string[] = [];
          const build: StepAction = { repeat: 'safe', run: async (input) => (done.push((input as { part: string }).part), null) };
          const few = { limits: { min: 1, max: 2 }, shared: 1 };
          bench = await JobBench.open({ kinds: [manager(parts), builder(build)], deadAreKnown: true, noisy, ...few });
          try {
            await bench.begin({ kind: 'manager' });
            let passed = 0;
            bench.killAt(() => bench.kills < distances.length && ++passed >= distances[bench.kills]! && ((passed = 0), true));
            const results = await resultsOf();
            expect(Object.values(results).map(({ state }) => state)).toEqual(parts.map(() => 'succeeded'));
            for (const { key, after } of parts) for (const before of after!) expect(done.indexOf(before)).toBeLessThan(done.indexOf(key));
            expect(bench.outcomes.heard.size).toBe(1);
            await bench.engine.until('all places to be free', async () => (await bench.placesInUse()) === 0);
          } finally {
            await bench.close();
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});
