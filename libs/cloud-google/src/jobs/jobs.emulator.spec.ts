import { alice, GoogleJobs, hour, minute, ScriptedKind } from './testing/google-jobs.fixture.js';
import { afterEach, expect, it } from '@jest/globals';
import { jobIndexes, type BuilderResult, type StepAction, type StepContext } from '@rockpool/jobs';
import { describeOnFirestore } from '../firestore/testing/firestore-emulator.fixture.js';

describeOnFirestore('jobs on Firestore and Cloud Tasks, whose tasks come twice and in any order', (open) => {
  let jobs: GoogleJobs;
  afterEach(() => jobs.close());

  /** How often each step was begun, and the keys under which something was done outside. */
  let begun: Map<string, number>;
  let keys: Map<string, number>;

  async function start(...kinds: ScriptedKind[]): Promise<void> {
    begun = new Map();
    keys = new Map();
    jobs = await GoogleJobs.open(open(jobIndexes).documents, kinds);
  }

  const begin = ({ jobId, step }: StepContext) => begun.set(`${jobId}#${step}`, (begun.get(`${jobId}#${step}`) ?? 0) + 1);
  const repeated = () => [...begun.values()].reduce((sum, times) => sum + times - 1, 0);

  function working(milliseconds: number, repeat: StepAction['repeat']): StepAction {
    return {
      repeat,
      timeoutMs: 8 * minute,
      async run(input, context) {
        begin(context);
        await jobs.elapse(milliseconds);
        if (repeat === 'keyed') keys.set(context.idempotencyKey, (keys.get(context.idempotencyKey) ?? 0) + 1);
        return input;
      },
    };
  }

  /** Thinks and sends by turns, so many steps of so long. */
  const long = (steps: number, stepMs: number) =>
    new ScriptedKind(
      'long',
      ({ steps: taken }) =>
        taken.length < steps
          ? { do: 'act', action: taken.length % 2 ? 'send' : 'think', input: taken.length }
          : { do: 'succeed', result: 'done' },
      { think: working(stepMs, 'safe'), send: working(stepMs, 'keyed') },
    );

  it('of three hours end once, over ten kills, with a repeated step for each at most and no slice longer than a request may be', async () => {
    await start(long(36, 5 * minute));
    const kills = [
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
    let passed = 0;
    // At every second time that the point is passed; the first and the last are passed once.
    jobs.killAt((point) => point === kills[jobs.kills] && (++passed % 2 === 0 || jobs.kills === 0 || jobs.kills === 9));
    const began = jobs.clock.now();
    await jobs.begin({ kind: 'long' });
    expect(await jobs.ended()).toMatchObject({ state: 'succeeded', steps: 36, result: 'done' });
    await jobs.quiet();
    expect(jobs.kills).toBe(10);
    expect(jobs.clock.now() - began).toBeGreaterThanOrEqual(3 * hour);
    expect(repeated()).toBeLessThanOrEqual(10);
    expect(keys.size).toBe(18);
    expect([...jobs.heard.ends]).toEqual(['job:j1:ended:0']);
    // Cloud Tasks cuts off what takes thirty minutes.
    expect(Math.max(...jobs.sliceMs)).toBeLessThan(30 * minute);
    expect(jobs.results.filter(({ kind }) => kind === 'handed-over').length).toBeGreaterThanOrEqual(3);
  }, 240_000);

  it('are worked on once, however often their tasks come', async () => {
    await start(long(8, minute));
    await jobs.begin({ kind: 'long' });
    // Asked for again, it is the same job, and its task has a name.
    await jobs.begin({ kind: 'long' });
    expect(await jobs.ended()).toMatchObject({ state: 'succeeded', steps: 8, label: '1' });
    await jobs.quiet();
    expect(repeated()).toBe(0);
    expect(jobs.results.filter(({ kind }) => kind === 'ended')).toHaveLength(1);
  });

  it('wait longer than a task may lie ahead, and never go on before their time', async () => {
    const until = Date.parse('2030-04-20T12:00:00Z');
    await start(
      new ScriptedKind('patient', ({ steps, now }) => (steps.length === 0 ? { do: 'wait', until } : { do: 'succeed', result: now })),
    );
    await jobs.begin({ kind: 'patient', allowedMs: 100 * 24 * hour });
    const { result } = await jobs.ended('j1', 6 * hour);
    expect(result).toBeGreaterThanOrEqual(until);
    // The wait was let go of twice: for a task at 29 days, and for the one of the rest.
    expect(jobs.results.filter(({ kind }) => kind === 'waiting').length).toBeGreaterThanOrEqual(2);
  });

  it('have their builders’ results once, also of one that died', async () => {
    let deaths = 0;
    const build: StepAction = {
      repeat: 'safe',
      async run(input, context) {
        begin(context);
        if (context.jobId.includes('.b.') && deaths++ === 0) {
          jobs.kill();
          return new Promise<never>(() => undefined);
        }
        return input;
      },
    };
    await start(
      new ScriptedKind('manager', ({ steps: [step] }) =>
        step
          ? { do: 'succeed', result: step.output ?? null }
          : { do: 'delegate', builders: ['a', 'b', 'c'].map((key) => ({ key, kind: 'builder', title: key, input: key })) },
      ),
      new ScriptedKind(
        'builder',
        ({ job, steps: [step] }) =>
          step ? { do: 'succeed', result: step.output ?? null } : { do: 'act', action: 'build', input: job.input },
        { build },
      ),
    );
    await jobs.begin({ kind: 'manager' });
    const results = (await jobs.ended()).result as unknown as Record<string, BuilderResult>;
    await jobs.quiet();
    expect(Object.values(results).map(({ state, result }) => [state, result])).toEqual([
      ['succeeded', 'a'],
      ['succeeded', 'b'],
      ['succeeded', 'c'],
    ]);
    expect([jobs.kills, deaths]).toEqual([1, 2]);
    expect(repeated()).toBeLessThanOrEqual(3);
    expect(jobs.heard.ends.size).toBe(1);
    expect((await jobs.job()).tenantId).toBe(alice);
  });
});
