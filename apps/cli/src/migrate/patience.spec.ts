import { describe, expect, it } from '@jest/globals';
import { Conflict, RockpoolError } from '@rockpool/contracts';
import { inParallel, patiently } from './patience.js';

const forever = new AbortController().signal;

describe('a call that is repeated', () => {
  it('is answered once the service is back', async () => {
    let calls = 0;
    const answer = patiently(forever, async () => {
      if (++calls < 3) throw new RockpoolError('unavailable', 'away');
      return calls;
    });
    expect(await answer).toBe(3);
  });

  it('is not repeated when that would not help', async () => {
    let calls = 0;
    const work = async () => {
      calls++;
      throw new Conflict('taken');
    };
    await expect(patiently(forever, work)).rejects.toThrow('taken');
    expect(calls).toBe(1);
  });

  it('ends at once when it is told to stop', async () => {
    const controller = new AbortController();
    const work = async () => {
      controller.abort(new Error('stopped'));
      throw new RockpoolError('unavailable', 'away');
    };
    await expect(patiently(controller.signal, work)).rejects.toThrow('aborted');
  });
});

describe('items that are worked on side by side', () => {
  it('are never more than allowed, and give their results in order', async () => {
    let [now, most] = [0, 0];
    const results = await inParallel([5, 4, 3, 2, 1], 2, async (item) => {
      most = Math.max(most, ++now);
      for (let turn = 0; turn < item; turn++) await Promise.resolve();
      now--;
      return item * 10;
    });
    expect([results, most]).toEqual([[50, 40, 30, 20, 10], 2]);
  });

  it('begin nothing after the first failure, which is told once the others have ended', async () => {
    const begun: number[] = [];
    const ended: number[] = [];
    const work = async (item: number) => {
      begun.push(item);
      if (item === 1) throw new Error('first');
      await new Promise(setImmediate);
      ended.push(item);
    };
    await expect(inParallel([1, 2, 3, 4], 2, work)).rejects.toThrow('first');
    expect([begun, ended]).toEqual([[1, 2], [2]]);
  });
});
