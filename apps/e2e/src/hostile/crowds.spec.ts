import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Installation } from '../installation.js';
import { CrowdAtWork, crowds, genuineTraffic } from './crowds.js';
import { residentMiB } from './memory.js';

/** More than the script holds the product to: here it is hardly warm, and a test machine has other things to do. */
const generousGrowthMiB = 128;

let rockpool: Installation;
let quietMiB: number;
beforeAll(async () => {
  rockpool = await Installation.open();
  await genuineTraffic(rockpool.url, { count: 500, firstUpdateId: 1_000_000 });
  quietMiB = await residentMiB(rockpool.product.pid);
});
afterAll(() => rockpool.close());

describe('crowds that', () => {
  it.each(crowds.map((crowd, index) => [crowd.name, index] as const))(
    '%s keep nobody out, and are let in nowhere',
    async (_name, index) => {
      const crowd = new CrowdAtWork(rockpool.url, { ...crowds[index]!, size: 20 });
      try {
        const traffic = genuineTraffic(rockpool.url, { count: 20, firstUpdateId: 1_000 * index });
        await crowd.arrived();
        await traffic;
        await genuineTraffic(rockpool.url, { count: 5, firstUpdateId: 1_000 * index + 50 });
        expect(crowd.answers.filter((answer) => !/^HTTP\/1.1 (?:4\d\d|503) /.test(answer))).toEqual([]);
      } finally {
        crowd.disperse();
      }
    },
  );

  it('came all at once cost a bounded amount of memory', async () => {
    const all = crowds.map((crowd) => new CrowdAtWork(rockpool.url, crowd));
    try {
      await Promise.all(all.map((crowd) => crowd.arrived()));
      await genuineTraffic(rockpool.url, { count: 50, firstUpdateId: 100_000 });
      expect((await residentMiB(rockpool.product.pid)) - quietMiB).toBeLessThanOrEqual(generousGrowthMiB);
    } finally {
      for (const crowd of all) crowd.disperse();
    }
    expect((await fetch(`${rockpool.url}/readyz`)).status).toBe(200);
  });
});
