import { describe, expect, it } from '@jest/globals';
import { codeOf } from '@rockpool/contracts';
import fc from 'fast-check';
import { checkTimes, momentOf, nextOccurrence, quietUntil, type QuietHours, type When } from './occurrences.js';

const berlin = 'Europe/Berlin';
const cron = (expression: string, timeZone = berlin): When => ({ kind: 'cron', expression, timeZone });

function runs(when: When, after: string, count: number, quiet?: QuietHours): string[] {
  const found: string[] = [];
  let at: number | undefined = Date.parse(after);
  while (found.length < count && (at = nextOccurrence(when, quiet, at)) !== undefined) found.push(new Date(at).toISOString());
  return found;
}

function codeFrom(call: () => unknown): string {
  try {
    call();
    return 'no error';
  } catch (error) {
    return codeOf(error);
  }
}

describe('occurrences', () => {
  it('of a daily time keep the wall clock when clocks go forward', () => {
    expect(runs(cron('0 9 * * *'), '2026-03-27T12:00:00Z', 3)).toEqual([
      '2026-03-28T08:00:00.000Z',
      '2026-03-29T07:00:00.000Z',
      '2026-03-30T07:00:00.000Z',
    ]);
  });

  it('of a time that the spring gap swallows come right after it, once', () => {
    expect(runs(cron('30 2 * * *'), '2026-03-28T12:00:00Z', 2)).toEqual(['2026-03-29T01:00:00.000Z', '2026-03-30T00:30:00.000Z']);
  });

  it('of a time that autumn repeats come once, the first time', () => {
    expect(runs(cron('30 2 * * *'), '2026-10-24T12:00:00Z', 2)).toEqual(['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z']);
  });

  it('of an interval go on in real time through the repeated hour', () => {
    expect(runs(cron('*/30 * * * *'), '2026-10-25T00:10:00Z', 4)).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-25T01:00:00.000Z',
      '2026-10-25T01:30:00.000Z',
      '2026-10-25T02:00:00.000Z',
    ]);
  });

  it('of several times a day are times of day too', () => {
    expect(runs(cron('30 2,14 * * *'), '2026-10-24T13:00:00Z', 3)).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-25T13:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ]);
  });

  it('in quiet hours are left out, or come when they are over, several as one', () => {
    const night = { from: '22:00', to: '07:30', timeZone: berlin } as const;
    const hourly = cron('0 * * * *');
    expect(runs(hourly, '2026-01-10T19:30:00Z', 3, { ...night, then: 'skip' })).toEqual([
      '2026-01-10T20:00:00.000Z',
      '2026-01-11T07:00:00.000Z',
      '2026-01-11T08:00:00.000Z',
    ]);
    expect(runs(hourly, '2026-01-10T19:30:00Z', 3, { ...night, then: 'later' })).toEqual([
      '2026-01-10T20:00:00.000Z',
      '2026-01-11T06:30:00.000Z',
      '2026-01-11T07:00:00.000Z',
    ]);
  });

  it('that never come are none', () => {
    expect(nextOccurrence(cron('0 9 31 2 *'), undefined, 0)).toBeUndefined();
    expect(nextOccurrence({ kind: 'once', at: 1_000 }, undefined, 1_000)).toBeUndefined();
  });

  it('that quiet hours swallow every time are none', () => {
    expect(nextOccurrence(cron('0 3 * * *'), { from: '22:00', to: '07:00', timeZone: berlin, then: 'skip' }, 0)).toBeUndefined();
  });

  it('always lie after the moment asked for, on whole minutes, and outside of quiet hours', () => {
    const zone = fc.constantFrom('UTC', berlin, 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Pacific/Apia');
    const pattern = fc.constantFrom('* * * * *', '*/7 * * * *', '30 2 * * *', '0 0 * * 1', '15 1,2,3 * * *', '0 9 1 * *', '45 23 * * 5L');
    const time = fc.constantFrom('00:00', '01:30', '02:15', '06:00', '22:00', '23:59');
    const moment = fc.integer({ min: Date.parse('2026-01-01T00:00:00Z'), max: Date.parse('2027-12-31T00:00:00Z') });
    fc.assert(
      fc.property(zone, pattern, time, time, fc.constantFrom('skip', 'later'), moment, (timeZone, expression, from, to, then, after) => {
        fc.pre(from !== to);
        const quiet = { from, to, timeZone, then } as const;
        const at = nextOccurrence(cron(expression, timeZone), quiet, after);
        if (at === undefined) return;
        expect(at).toBeGreaterThan(after);
        expect(at % 60_000).toBe(0);
        expect(quietUntil(quiet, at)).toBeUndefined();
        // Asked from anywhere between, the answer is the same: an occurrence is a fact of the schedule, not of who asks.
        expect(nextOccurrence(cron(expression, timeZone), quiet, after + Math.floor((at - after) / 2))).toBe(at);
      }),
      { numRuns: 100 },
    );
  });
});

describe('quiet hours', () => {
  const night: QuietHours = { from: '22:00', to: '07:00', timeZone: berlin, then: 'skip' };

  it('begin with their first moment and end before their last', () => {
    const at = (text: string) => quietUntil(night, momentOf(text, berlin)) !== undefined;
    expect(['21:59', '22:00', '23:30', '00:00', '06:59', '07:00', '12:00'].map((time) => at(`2026-06-10T${time}`))).toEqual([
      false,
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
  });

  it('last an hour less in the night when clocks go forward', () => {
    expect(quietUntil(night, Date.parse('2026-03-28T21:00:00Z'))).toBe(Date.parse('2026-03-29T05:00:00Z'));
  });
});

describe('a local date and time', () => {
  it('is read on the wall clock of its zone', () => {
    expect(momentOf('2026-11-21T09:00', berlin)).toBe(Date.parse('2026-11-21T08:00:00Z'));
    expect(momentOf('2026-07-01 09:00:30', 'America/New_York')).toBe(Date.parse('2026-07-01T13:00:30Z'));
    expect(momentOf('2026-11-21T09:00Z', berlin)).toBe(Date.parse('2026-11-21T09:00:00Z'));
    expect(momentOf('2026-11-21T09:00:00+02:00', berlin)).toBe(Date.parse('2026-11-21T07:00:00Z'));
  });

  it.each(['tomorrow', '2026-13-01T09:00', '2026-11-21', '09:00'])('is not %s', (text) => {
    expect(codeFrom(() => momentOf(text, berlin))).toBe('invalid');
  });
});

describe('what is no time', () => {
  it.each([
    ['a pattern of another kind', () => checkTimes(cron('every day'))],
    ['a pattern with seconds', () => checkTimes(cron('0 0 9 * * *'))],
    ['a zone that does not exist', () => checkTimes(cron('0 9 * * *', 'Europe/Atlantis'))],
    ['no zone', () => checkTimes(cron('0 9 * * *', ''))],
    ['half a time', () => checkTimes({ kind: 'once', at: 0.5 })],
    ['a quiet hour of another kind', () => checkTimes(cron('0 9 * * *'), { from: '10pm', to: '07:00', timeZone: 'UTC', then: 'skip' })],
    ['quiet hours without length', () => checkTimes(cron('0 9 * * *'), { from: '07:00', to: '07:00', timeZone: 'UTC', then: 'skip' })],
    ['a time in no zone', () => momentOf('2026-11-21T09:00', 'Nowhere')],
  ])('%s is refused', (_, call) => {
    expect(codeFrom(call)).toBe('invalid');
  });
});
