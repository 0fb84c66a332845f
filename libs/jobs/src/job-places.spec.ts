import { alice, JobBench, minute, ScriptedKind, sequence, work } from './testing/job-bench.js';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { JobId, TenantId } from '@rockpool/contracts';
import type { StepAction } from './job-kind.js';

let bench: JobBench;
afterEach(() => bench.close());
const here = () => bench;
const bob = 'bob' as TenantId;

/** Jobs that wait to be let go, and what ran at once. */
class Crowd {
  readonly begun: string[] = [];
  readonly atOnce = new Map<TenantId, number>();
  most = 0;
  readonly #gates = new Map<string, () => void>();

  readonly action: StepAction = {
    repeat: 'safe',
    run: async (_input, { jobId, tenantId }) => {
      this.begun.push(jobId);
      this.atOnce.set(tenantId, (this.atOnce.get(tenantId) ?? 0) + 1);
      this.most = Math.max(
        this.most,
        [...this.atOnce.values()].reduce((sum, count) => sum + count, 0),
      );
      await new Promise<void>((resolve) => this.#gates.set(jobId, resolve));
      this.atOnce.set(tenantId, this.atOnce.get(tenantId)! - 1);
      return null;
    },
  };
  letGo(id: string): void {
    this.#gates.get(id)!();
  }
}

const quiet = (count: number, crowd: Crowd) => bench.engine.until(`${count} to have begun`, () => crowd.begun.length >= count, 0);
const start = (id: string, tenantId = alice, more: object = {}) =>
  bench.jobs.start(tenantId, { jobId: id as JobId, kind: 'one', title: id, input: null, ...more });
const parked = (id: string, tenantId = alice) =>
  bench.engine.until(`${id} to be in line`, async () => (await bench.jobs.get(tenantId, id as JobId)).line !== undefined, 0);

describe('a tenant', () => {
  it('has so many jobs running at once, and the next in line begins when one ends', async () => {
    const crowd = new Crowd();
    bench = await JobBench.open({ kinds: [sequence('one', ['it'], { it: crowd.action })], limits: { min: 2, max: 2 } });
    for (const id of ['a', 'b']) await start(id);
    await quiet(2, crowd);
    for (const id of ['c', 'd']) {
      await start(id);
      await parked(id);
    }
    expect(crowd.begun).toHaveLength(2);
    crowd.letGo('a');
    await quiet(3, crowd);
    expect(crowd.begun[2]).toBe('c');
    crowd.letGo('b');
    await quiet(4, crowd);
    expect(crowd.most).toBe(2);
    crowd.letGo('c');
    crowd.letGo('d');
    for (const id of ['a', 'b', 'c', 'd']) expect(await bench.ended(id)).toMatchObject({ state: 'succeeded' });
    expect(await bench.placesInUse()).toBe(0);
  });

  it('has its high jobs begin before others that wait for longer', async () => {
    const crowd = new Crowd();
    bench = await JobBench.open({ kinds: [sequence('one', ['it'], { it: crowd.action })], limits: { min: 1, max: 1 } });
    await start('first');
    await quiet(1, crowd);
    for (const [id, priority] of [
      ['low', 'low'],
      ['normal', 'normal'],
      ['high', 'high'],
    ]) {
      await start(id!, alice, { priority });
      await parked(id!);
    }
    for (const id of ['first', 'high', 'normal', 'low']) {
      await bench.engine.until(`${id} to begin`, () => crowd.begun.includes(id), 0);
      crowd.letGo(id);
    }
    expect(crowd.begun).toEqual(['first', 'high', 'normal', 'low']);
    for (const id of crowd.begun) await bench.ended(id);
  });

  it('with a crowd of jobs leaves others theirs, and shares what is beyond by turns', async () => {
    const crowd = new Crowd();
    bench = await JobBench.open({ kinds: [sequence('one', ['it'], { it: crowd.action })], limits: { min: 1, max: 4 }, shared: 2 });
    const [as, bs] = [Array.from({ length: 5 }, (_, n) => `a${n}`), Array.from({ length: 3 }, (_, n) => `b${n}`)];
    for (const id of as.slice(0, 3)) await start(id);
    await quiet(3, crowd);
    for (const id of as.slice(3)) {
      await start(id);
      await parked(id);
    }
    await start('b0', bob);
    await quiet(4, crowd);
    expect(crowd.begun[3]).toBe('b0');
    for (const id of bs.slice(1)) {
      await start(id, bob);
      await parked(id, bob);
    }
    const sharing = (await Promise.all(as.slice(0, 3).map((id) => bench.jobs.get(alice, id as JobId)))).find(
      ({ place }) => place?.shared !== undefined,
    )!;
    crowd.letGo(sharing.jobId);
    await quiet(5, crowd);
    // Two of alice's have waited for longer, but the shared place was hers before.
    expect(crowd.begun[4]).toBe('b1');
    expect(crowd.most).toBe(4);
  });

  it('gets back the place of a job that died with its process', async () => {
    const crowd = new Crowd();
    bench = await JobBench.open({
      kinds: [sequence('one', ['it'], { it: crowd.action }), sequence('quick', ['it'], { it: work(here, 0) })],
      limits: { min: 1, max: 1 },
    });
    await start('a');
    await quiet(1, crowd);
    bench.kill();
    await bench.begin({ kind: 'quick' }, 'b');
    await parked('b');
    await bench.jobs.cancel(alice, 'a' as JobId, 'never mind');
    expect(await bench.ended('b')).toMatchObject({ state: 'succeeded' });
  });

  it('has its line moved on by the sweep when a crash took the one who should have', async () => {
    bench = await JobBench.open({
      kinds: [sequence('two', ['it', 'it'], { it: work(here, minute) })],
      limits: { min: 1, max: 1 },
      deadAreKnown: true,
    });
    bench.killAt((point) => point === 'after-job-before-task' && bench.kills === 0 && bench.running > 0);
    await bench.begin({ kind: 'two' }, 'a');
    await bench.begin({ kind: 'two' }, 'b');
    expect(await bench.ended('a')).toMatchObject({ state: 'succeeded' });
    expect(await bench.ended('b')).toMatchObject({ state: 'succeeded' });
    expect(bench.kills).toBe(1);
  });

  it('has many jobs that wait, for what a document costs', async () => {
    const kind = new ScriptedKind('sleeper', ({ steps, now }) =>
      steps.length ? { do: 'succeed', result: null } : { do: 'wait', until: now + 10 * minute },
    );
    bench = await JobBench.open({ kinds: [kind], limits: { min: 4, max: 4 } });
    const ids = Array.from({ length: 60 }, (_, n) => `s${n}`);
    const labels = await Promise.all(ids.map(async (id) => (await bench.begin({ kind: 'sleeper' }, id)).label));
    expect(new Set(labels).size).toBe(60);
    const waiting = async () => (await bench.jobs.list({ tenantId: alice, state: 'waiting', limit: 1000 })).items;
    await bench.engine.until('all to wait', async () => (await waiting()).length === 60, 2_000);
    expect((await waiting()).every(({ lease, place }) => !lease && !place)).toBe(true);
    await bench.engine.until('nothing to run', () => bench.running === 0, 0);
    expect(await bench.placesInUse()).toBe(0);
    for (const id of ids) await bench.ended(id, 30_000);
  });
});
