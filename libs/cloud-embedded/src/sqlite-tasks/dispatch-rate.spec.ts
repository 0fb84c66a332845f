import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DispatchRate } from './dispatch-rate.js';

describe('a dispatch rate', () => {
  const rates = fc.oneof(fc.integer({ min: 1, max: 500 }), fc.double({ min: 0.01, max: 10, noNaN: true }));

  it('is never exceeded in any stretch of time, by more than a fifth of a second saved up', () => {
    fc.assert(
      fc.property(rates, fc.array(fc.tuple(fc.integer({ min: 0, max: 3_000 }), fc.nat(50)), { maxLength: 50 }), (perSecond, steps) => {
        const rate = new DispatchRate(perSecond);
        const taken: number[] = [];
        let now = 1_000_000;
        for (const [pauseMs, wanted] of steps) {
          now += pauseMs;
          const count = Math.min(wanted, rate.available(now));
          rate.take(count, now);
          taken.push(...Array<number>(count).fill(now));
        }
        const burst = Math.max(1, Math.floor(perSecond / 5));
        const tooMany = taken.some((from, first) =>
          taken.slice(first).some((until, further) => further + 1 > burst + ((until - from) * perSecond) / 1_000 + 1e-3),
        );
        expect(tooMany).toBe(false);
      }),
    );
  });

  it('allows the next one at the moment it names, and not a millisecond before', () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 1, max: 2_000_000_000_000 }), (perSecond, start) => {
        const rate = new DispatchRate(perSecond);
        rate.take(rate.available(start), start);
        const nextAt = rate.nextAt();
        expect(nextAt).toBeGreaterThan(start);
        expect(rate.available(nextAt)).toBeGreaterThanOrEqual(1);
        expect(rate.available(nextAt - 1)).toBe(0);
      }),
    );
  });

  it('is not stalled by a clock that was set back', () => {
    const rate = new DispatchRate(1);
    rate.take(1, 10_000_000);
    expect(rate.available(1_000)).toBe(0);
    expect(rate.nextAt()).toBeLessThanOrEqual(2_000);
    expect(rate.available(2_000)).toBe(1);
  });
});
