import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { alice, chat, messageOf } from './testing/messages.js';
import { openHost, type TestHost } from './testing/host.js';
import { echo } from './testing/scripted-runtime.js';

const tenMinutes = 600_000;
let one: TestHost;
let other: TestHost;

beforeEach(async () => {
  one = await openHost({ holder: 'host-1' });
  other = await one.another({ holder: 'host-2' });
  await one.inbox.append(alice, messageOf(1, 'hello'));
});

afterEach(async () => {
  jest.useRealTimers();
  await one.close();
});

/** The clock of the machine says something else from now on; timers, and the steady clock of the process, do not notice. */
function machineClockStepsBy(ms: number): void {
  const now = Date.now() + ms;
  jest.useRealTimers();
  jest.useFakeTimers({
    now,
    doNotFake: [
      'hrtime',
      'nextTick',
      'performance',
      'queueMicrotask',
      'setImmediate',
      'clearImmediate',
      'setInterval',
      'clearInterval',
      'setTimeout',
      'clearTimeout',
    ],
  });
}

describe.each([
  ['forward', tenMinutes],
  ['back', -tenMinutes],
])('a machine whose clock steps ten minutes %s', (_where, ms) => {
  it('takes nobody’s lease, for those that are held are held by a clock that does not step', async () => {
    const held = await one.leases.claim(alice, chat, 'a wake');
    machineClockStepsBy(ms);
    expect(await other.leases.claim(alice, chat, 'another wake')).toMatchObject({ kind: 'held', ownWake: false });
    if (held.kind !== 'claimed') throw new Error('it was not claimed');
    await one.leases.renew(held.claim);
    machineClockStepsBy(-ms);
    expect(await other.leases.claim(alice, chat, 'another wake')).toMatchObject({ kind: 'held' });
  });

  it('takes a lease that has run out', async () => {
    await one.leases.claim(alice, chat, 'a wake');
    machineClockStepsBy(ms);
    await one.takeLeaseAway();
    expect(await other.leases.claim(alice, chat, 'another wake')).toMatchObject({ kind: 'claimed' });
  });

  it('answers once what it was answering', async () => {
    one.runtime.script = async function* (turn) {
      machineClockStepsBy(ms);
      yield* echo(turn);
    };
    await one.drive();
    expect(await one.states(1)).toEqual(['done']);
    expect(one.asked).toHaveLength(1);
  });
});
