import { describe, expect, it } from '@jest/globals';
import type { TenantId } from '@rockpool/contracts';
import { FairPlaces } from './fair-places.js';

const noisy = 'noisy' as TenantId;
const quiet = 'quiet' as TenantId;
const calm = 'calm' as TenantId;

/** Work that goes on until it is told to end. */
class Works {
  readonly running: string[] = [];
  private readonly ends = new Map<string, () => void>();

  constructor(private readonly places: FairPlaces) {}

  begin(tenantId: TenantId, name: string, ending = new AbortController().signal): Promise<void> {
    return this.places.run(tenantId, ending, async () => {
      this.running.push(name);
      await new Promise<void>((resolve) => this.ends.set(name, resolve));
    });
  }

  async end(name: string): Promise<void> {
    this.ends.get(name)!();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('fair places', () => {
  const places = () => new FairPlaces({ total: 10, perTenant: 2, waitingPerTenant: 3 });

  it('are free for all up to the half', () => {
    const works = new Works(places());
    for (let n = 1; n <= 5; n++) void works.begin(noisy, `noisy ${n}`);
    expect(works.running).toHaveLength(5);
  });

  it('are shared above the half: who has more than its share waits, others enter', () => {
    const works = new Works(places());
    for (let n = 1; n <= 7; n++) void works.begin(noisy, `noisy ${n}`);
    for (let n = 1; n <= 3; n++) void works.begin(quiet, `quiet ${n}`);
    expect(works.running.filter((name) => name.startsWith('noisy'))).toHaveLength(5);
    expect(works.running.filter((name) => name.startsWith('quiet'))).toHaveLength(2);
  });

  it('send away for a while what comes when enough of a tenant wait, each a little later than the one before', async () => {
    const works = new Works(places());
    for (let n = 1; n <= 8; n++) void works.begin(noisy, `noisy ${n}`);
    const [first, second] = await Promise.all(
      [9, 10].map((n) => works.begin(noisy, `noisy ${n}`).catch((error: { code: string; afterMs: number }) => error)),
    );
    expect([first, second]).toMatchObject([{ code: 'unavailable' }, { code: 'unavailable' }]);
    expect((second as { afterMs: number }).afterMs).toBeGreaterThan((first as { afterMs: number }).afterMs - 1);
    void works.begin(quiet, 'quiet 1');
    expect(works.running).toContain('quiet 1');
  });

  it('let in whoever waits, one of each tenant by turns', async () => {
    const works = new Works(new FairPlaces({ total: 2, perTenant: 2, waitingPerTenant: 10 }));
    void works.begin(noisy, 'noisy 1');
    void works.begin(noisy, 'noisy 2');
    for (let n = 3; n <= 5; n++) void works.begin(noisy, `noisy ${n}`);
    for (let n = 1; n <= 2; n++) void works.begin(quiet, `quiet ${n}`);
    void works.begin(calm, 'calm 1');
    for (let ended = 0; ended < 6; ended++) await works.end(works.running[ended]!);
    expect(works.running.slice(2)).toEqual(['noisy 3', 'quiet 1', 'calm 1', 'noisy 4', 'quiet 2', 'noisy 5']);
  });

  it('are given back when the work fails', async () => {
    const one = new FairPlaces({ total: 1, perTenant: 1, waitingPerTenant: 1 });
    const ending = new AbortController().signal;
    await expect(
      one.run(noisy, ending, async () => {
        throw new Error('it failed');
      }),
    ).rejects.toThrow('it failed');
    expect(await one.run(noisy, ending, async () => 'well')).toBe('well');
  });

  it('are not waited for any longer when the process ends', async () => {
    const works = new Works(new FairPlaces({ total: 1, perTenant: 1, waitingPerTenant: 5 }));
    const ending = new AbortController();
    const running = works.begin(noisy, 'noisy 1', ending.signal);
    const waiting = works.begin(noisy, 'noisy 2', ending.signal);
    ending.abort();
    await expect(waiting).rejects.toMatchObject({ afterMs: 0 });
    await expect(works.begin(noisy, 'noisy 3', ending.signal)).rejects.toMatchObject({ afterMs: 0 });
    await works.end('noisy 1');
    await running;
    void works.begin(quiet, 'quiet 1');
    expect(works.running).toEqual(['noisy 1', 'quiet 1']);
  });
});
