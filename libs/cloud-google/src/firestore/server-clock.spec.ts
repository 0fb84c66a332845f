import { describe, expect, it } from '@jest/globals';
import { ServerClock } from './server-clock.js';

/** A server and a machine whose clock is off by this much. A read takes some time on the way there and some on the way back. */
function machine(offMs: number) {
  const server = { time: 1_700_000_000_000 };
  const clock = new ServerClock(() => server.time + offMs);
  const read = (thereMs: number, backMs: number) =>
    clock.timed(
      async () => {
        const readAt = (server.time += thereMs);
        server.time += backMs;
        return readAt;
      },
      (readAt) => ({ toMillis: () => readAt }),
    );
  const wrongBy = () => clock.now() - server.time;
  return { clock, server, read, wrongBy, sleep: (ms: number) => (offMs -= ms) };
}

describe('the clock of the server', () => {
  it.each([0, 600_000, -600_000])('is known after one answer to a machine that is %d ms off', async (offMs) => {
    const { read, wrongBy } = machine(offMs);
    expect(wrongBy()).toBe(offMs);
    await read(5, 5);
    expect(wrongBy()).toBe(0);
  });

  it('is known to within half the time that the quickest answer took', async () => {
    const { read, wrongBy } = machine(600_000);
    await read(900, 100);
    expect(Math.abs(wrongBy())).toBeLessThanOrEqual(500);
    await read(2, 6);
    expect(Math.abs(wrongBy())).toBeLessThanOrEqual(4);
    await read(2_000, 0);
    expect(Math.abs(wrongBy())).toBeLessThanOrEqual(4);
  });

  it('is learnt anew when so much time went by that the old answer says less than a slower one', async () => {
    const { clock, server, read, wrongBy } = machine(0);
    await read(0, 8);
    expect(wrongBy()).toBe(-4);
    server.time += 3_600_000;
    await read(10, 10);
    expect(wrongBy()).toBe(0);
    expect(clock.now()).toBe(server.time);
  });

  it('is learnt anew after a sleep in which the machine’s own clock stood still', async () => {
    const { read, wrongBy, sleep } = machine(0);
    await read(1, 1);
    sleep(60_000);
    expect(wrongBy()).toBe(-60_000);
    await read(50, 50);
    expect(wrongBy()).toBe(0);
  });
});
