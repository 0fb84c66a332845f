import type { TenantId } from '@rockpool/contracts';
import { alice, cron, day, minute, ScheduleBench } from './testing/schedule-bench.js';
import { afterEach, describe, expect, it } from '@jest/globals';

let bench: ScheduleBench;
afterEach(() => bench.close());

const count = 10_000;
const stepMs = 5 * minute;
const start = Date.parse('2030-03-01T00:00:00Z');

describe('ten thousand schedules', () => {
  it('spread over a day fire once each, never early and in order of time, over restarts and a step of the clock', async () => {
    bench = await ScheduleBench.open('2030-03-01T00:00:00Z');
    const times = new Map<string, number>();
    for (let n = 0; n < count; n++) times.set(`s${n}`, start + Math.floor(((n * 7_919) % count) * (day / count)) + 1_000);
    const ids = [...times.keys()];
    for (let from = 0; from < count; from += 100) {
      const tenantId = `tenant-${from / 100}` as TenantId;
      await Promise.all(ids.slice(from, from + 100).map((id) => bench.put({ kind: 'once', at: times.get(id)! }, {}, id, tenantId)));
    }

    // Of those that are due in one step of the test, all fire before the next: at some steps the process is killed with its tasks, and once the clock jumps.
    const kills = new Set([31, 102, 103, 250]);
    const { clock } = bench.engine;
    const steps: number[] = [];
    for (let step = 0; clock.now() < start + day + stepMs; step++) {
      steps.push(clock.now());
      clock.advance(step === 170 ? 6 * stepMs : stepMs);
      if (kills.has(step)) await bench.restart();
      await bench.caughtUp();
    }

    const { noted } = bench.prompts;
    expect(noted).toHaveLength(count);
    expect(new Set(noted.map(({ eventId }) => eventId)).size).toBe(count);
    expect(noted.filter(({ at, plannedAt }) => at < plannedAt || at - plannedAt > 7 * stepMs)).toEqual([]);
    const stepOf = ({ plannedAt }: (typeof noted)[number]) => steps.findLastIndex((began) => plannedAt > began);
    const order = noted.map(stepOf);
    expect(order).toEqual([...order].sort((one, other) => one - other));
    // What a kill left of requests comes again, and finds nothing to do.
    await bench.engine.until('no task to be left', async () => (await bench.engine.tasks.stats('schedules')).pending === 0);
    expect(noted).toHaveLength(count);
  }, 300_000);

  it('at nine in the morning all fire, once each', async () => {
    bench = await ScheduleBench.open('2030-03-01T07:30:00Z');
    const ids = Array.from({ length: 500 }, (_, n) => `s${n}`);
    await Promise.all(ids.map((id) => bench.put(cron('0 9 * * *'), {}, id)));
    bench.engine.clock.advance(30 * minute);
    await bench.engine.until('all to have fired', () => bench.prompts.noted.length === 500, 1_000);
    expect(new Set(bench.prompts.noted.map(({ text }) => text))).toEqual(new Set(ids));
    expect(await bench.schedules.get(alice, 's7' as never)).toMatchObject({ fired: 1 });
  });
});
