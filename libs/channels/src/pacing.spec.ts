import { describe, expect, it } from '@jest/globals';
import { codeOf, RetryLater } from '@rockpool/contracts';
import { ManualClock } from '@rockpool/testkit';
import { Pacer, type PacedScope } from './pacing.js';

const bot: PacedScope = { name: 'bot', rate: { burst: 10, perSecond: 10 } };
const chat = (name: string): PacedScope => ({ name, rate: { burst: 2, perSecond: 1 } });

describe('the pacer', () => {
  it('lets a burst through at once, then one after the other, in the order they asked', async () => {
    const clock = new ManualClock();
    const pacer = new Pacer(clock);
    const sent: number[] = [];
    const sends = [1, 2, 3, 4].map((number) => pacer.take([chat('a')]).then(() => sent.push(number)));
    expect([await clock.nextSleep(), await clock.nextSleep()]).toEqual([1_000, 2_000]);
    await Promise.all(sends.slice(0, 2));
    expect(sent).toEqual([1, 2]);
    clock.advance(1_000);
    await sends[2];
    expect(sent).toEqual([1, 2, 3]);
    clock.advance(1_000);
    await sends[3];
    expect(sent).toEqual([1, 2, 3, 4]);
  });

  it('keeps chats apart, and the bot they share within its own limit', async () => {
    const clock = new ManualClock();
    const pacer = new Pacer(clock);
    const chats = Array.from({ length: 10 }, (_, index) => chat(`chat ${index}`));
    await Promise.all(chats.map((each) => pacer.take([each, bot])));
    const eleventh = pacer.take([chat('another'), bot]);
    expect(await clock.nextSleep()).toBe(100);
    clock.advance(100);
    await eleventh;
  });

  it('gives a wait of more than five seconds back to whoever asked', async () => {
    const pacer = new Pacer(new ManualClock());
    const takes = Array.from({ length: 8 }, () => pacer.take([chat('a')]));
    takes.slice(2, 7).forEach((take) => void take.catch(() => undefined));
    await expect(takes[7]).rejects.toMatchObject({ afterMs: 6_000 });
  });

  it('leaves the last places to what cannot be left out', async () => {
    const clock = new ManualClock();
    const pacer = new Pacer(clock);
    const scopes = [chat('a')];
    expect(pacer.takeSpare(scopes)).toBe(true);
    expect(pacer.takeSpare(scopes)).toBe(false);
    await pacer.take(scopes);
    clock.advance(1_000);
    expect(pacer.takeSpare(scopes)).toBe(false);
    clock.advance(1_000);
    expect(pacer.takeSpare(scopes)).toBe(true);
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
    await Promise.all([pacer.take([chat('a')]), pacer.take([chat('a')])]);
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
