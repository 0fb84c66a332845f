import { alice, chat, cron, day, hour, minute, night, ScheduleBench, second } from './testing/schedule-bench.js';
import { afterEach, describe, expect, it } from '@jest/globals';
import { platformOwner, TerminalError, type CrashPoint, type ScheduleId, type TenantId } from '@rockpool/contracts';

let bench: ScheduleBench;
afterEach(() => bench.close());

const id = 's1' as ScheduleId;
const never = new AbortController().signal;
const at = (text: string) => Date.parse(text);

describe('a schedule', () => {
  it('of one time fires then, once, and has ended', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    await bench.put({ kind: 'once', at: at('2030-03-02T09:00:00Z') });
    await bench.passes(at('2030-03-03T00:00:00Z'));
    expect(bench.prompts.noted).toMatchObject([
      { eventId: 'schedule:s1:2030-03-02T09%3A00%3A00.000Z', at: at('2030-03-02T09:00:00Z'), late: false },
    ]);
    expect(await bench.schedule()).toMatchObject({ state: 'ended', fired: 1, last: { outcome: 'fired' } });
  });

  it('keeps the wall clock of its zone through both changes of the clocks', async () => {
    bench = await ScheduleBench.open('2030-03-29T12:00:00Z');
    await bench.put(cron('30 2 * * *'));
    await bench.passes(at('2030-04-01T12:00:00Z'));
    expect(bench.prompts.planned).toEqual(['2030-03-30T01:30:00.000Z', '2030-03-31T01:00:00.000Z', '2030-04-01T00:30:00.000Z']);
    await bench.close();

    bench = await ScheduleBench.open('2030-10-25T12:00:00Z');
    await bench.put(cron('30 2 * * *'));
    await bench.passes(at('2030-10-28T12:00:00Z'));
    expect(bench.prompts.planned).toEqual(['2030-10-26T00:30:00.000Z', '2030-10-27T00:30:00.000Z', '2030-10-28T01:30:00.000Z']);
    for (const { at: firedAt, plannedAt } of bench.prompts.noted) expect(firedAt).toBeGreaterThanOrEqual(plannedAt);
  });

  it('more than thirty days ahead is bridged, and fires at its time', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    await bench.put({ kind: 'once', at: at('2030-06-01T09:00:00Z') });
    await bench.passes(at('2030-06-02T00:00:00Z'));
    expect(bench.prompts.noted).toMatchObject([{ at: at('2030-06-01T09:00:00Z') }]);
    expect(new Set(bench.firings.map(({ kind }) => kind))).toEqual(new Set(['early', 'fired']));
  });

  it('whose task comes many times, early, or after it was changed fires once', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    await bench.put(cron('0 9 * * *'));
    const { nextAt } = await bench.schedule();
    const task = { tenantId: alice, scheduleId: id, plannedAt: nextAt!, hop: 1 };
    expect(await bench.firing.fire(task, never)).toEqual({ kind: 'early' });
    expect(await bench.firing.fire({ ...task, plannedAt: 0 }, never)).toEqual({ kind: 'duplicate' });
    await bench.passes(nextAt!);
    await Promise.all(Array.from({ length: 10 }, () => bench.firing.fire(task, never)));
    expect(await bench.firing.fire(task, never)).toEqual({ kind: 'duplicate' });
    expect(bench.prompts.noted).toHaveLength(1);
    expect(await bench.schedule()).toMatchObject({ fired: 1, nextAt: nextAt! + day });
  });

  it.each<CrashPoint>(['after-schedule-before-task', 'after-fire-before-advance', 'after-advance-before-task'])(
    'fires each time once when the process is killed %s',
    async (point) => {
      bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
      bench.killAt((passed) => passed === point && bench.kills === 0);
      await Promise.race([bench.put(cron('0 * * * *')).catch(() => undefined), bench.died()]);
      for (let minutes = 0; minutes < 181; minutes++) {
        bench.engine.clock.advance(minute);
        await bench.caughtUp();
      }
      expect(bench.kills).toBe(1);
      expect(bench.prompts.planned).toEqual(['2030-03-01T13:00:00.000Z', '2030-03-01T14:00:00.000Z', '2030-03-01T15:00:00.000Z']);
    },
  );

  it('whose task a crash left out fires on time where a sweep comes before that time', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    bench.killAt((passed) => passed === 'after-schedule-before-task' && bench.kills === 0);
    await Promise.race([bench.put({ kind: 'once', at: at('2030-03-01T12:01:00Z') }).catch(() => undefined), bench.died()]);
    expect((await bench.engine.tasks.stats('schedules')).pending).toBe(0);
    expect(await bench.sweep.run()).toBe(0);
    await bench.passes(at('2030-03-01T12:02:00Z'));
    expect(bench.prompts.noted).toMatchObject([{ at: at('2030-03-01T12:01:00Z'), late: false }]);
  });

  it('of one time that is over when it is planned, but was not when it was asked for, comes at once', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:05Z');
    await bench.put({ kind: 'once', at: at('2030-03-01T12:00:03Z') });
    await bench.answered(1);
    expect(bench.prompts.noted).toMatchObject([{ at: at('2030-03-01T12:00:05Z'), plannedAt: at('2030-03-01T12:00:03Z') }]);
  });

  it('fires late, once for all that were missed while everything was down', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    await bench.put(cron('0 * * * *'));
    await bench.isDownUntil(at('2030-03-01T15:30:00Z'));
    await bench.passes(at('2030-03-01T17:10:00Z'));
    expect(bench.prompts.noted.map(({ plannedAt, late }) => [new Date(plannedAt).toISOString(), late])).toEqual([
      ['2030-03-01T13:00:00.000Z', true],
      ['2030-03-01T16:00:00.000Z', false],
      ['2030-03-01T17:00:00.000Z', false],
    ]);
  });

  it('leaves out what was missed where that is declared, and fires each that is only minutes late', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:30Z');
    await bench.put(cron('* * * * *'), { missed: 'skip' });
    await bench.isDownUntil(at('2030-03-01T12:30:30Z'));
    await bench.passes(at('2030-03-01T12:32:00Z'));
    expect(bench.prompts.planned).toEqual([
      '2030-03-01T12:26:00.000Z',
      '2030-03-01T12:27:00.000Z',
      '2030-03-01T12:28:00.000Z',
      '2030-03-01T12:29:00.000Z',
      '2030-03-01T12:30:00.000Z',
      '2030-03-01T12:31:00.000Z',
      '2030-03-01T12:32:00.000Z',
    ]);
  });

  it('of one time that was missed and is to be left out has ended without firing', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    await bench.put({ kind: 'once', at: at('2030-03-01T13:00:00Z') }, { missed: 'skip' });
    await bench.isDownUntil(at('2030-03-01T15:30:00Z'));
    expect(bench.prompts.noted).toEqual([]);
    expect(await bench.schedule()).toMatchObject({
      state: 'ended',
      fired: 0,
      skipped: 1,
      last: { outcome: 'skipped', reason: 'it was missed' },
    });
  });

  it('that is late into quiet hours waits until they are over', async () => {
    bench = await ScheduleBench.open('2030-03-01T20:00:00Z');
    await bench.put({ kind: 'once', at: at('2030-03-01T20:30:00Z') }, { quiet: night });
    await bench.isDownUntil(at('2030-03-01T22:00:00Z'));
    expect(bench.prompts.noted).toEqual([]);
    await bench.passes(at('2030-03-02T08:00:00Z'));
    expect(bench.prompts.planned).toEqual(['2030-03-02T06:00:00.000Z']);
  });

  it('fires on time when the clock is set back, and at once when it is set forward', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    await bench.put(cron('0 * * * *'));
    // By a clock that ran an hour fast, the task came; by the right one it is early.
    const { nextAt } = await bench.schedule();
    expect(await bench.firing.fire({ tenantId: alice, scheduleId: id, plannedAt: nextAt!, hop: 1 }, never)).toEqual({ kind: 'early' });
    bench.engine.clock.advance(90 * minute);
    await bench.caughtUp();
    expect(bench.prompts.planned).toEqual(['2030-03-01T13:00:00.000Z']);
    expect(await bench.schedule()).toMatchObject({ nextAt: at('2030-03-01T14:00:00Z') });
  });

  it('goes on after an effect that failed: at once when that may pass, at its next time when it never will', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    await bench.put(cron('0 * * * *'));
    let failures = 0;
    bench.prompts.before = () => {
      if (++failures === 1) throw new Error('storage is down');
      if (failures === 3) throw new TerminalError('the conversation is gone');
    };
    await bench.passes(at('2030-03-01T13:00:00Z'), id, second);
    await bench.passes(at('2030-03-01T14:00:00Z'), id, second);
    expect(bench.prompts.noted).toHaveLength(1);
    expect(bench.prompts.noted[0]!.at).toBeLessThanOrEqual(at('2030-03-01T13:00:10Z'));
    expect(await bench.schedule()).toMatchObject({ skipped: 1, last: { outcome: 'failed', reason: 'the conversation is gone' } });
  });
});

describe('upkeep', () => {
  it('runs at its time, one at a time, and again after it failed', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    const gate = Promise.withResolvers<void>();
    const inputs: unknown[] = [];
    bench.upkeep.set('tidy', async ({ late }, input) => {
      inputs.push(input);
      if (inputs.length === 1) throw new Error('not now');
      if (inputs.length === 2) await gate.promise;
      expect(late).toBe(false);
    });
    const { nextAt } = await bench.put(cron('0 * * * *'), { effect: { kind: 'upkeep', name: 'tidy', input: { days: 30 } } });
    bench.engine.clock.advance(hour);
    await bench.engine.until('the second run', () => inputs.length === 2);
    expect(await bench.firing.fire({ tenantId: alice, scheduleId: id, plannedAt: nextAt!, hop: 1 }, never)).toMatchObject({ kind: 'held' });
    gate.resolve();
    await bench.engine.until('it to move on', async () => (await bench.schedule()).fired === 1, 0);
    expect(inputs).toEqual([{ days: 30 }, { days: 30 }]);
  });

  it('that does not exist is a failure on record, and no end of the schedule', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    await bench.put(cron('0 * * * *'), { effect: { kind: 'upkeep', name: 'nothing' } });
    await bench.passes(at('2030-03-01T13:00:00Z'));
    expect(await bench.schedule()).toMatchObject({ state: 'active', last: { outcome: 'failed', reason: 'there is no upkeep nothing' } });
  });
});

describe('what a person does with schedules', () => {
  it('pauses and resumes: nothing of the pause is made up for', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    await bench.put(cron('0 * * * *'));
    expect(await bench.schedules.pause(alice, id)).toMatchObject({ state: 'paused' });
    expect(bench.schedules.nextRuns(await bench.schedule(), 3)).toEqual([]);
    bench.engine.clock.advance(3 * hour + minute);
    await bench.answered(1);
    await bench.sweep.run();
    await bench.schedules.resume(alice, id);
    await bench.passes(at('2030-03-01T16:30:00Z'));
    expect(bench.prompts.planned).toEqual(['2030-03-01T16:00:00.000Z']);
  });

  it('deletes: what was to come does not', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    await bench.put(cron('0 * * * *'));
    await bench.schedules.remove(alice, id);
    bench.engine.clock.advance(2 * hour);
    await bench.answered(1);
    expect(bench.prompts.noted).toEqual([]);
    await expect(bench.schedule()).rejects.toThrow('there is no schedule s1');
  });

  it('changes: it comes at its new times only, and a paused one stays paused', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    const first = await bench.put(cron('0 * * * *'));
    expect(await bench.put(cron('0 * * * *'))).toEqual(first);
    await bench.put(cron('30 * * * *'));
    await bench.passes(at('2030-03-01T13:45:00Z'));
    expect(bench.prompts.planned).toEqual(['2030-03-01T12:30:00.000Z', '2030-03-01T13:30:00.000Z']);
    await bench.schedules.pause(alice, id);
    expect(await bench.put(cron('15 * * * *'))).toMatchObject({ state: 'paused', when: cron('15 * * * *') });
  });

  it('runs one now, once for each request, beside its times', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    const { nextAt } = await bench.put(cron('0 * * * *'));
    for (const request of ['r1', 'r1', 'r2']) await bench.schedules.runNow(alice, id, request, never);
    expect(bench.prompts.noted).toHaveLength(2);
    expect(await bench.schedule()).toMatchObject({ nextAt, fired: 0 });
  });

  it('has upkeep come at once where it is fired, once for each request, and then at its time', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    const ran: string[] = [];
    bench.upkeep.set('tidy', async ({ plannedAt }) => void ran.push(new Date(plannedAt).toISOString()));
    const tidy = (wish = {}) => bench.put(cron('0 * * * *'), { effect: { kind: 'upkeep', name: 'tidy' }, ...wish });
    const { nextAt } = await tidy();
    const [first, again] = [await bench.schedules.runNow(alice, id, 'r1', never), await bench.schedules.runNow(alice, id, 'r1', never)];
    expect(again).toBe(first);
    await bench.engine.until('the upkeep to be over', async () => (await bench.schedule()).fired === 1, 0);
    expect(await bench.schedules.runNow(alice, id, 'r1', never)).toBe(first);
    expect(await bench.schedule()).toMatchObject({ nextAt, fired: 1, last: { outcome: 'fired' } });
    expect(ran).toEqual(['2030-03-01T12:00:00.000Z']);
    await bench.schedules.pause(alice, id);
    await expect(bench.schedules.runNow(alice, id, 'r2', never)).rejects.toThrow('it is paused: resume it first');
  });

  it('does not begin upkeep that is under way', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    const under = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    bench.upkeep.set('tidy', async () => {
      under.resolve();
      await over.promise;
    });
    await bench.put(cron('0 * * * *'), { effect: { kind: 'upkeep', name: 'tidy' } });
    await bench.schedules.runNow(alice, id, 'r1', never);
    await under.promise;
    await expect(bench.schedules.runNow(alice, id, 'r2', never)).rejects.toThrow('it runs at this moment');
    over.resolve();
    await bench.engine.until('it to be over', async () => (await bench.schedule()).fired === 1, 0);
  });

  it('lists those of all tenants by when they come, over pages, the paused last and no ended one', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    const put = (tenant: string, name: string, expression: string) => bench.put(cron(expression), {}, name, tenant as TenantId);
    await put('bob', 'noon', '30 13 * * *');
    await put('alice', 'night', '0 22 * * *');
    await put('alice', 'evening', '0 18 * * *');
    await put(platformOwner, 'afternoon', '0 15 * * *');
    await put('bob', 'resting', '0 14 * * *');
    await bench.schedules.pause('bob' as TenantId, 'resting' as ScheduleId);
    await put('alice', 'sleeping', '0 14 * * *');
    await bench.schedules.pause('alice' as TenantId, 'sleeping' as ScheduleId);
    await bench.put({ kind: 'once', at: at('2030-03-01T12:00:01Z') });
    await bench.passes(at('2030-03-01T12:01:00Z'));
    for (const limit of [1, 2, 3, 4, 5, 6, 100]) {
      const titles: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await bench.schedules.listAll({ limit, ...(cursor && { cursor }) });
        expect(page.items.length).toBeLessThanOrEqual(limit);
        titles.push(...page.items.map(({ title }) => title));
        cursor = page.nextCursor;
      } while (cursor);
      expect(titles.slice(0, 4)).toEqual(['noon', 'afternoon', 'evening', 'night']);
      expect(titles.slice(4).sort()).toEqual(['resting', 'sleeping']);
    }
    for (const cursor of ['', 'ended:', 'nonsense', 'active'])
      await expect(bench.schedules.listAll({ cursor })).rejects.toMatchObject({ code: 'invalid' });
  });

  it('sees when the next ones come', async () => {
    bench = await ScheduleBench.open('2030-03-30T12:00:00Z');
    const schedule = await bench.put(cron('0 3 * * *'), { quiet: night });
    expect(bench.schedules.nextRuns(schedule, 3).map((run) => new Date(run).toISOString())).toEqual([
      '2030-03-31T05:00:00.000Z',
      '2030-04-01T05:00:00.000Z',
      '2030-04-02T05:00:00.000Z',
    ]);
    expect((await bench.schedules.list(alice)).items).toEqual([schedule]);
  });

  it('is refused what never comes, says nothing, or is one too many', async () => {
    bench = await ScheduleBench.open('2030-03-01T12:00:00Z');
    const text = (words: string) => ({ effect: { kind: 'prompt', conversationId: chat, text: words } as const });
    await expect(bench.put({ kind: 'once', at: at('2030-03-01T11:59:00Z') })).rejects.toThrow('never comes, or is over');
    await expect(bench.put(cron('0 9 31 2 *'))).rejects.toThrow('never comes');
    await expect(bench.put(cron('0 9 * * *'), text('  '))).rejects.toThrow('what a schedule says');
    await expect(bench.put(cron('0 9 * * *'), text('x'.repeat(10_001)))).rejects.toThrow('what a schedule says');
    bench.start(1);
    await bench.put(cron('0 9 * * *'));
    await expect(bench.put(cron('0 9 * * *'), {}, 's2')).rejects.toThrow('a tenant has at most 1 schedules');
    expect(await bench.put(cron('0 8 * * *'))).toMatchObject({ when: cron('0 8 * * *') });
  });
});
