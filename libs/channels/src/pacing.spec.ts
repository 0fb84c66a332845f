import { describe, expect, it } from '@jest/globals';
import { codeOf, RetryLater } from '@rockpool/contracts';
import { ManualClock } from '@rockpool/testkit';
import { Pacer, type PacedScope } from './pacing.js';

const bot: PacedScope = { name: 'bot', rate: { burst: 10, perSecond: 10 } };
const chat = (name: string): PacedScope => ({ name, rate: { burst: 2, perSecond: 1 } });

describe('the pacer', () => {
  it('slows nothing down that was never refused', async () => {
    const pacer = new Pacer(new ManualClock());
    await Promise.all(Array.from({ length: 500 }, () => pacer.take([chat('a'), bot])));
    expect(pacer.takeSpare([chat('a'), bot])).toBe(true);
  });

  it('after a refusal lets one through when the break is over, then one after the other at the rate, in the order they asked', async () => {
    const clock = new ManualClock();
    const pacer = new Pacer(clock);
    pacer.rest([chat('a')], 0);
    const sent: number[] = [];
    const sends = [1, 2].map((number) => pacer.take([chat('a')]).then(() => sent.push(number)));
    expect([await clock.nextSleep(), await clock.nextSleep()]).toEqual([100, 1_100]);
    clock.advance(100);
    await sends[0];
    expect(sent).toEqual([1]);
    clock.advance(1_000);
    await sends[1];
    expect(sent).toEqual([1, 2]);
  });

  it('keeps to the rate of a bot that was refused over several chats, whichever chat asks', async () => {
    const clock = new ManualClock();
    const pacer = new Pacer(clock);
    pacer.rest([chat('a'), bot], 0);
    pacer.rest([chat('b'), bot], 0);
    clock.advance(100);
    await pacer.take([chat('c'), bot]);
    const next = pacer.take([chat('d'), bot]);
    expect(await clock.nextSleep()).toBe(100);
    clock.advance(100);
    await next;
  });

  it('trusts again after ten minutes without a refusal', async () => {
    const clock = new ManualClock();
    const pacer = new Pacer(clock);
    pacer.rest([chat('a')], 0);
    clock.advance(600_100);
    await Promise.all(Array.from({ length: 50 }, () => pacer.take([chat('a')])));
  });

  it('gives a wait of more than two seconds back to whoever asked', async () => {
    const pacer = new Pacer(new ManualClock());
    pacer.rest([chat('a')], 0);
    const takes = Array.from({ length: 4 }, () => pacer.take([chat('a')]));
    takes.slice(0, 2).forEach((take) => void take.catch(() => undefined));
    await expect(takes[2]).rejects.toMatchObject({ afterMs: 2_100 });
    await expect(takes[3]).rejects.toMatchObject({ afterMs: 2_100 });
  });

  it('leaves the last places to what cannot be left out', async () => {
    const clock = new ManualClock();
    const pacer = new Pacer(clock);
    const scopes = [chat('a')];
    pacer.rest(scopes, 0);
    clock.advance(1_100);
    expect(pacer.takeSpare(scopes)).toBe(true);
    expect(pacer.takeSpare(scopes)).toBe(false);
    await pacer.take(scopes);
    clock.advance(1_000);
    expect(pacer.takeSpare(scopes)).toBe(false);
  });

  it('rests as long as the provider asks, and only where it asked', async () => {
    const clock = new ManualClock();
    const pacer = new Pacer(clock);
    const refused = pacer.heed([chat('a'), bot], () => Promise.reject(new RetryLater(7_000, 'slow down')));
    expect(await refused.catch(codeOf)).toBe('unavailable');
    expect(pacer.isResting([chat('a')])).toBe(true);
    await expect(pacer.take([chat('a'), bot])).rejects.toMatchObject({ afterMs: 7_100 });
    await pacer.take([chat('b'), bot]);
    clock.advance(7_100);
    await pacer.take([chat('a'), bot]);
  });

  it('takes two refused chats at once for the whole bot', async () => {
    const pacer = new Pacer(new ManualClock());
    pacer.rest([chat('a'), bot], 9_000);
    pacer.rest([chat('b'), bot], 9_000);
    await expect(pacer.take([chat('c'), bot])).rejects.toMatchObject({ afterMs: 9_100 });
  });

  it('tells those who wait already when the provider asks for a break meanwhile', async () => {
    const clock = new ManualClock();
    const pacer = new Pacer(clock);
    pacer.rest([chat('a')], 900);
    const waiting = pacer.take([chat('a')]);
    pacer.rest([chat('a')], 30_000);
    clock.advance(await clock.nextSleep());
    await expect(waiting).rejects.toMatchObject({ afterMs: 29_100 });
  });

  it('forgets chats that are idle', async () => {
    const clock = new ManualClock();
    const pacer = new Pacer(clock);
    for (let index = 0; index < 5_000; index++) {
      await pacer.take([chat(`chat ${index}`)]);
      clock.advance(10);
    }
    expect(pacer.size).toBeLessThanOrEqual(1_000);
  });
});
