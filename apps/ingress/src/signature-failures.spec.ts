import { describe, expect, it } from '@jest/globals';
import { senderOf, SignatureFailures } from './signature-failures.js';

const limits = { failures: 20, windowMs: 60_000, pairs: 100 };

function failuresAt(): { failures: SignatureFailures; clock: { now: number } } {
  const clock = { now: 1_000_000 };
  return { failures: new SignatureFailures(limits, () => clock.now), clock };
}
const times = <Result>(count: number, work: () => Result) => Array.from({ length: count }, work);

describe('failed signatures', () => {
  it('are told so twenty times a minute for each sender and endpoint, and are then only told to wait', () => {
    const { failures, clock } = failuresAt();
    const told = times(10_000, () => {
      clock.now += 10;
      return failures.note('192.0.2.1', 'telegram/alice').kind;
    });
    // 10,000 guesses over 100 s: the twenty of the first minute and the twenty of the second.
    expect(told.filter((kind) => kind === 'refused')).toHaveLength(40);
    expect(failures.note('192.0.2.2', 'telegram/alice').kind).toBe('refused');
    expect(failures.note('192.0.2.1', 'telegram/bob').kind).toBe('refused');
  });

  it('never exceed the limit in any window of a minute, wherever it begins', () => {
    const { failures, clock } = failuresAt();
    const refusedAt = times(2_000, () => {
      clock.now += 137;
      return failures.note('192.0.2.1', 'slack').kind === 'refused' ? [clock.now] : [];
    }).flat();
    for (const from of refusedAt) expect(refusedAt.filter((at) => at >= from && at < from + 60_000).length).toBeLessThanOrEqual(20);
  });

  it('say when the next one is looked at as a first', () => {
    const { failures, clock } = failuresAt();
    for (let count = 0; count < 20; count++) {
      failures.note('192.0.2.1', 'slack');
      clock.now += 1_000;
    }
    expect(failures.note('192.0.2.1', 'slack')).toEqual({ kind: 'limited', retryAfterMs: 40_000, first: true });
    expect(failures.note('192.0.2.1', 'slack')).toEqual({ kind: 'limited', retryAfterMs: 40_000, first: false });
    clock.now += 40_000;
    expect(failures.note('192.0.2.1', 'slack')).toEqual({ kind: 'refused' });
    expect(failures.note('192.0.2.1', 'slack')).toMatchObject({ kind: 'limited', first: true });
  });

  it('of more senders than are remembered forget the one that was quiet for longest', () => {
    const { failures } = failuresAt();
    times(21, () => failures.note('192.0.2.1', 'slack'));
    for (let sender = 0; sender < 99; sender++) failures.note(`198.51.100.${sender}`, 'slack');
    expect(failures.note('192.0.2.1', 'slack').kind).toBe('limited');
    for (let sender = 100; sender < 200; sender++) failures.note(`198.51.100.${sender}`, 'slack');
    expect(failures.note('192.0.2.1', 'slack').kind).toBe('refused');
  });
});

describe('a sender', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:DB8:1:2::9', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
  ])('at %s is %s', (address, sender) => {
    expect(senderOf(address)).toBe(sender);
  });
});
