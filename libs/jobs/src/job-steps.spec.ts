import { alice, chat, JobBench, minute, ScriptedKind, sequence, work } from './testing/job-bench.js';
import { atCrashPoints } from './testing/crashes.js';
import { afterEach, describe, expect, it } from '@jest/globals';
import { InvalidInput, OutcomeUnknown, RetryLater, TerminalError } from '@rockpool/contracts';
import type { JobView, StepAction, StepContext } from './job-kind.js';

let bench: JobBench;
afterEach(() => bench.close());
const here = () => bench;
const never = new Promise<never>(() => undefined);

/** One action, whose failure fails the job. */
function once(action: StepAction, rules?: (view: JobView) => ReturnType<ScriptedKind['next']> | undefined) {
  return new ScriptedKind(
    'once',
    (view) => {
      const [step] = view.steps;
      if (!step) return { do: 'act', action: 'it', input: null };
      return (
        rules?.(view) ??
        (step.state === 'succeeded'
          ? { do: 'succeed', result: step.output ?? null }
          : { do: 'fail', reason: `${step.error!.code}: ${step.error!.message}` })
      );
    },
    { it: action },
  );
}

describe('a step that fails', () => {
  it('is tried again with growing pauses and one key, and its job succeeds', async () => {
    const tries: { at: number; key: string }[] = [];
    const action: StepAction = {
      repeat: 'keyed',
      async run(_input, { attempt, idempotencyKey }) {
        tries.push({ at: bench.engine.clock.now(), key: idempotencyKey });
        if (attempt < 4) throw new Error('not yet');
        return 'done';
      },
    };
    bench = await JobBench.open({ kinds: [once(action)] });
    await bench.begin({ kind: 'once' });
    expect(await bench.ended('j1', 500)).toMatchObject({ state: 'succeeded', result: 'done' });
    expect(new Set(tries.map(({ key }) => key))).toEqual(new Set(['alice/j1#1']));
    const pauses = tries.slice(1).map(({ at }, index) => at - tries[index]!.at);
    for (const [index, pause] of pauses.entries()) expect(pause).toBeGreaterThanOrEqual(1_000 * 2 ** index);
  });

  it('waits as long as it is asked to without anything running', async () => {
    const action: StepAction = {
      repeat: 'safe',
      async run(_input, { attempt }) {
        if (attempt === 1) throw new RetryLater(10 * minute, 'the other side rests');
        return bench.engine.clock.now();
      },
    };
    bench = await JobBench.open({ kinds: [once(action)] });
    const start = bench.engine.clock.now();
    await bench.begin({ kind: 'once' });
    await bench.engine.until('it to wait', () => bench.results.length === 1, 0);
    expect(await bench.job()).toMatchObject({ state: 'waiting', waiting: { for: 'retry', until: start + 10 * minute } });
    expect(await bench.placesInUse()).toBe(0);
    const job = await bench.ended();
    expect(job.result as number).toBeGreaterThanOrEqual(start + 10 * minute);
  });

  it('for good is seen as failed by its job, at once when it can never succeed and else after its last try', async () => {
    const terminal = once({ repeat: 'safe', run: () => Promise.reject(new TerminalError('no such thing')) });
    bench = await JobBench.open({ kinds: [terminal] });
    await bench.begin({ kind: 'once' });
    expect(await bench.ended()).toMatchObject({ state: 'failed', reason: 'terminal: no such thing' });
    expect(await bench.steps()).toMatchObject([{ attempts: 1, state: 'failed' }]);
    await bench.close();

    bench = await JobBench.open({ kinds: [once({ repeat: 'safe', maxAttempts: 3, run: () => Promise.reject(new Error('down')) })] });
    await bench.begin({ kind: 'once' });
    expect(await bench.ended()).toMatchObject({ state: 'failed', reason: 'internal: down' });
    expect(await bench.steps()).toMatchObject([{ attempts: 3, state: 'failed' }]);
  });

  it('by taking too long is told to stop, whether or not it listens', async () => {
    const signals: AbortSignal[] = [];
    const action: StepAction = {
      repeat: 'safe',
      timeoutMs: minute,
      maxAttempts: 2,
      run: (_input, { signal }) => (signals.push(signal), never),
    };
    bench = await JobBench.open({ kinds: [once(action)] });
    await bench.begin({ kind: 'once' });
    await bench.engine.until('both tries to be over', async () => !(await bench.job()).open);
    expect(await bench.job()).toMatchObject({ state: 'failed', reason: 'internal: it took longer than 60 s' });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });

  it('by making too much is a step that failed', async () => {
    bench = await JobBench.open({ kinds: [once({ repeat: 'safe', run: async () => 'x'.repeat(600_000) })] });
    await bench.begin({ kind: 'once' });
    expect((await bench.ended()).reason).toMatch(/^too_large: /);
  });

  it('by asking for too much, or for a time that is none, fails its job', async () => {
    const large = new ScriptedKind('large', () => ({ do: 'act', action: 'it', input: 'ü'.repeat(200_000) }));
    const timeless = new ScriptedKind('timeless', () => ({ do: 'wait', until: NaN }));
    const wordy = new ScriptedKind('wordy', () => ({ do: 'succeed', result: 'x'.repeat(300_000) }));
    bench = await JobBench.open({ kinds: [large, timeless, wordy] });
    for (const kind of ['large', 'timeless', 'wordy']) await bench.begin({ kind }, kind);
    expect(await bench.ended('large')).toMatchObject({ reason: 'the input of it has 400002 bytes; at most 300000 are kept' });
    expect(await bench.ended('timeless')).toMatchObject({ reason: 'the time to wait for is not a time' });
    expect(await bench.ended('wordy')).toMatchObject({ reason: 'the result has 300002 bytes; at most 300000 are kept' });
  });

  it('by not existing is a step that failed', async () => {
    const kind = new ScriptedKind('once', ({ steps }) =>
      steps[0] ? { do: 'fail', reason: steps[0].error!.code } : { do: 'act', action: 'nothing', input: null },
    );
    bench = await JobBench.open({ kinds: [kind] });
    await bench.begin({ kind: 'once' });
    expect(await bench.ended()).toMatchObject({ state: 'failed', reason: 'not_found' });
  });
});

describe('a step that must not be repeated', () => {
  const sent: string[] = [];
  const mail = (send: (context: StepContext) => Promise<string>): StepAction => ({
    repeat: 'ask',
    run: (_input, context) => send(context),
  });

  it('and may have been done is asked about in the conversation, once, and done again only on a word', async () => {
    sent.length = 0;
    const kind = once(
      mail(async ({ attempt, idempotencyKey }) => {
        sent.push(idempotencyKey);
        if (attempt === 1) throw new OutcomeUnknown('no answer came');
        return 'sent';
      }),
    );
    bench = await JobBench.open({ kinds: [kind] });
    const job = await bench.begin({ kind: 'once', conversationId: chat });
    await bench.engine.until('the question', () => bench.outcomes.heard.size > 0);
    const question = 'Step 1 (it) may or may not have been done: no answer came.';
    expect([...bench.outcomes.heard]).toMatchObject([['job:j1:asks:0:1', { waiting: { for: 'decision', question } }]]);
    expect(sent).toHaveLength(1);
    await bench.jobs.decide(alice, job.jobId, { kind: 'repeat' });
    expect(await bench.ended()).toMatchObject({ state: 'succeeded', result: 'sent' });
    expect(sent).toEqual(['alice/j1#1', 'alice/j1#1']);
  });

  it('goes on without it when it was done', async () => {
    bench = await JobBench.open({ kinds: [once(mail(() => Promise.reject(new Error('the connection broke'))))] });
    const job = await bench.begin({ kind: 'once', conversationId: chat });
    await bench.engine.until('the question', () => bench.outcomes.heard.size > 0);
    await bench.jobs.decide(alice, job.jobId, { kind: 'done', output: 'I saw it' });
    expect(await bench.ended()).toMatchObject({ state: 'succeeded', result: 'I saw it' });
    await expect(bench.jobs.decide(alice, job.jobId, { kind: 'repeat' })).rejects.toThrow('does not wait for a decision');
  });

  it('and was cut short by a kill is not done again by the next process', async () => {
    let begun = 0;
    const kind = once(mail(() => (begun++, bench.kill(), never)));
    bench = await JobBench.open({ kinds: [kind], deadAreKnown: true });
    await bench.begin({ kind: 'once' });
    expect(await bench.ended()).toMatchObject({ state: 'failed', reason: 'outcome_unknown: the process died while it was being done' });
    expect(begun).toBe(1);
  });

  it('is given a moment to be done when the process ends', async () => {
    const reached = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<string>();
    bench = await JobBench.open({ kinds: [once(mail(() => (reached.resolve(), finish.promise)))] });
    await bench.begin({ kind: 'once', conversationId: chat });
    await reached.promise;
    bench.shutdown[0]!.abort(new Error('shutting down'));
    finish.resolve('sent');
    await bench.engine.until('it to be given back', () => bench.results.length === 1, 0);
    expect(bench.results).toEqual([{ kind: 'given-back' }]);
    expect(await bench.steps()).toMatchObject([{ state: 'succeeded', output: 'sent' }]);
  });

  it('but was refused, or put off, was not done: nobody is asked', async () => {
    const kind = once(
      mail(async ({ attempt }) => {
        if (attempt === 1) throw new RetryLater(1_000, 'too fast');
        throw new InvalidInput('no such address');
      }),
    );
    bench = await JobBench.open({ kinds: [kind] });
    await bench.begin({ kind: 'once', conversationId: chat });
    expect(await bench.ended()).toMatchObject({ state: 'failed', reason: 'invalid: no such address' });
    expect(await bench.steps()).toMatchObject([{ attempts: 2 }]);
  });
});

describe('a job', () => {
  it('that is cancelled in the middle of a step ends at once, tells the step to stop, and hears no more of it', async () => {
    const reached = Promise.withResolvers<AbortSignal>();
    const finish = Promise.withResolvers<string>();
    const action: StepAction = { repeat: 'safe', run: (_input, { signal }) => (reached.resolve(signal), finish.promise) };
    bench = await JobBench.open({ kinds: [once(action)] });
    const job = await bench.begin({ kind: 'once' });
    const signal = await reached.promise;
    const told = new Promise((resolve) => signal.addEventListener('abort', resolve));
    expect(await bench.jobs.cancel(alice, job.jobId, 'no longer needed')).toMatchObject({ state: 'cancelled', reason: 'no longer needed' });
    await told;
    finish.resolve('too late');
    await bench.engine.until('the slice to end', () => bench.results.length === 1);
    expect(bench.results).toEqual([{ kind: 'superseded' }]);
    expect(await bench.job()).toMatchObject({ state: 'cancelled', unsettled: false });
    expect(await bench.steps()).toMatchObject([{ state: 'cancelled', error: { code: 'outcome_unknown' } }]);
    expect(await bench.placesInUse()).toBe(0);
    expect(bench.outcomes.heard.size).toBe(1);
    expect(await bench.jobs.cancel(alice, job.jobId, 'again')).toMatchObject({ reason: 'no longer needed' });
  });

  it('that is cancelled by who is told anyway says nothing', async () => {
    bench = await JobBench.open({ kinds: [once(work(here, 0))] });
    const job = await bench.begin({ kind: 'once' });
    await bench.jobs.cancel(alice, job.jobId, 'on request', { quiet: true });
    expect(bench.outcomes.heard.size).toBe(0);
  });

  it('that is not done by its deadline fails, also while it waits', async () => {
    const kind = new ScriptedKind('patient', ({ steps }) => (steps.length ? { do: 'succeed', result: null } : { do: 'ask' }));
    bench = await JobBench.open({ kinds: [kind] });
    await bench.begin({ kind: 'patient', allowedMs: 3 * minute });
    expect(await bench.ended()).toMatchObject({ state: 'failed', reason: 'it was not done by its deadline' });
    expect((await bench.steps()).at(-1)).toMatchObject({ state: 'cancelled' });
  });

  it('that has used up its tokens, its money or its steps fails before the next step', async () => {
    const spending: StepAction = {
      repeat: 'safe',
      async run(_input, { spend, attempt, remaining }) {
        spend({ tokens: 60, costUsd: 0.2 });
        if (attempt === 1) throw new Error('once more');
        return remaining as never;
      },
    };
    const kind = sequence('spender', ['it', 'it', 'it'], { it: spending });
    bench = await JobBench.open({ kinds: [kind] });
    await bench.begin({ kind: 'spender', budget: { tokens: 100 } }, 'tokens');
    await bench.begin({ kind: 'spender', budget: { costUsd: 0.5 } }, 'money');
    await bench.begin({ kind: 'spender', budget: { steps: 2, tokens: 1_000 } }, 'steps');
    expect(await bench.ended('tokens')).toMatchObject({ reason: 'its budget of 100 tokens is used up', spent: { tokens: 120, steps: 1 } });
    expect(await bench.ended('money')).toMatchObject({ reason: 'its budget of $0.5 is used up', steps: 2 });
    expect(await bench.ended('steps')).toMatchObject({ reason: 'it took all of its 2 steps', spent: { tokens: 240 } });
    expect((await bench.steps('steps')).map(({ output }) => output)).toEqual([
      { steps: 1, tokens: 940 },
      { steps: 0, tokens: 820 },
    ]);
  });

  it('goes on where it failed when somebody has it tried again, with its key and its result told anew', async () => {
    let healthy = false;
    const action: StepAction = {
      repeat: 'keyed',
      async run(_input, context) {
        if (!healthy) throw new TerminalError('the key is revoked');
        bench.world.once(context);
        return 'done';
      },
    };
    bench = await JobBench.open({ kinds: [once(action)] });
    const job = await bench.begin({ kind: 'once' });
    expect(await bench.ended()).toMatchObject({ state: 'failed' });
    healthy = true;
    await bench.jobs.retry(alice, job.jobId);
    expect(await bench.ended()).toMatchObject({ state: 'succeeded', result: 'done', retries: 1 });
    expect([...bench.world.keyed.keys()]).toEqual(['alice/j1#1']);
    expect([...bench.outcomes.heard.keys()]).toEqual(['job:j1:ended:0', 'job:j1:ended:1']);
    await expect(bench.jobs.retry(alice, job.jobId)).rejects.toThrow('job 1 is succeeded');
  });

  it('whose rules fail is tried a few times, and fails', async () => {
    const kind = new ScriptedKind('broken', () => {
      throw new Error('a bug');
    });
    bench = await JobBench.open({ kinds: [kind] });
    await bench.begin({ kind: 'broken' });
    await bench.begin({ kind: 'unheard of' }, 'j2');
    expect(await bench.ended()).toMatchObject({ state: 'failed', reason: 'it could not go on: a bug' });
    expect(await bench.ended('j2')).toMatchObject({ reason: 'it could not go on: there is no kind of job unheard of here' });
    expect(bench.warnings.filter((warning) => warning.includes('a bug'))).toHaveLength(5);
  });

  it('is given back when its process ends, without a try being counted, and goes on in the next', async () => {
    const reached = Promise.withResolvers<void>();
    const action: StepAction = {
      repeat: 'safe',
      async run(_input, { signal }) {
        if (signal.aborted || bench.results.length > 0) return 'done';
        reached.resolve();
        return never;
      },
    };
    bench = await JobBench.open({ kinds: [once(action)] });
    await bench.begin({ kind: 'once' });
    await reached.promise;
    bench.shutdown[0]!.abort(new Error('shutting down'));
    await bench.engine.until('it to be given back', () => bench.results.length === 1, 0);
    expect(bench.results).toEqual([{ kind: 'given-back' }]);
    const given = await bench.job();
    expect([given.lease, given.place, given.slice]).toEqual([undefined, undefined, 1]);
    bench.start();
    expect(await bench.ended()).toMatchObject({ state: 'succeeded' });
    expect(await bench.steps()).toMatchObject([{ attempts: 1 }]);
  });

  it('is given back also when its process ends between a step and its record', async () => {
    const signals: boolean[] = [];
    const action: StepAction = {
      repeat: 'safe',
      run: (_input, { signal }) => (signals.push(signal.aborted), signals.length > 1 ? Promise.resolve(1) : never),
    };
    bench = await JobBench.open({ kinds: [once(action)] });
    atCrashPoints(
      (point) => point === 'after-step-record' && bench.shutdown.length === 1 && bench.shutdown[0]!.abort(new Error('shutting down')),
    );
    await bench.begin({ kind: 'once' });
    await bench.engine.until('it to be given back', () => bench.results.length === 1, 0);
    bench.start();
    expect(await bench.ended()).toMatchObject({ state: 'succeeded' });
    expect(signals).toEqual([true, false]);
  });

  it('can be watched', async () => {
    const gate = Promise.withResolvers<null>();
    bench = await JobBench.open({
      kinds: [once({ repeat: 'safe', run: (_input, { progress }) => (progress('half', 0.5), gate.promise) })],
    });
    const { jobId } = await bench.begin({ kind: 'once' });
    const seen: string[] = [];
    const stop = await bench.jobs.watch(alice, jobId, ({ state, progress }) => seen.push(`${state} ${progress?.text ?? ''}`));
    await bench.engine.until('the progress', () => seen.includes('running half'));
    gate.resolve(null);
    await bench.engine.until('the end', () => seen.includes('succeeded half'));
    stop();
  });

  it('keeps its lease through a step that is longer than it, and remembers the newest progress', async () => {
    const action: StepAction = {
      repeat: 'safe',
      timeoutMs: 20 * minute,
      async run(_input, { progress }) {
        for (let percent = 0; percent <= 100; percent += 10) {
          progress(`${percent} %`, percent / 100);
          await bench.engine.elapse(minute);
        }
        return null;
      },
    };
    bench = await JobBench.open({ kinds: [once(action)] });
    await bench.begin({ kind: 'once' });
    expect(await bench.ended()).toMatchObject({ state: 'succeeded', progress: { text: '100 %', fraction: 1 } });
    expect(bench.warnings).toEqual([]);
    expect(bench.results).toEqual([{ kind: 'ended', state: 'succeeded' }]);
  });
});
