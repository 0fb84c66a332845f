import { alice, chat, hour, JobBench, minute, ScriptedKind } from './testing/job-bench.js';
import { afterEach, describe, expect, it } from '@jest/globals';

let bench: JobBench;
afterEach(() => bench.close());
const day = 24 * hour;

/** Waits once, as `decide` says, and ends with what it was told and when. */
function waiter(decide: (now: number) => ReturnType<ScriptedKind['next']>) {
  return new ScriptedKind('waiter', ({ steps, now }) =>
    steps.length ? { do: 'succeed', result: { told: steps[0]!.output ?? null, at: now } } : decide(now),
  );
}

describe('a job that waits', () => {
  it('for a time has nothing running meanwhile, and goes on then and never before', async () => {
    bench = await JobBench.open({ kinds: [waiter((now) => ({ do: 'wait', until: now + 3 * hour }))] });
    const start = bench.engine.clock.now();
    await bench.begin({ kind: 'waiter' });
    await bench.engine.until('it to wait', () => bench.results.length === 1, 0);
    const waiting = await bench.job();
    expect(waiting).toMatchObject({ state: 'waiting', waiting: { for: 'time', until: start + 3 * hour } });
    expect([waiting.lease, waiting.place, await bench.placesInUse()]).toEqual([undefined, undefined, 0]);
    await bench.due();
    expect(await bench.job()).toMatchObject({ result: { at: start + 3 * hour } });
    expect(bench.results).toEqual([{ kind: 'waiting' }, { kind: 'ended', state: 'succeeded' }]);
  });

  it('for longer than a task can lie ahead is bridged, and goes on at its time', async () => {
    bench = await JobBench.open({ kinds: [waiter((now) => ({ do: 'wait', until: now + 75 * day }))] });
    const start = bench.engine.clock.now();
    await bench.begin({ kind: 'waiter', allowedMs: 100 * day });
    await bench.engine.until('it to wait', () => bench.results.length === 1, 0);
    for (let bridges = 0; bridges < 3; bridges++) await bench.due();
    expect(await bench.job()).toMatchObject({ result: { at: start + 75 * day } });
    expect(bench.results.map(({ kind }) => kind)).toEqual(['waiting', 'waiting', 'waiting', 'ended']);
  });

  it('waits on when its task comes early, as after the clock was set back', async () => {
    bench = await JobBench.open({ kinds: [waiter((now) => ({ do: 'wait', until: now + hour }))] });
    const start = bench.engine.clock.now();
    const { jobId } = await bench.begin({ kind: 'waiter' });
    await bench.engine.until('it to wait', () => bench.results.length === 1, 0);
    expect(await bench.slice({ tenantId: alice, jobId, slice: 2 })).toEqual({ kind: 'waiting' });
    // Two tasks are due then: this one's and the one it made.
    bench.engine.clock.advance(hour - (bench.engine.clock.now() - start));
    await bench.engine.until('the end', async () => !(await bench.job()).open, 0);
    expect(await bench.job()).toMatchObject({ result: { at: start + hour } });
  });

  it('for a person asks once, and goes on with what it is told, once', async () => {
    bench = await JobBench.open({ kinds: [waiter(() => ({ do: 'ask', question: 'Which colour?' }))] });
    const { jobId } = await bench.begin({ kind: 'waiter', conversationId: chat });
    await bench.engine.until('the question', () => bench.outcomes.heard.size === 1, 0);
    expect([...bench.outcomes.heard]).toMatchObject([['job:j1:asks:0:1', { waiting: { question: 'Which colour?' } }]]);
    await bench.jobs.tell(alice, jobId, 'blue');
    await expect(bench.jobs.tell(alice, jobId, 'red')).rejects.toThrow('does not wait for a message');
    expect(await bench.ended()).toMatchObject({ result: { told: 'blue' } });
  });

  it('for a person not longer than it says', async () => {
    bench = await JobBench.open({ kinds: [waiter((now) => ({ do: 'ask', until: now + 5 * minute }))] });
    await bench.begin({ kind: 'waiter' });
    expect(await bench.ended()).toMatchObject({ result: { told: null } });
    expect(bench.outcomes.heard.size).toBe(1);
  });

  it('and whose question was cut short by a kill asks it after the next sweep', async () => {
    bench = await JobBench.open({ kinds: [waiter(() => ({ do: 'ask', question: 'Which colour?' }))] });
    bench.killAt((point) => point === 'after-job-before-task' && bench.results.length === 0 && bench.running > 0 && bench.kills === 0);
    await bench.begin({ kind: 'waiter', conversationId: chat });
    await bench.engine.until('the kill', () => bench.kills === 1, 0);
    expect(bench.outcomes.heard.size).toBe(0);
    bench.engine.clock.advance(minute);
    expect(await bench.platform.sweep.run()).toMatchObject({ unsettled: 1 });
    expect(bench.outcomes.heard.size).toBe(1);
    expect(await bench.job()).toMatchObject({ state: 'waiting', unsettled: false });
  });
});
