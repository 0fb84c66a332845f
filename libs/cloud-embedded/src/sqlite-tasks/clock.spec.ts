import { describe, expect, it } from '@jest/globals';
import { systemClock } from './clock.js';

describe("the system's clock", () => {
  const woken = (at: number) => new Promise<number>((resolve) => systemClock.wake(at, () => resolve(Date.now())));

  it('never wakes anybody early', async () => {
    const times = Array.from({ length: 50 }, (_, index) => Date.now() + index);
    const wokenAt = await Promise.all(times.map(woken));
    for (const [index, at] of times.entries()) expect(wokenAt[index]).toBeGreaterThanOrEqual(at);
  });

  it('wakes for what is past, but not before the caller has gone on', async () => {
    const order: string[] = [];
    const past = new Promise<void>((resolve) => systemClock.wake(0, () => (order.push('woken'), resolve())));
    order.push('gone on');
    await past;
    expect(order).toEqual(['gone on', 'woken']);
  });

  it('can be called off', async () => {
    let called = false;
    const callOff = systemClock.wake(Date.now() + 5, () => (called = true));
    callOff();
    await woken(Date.now() + 20);
    expect(called).toBe(false);
  });
});
