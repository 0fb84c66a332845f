import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Installation } from '../installation.js';
import { sendForgeries } from './forgery-run.js';

const seed = Number(process.env['FORGERY_SEED'] ?? 1);
let rockpool: Installation;
beforeAll(async () => {
  rockpool = await Installation.open();
});
afterAll(() => rockpool.close());

describe('forged requests over HTTP', () => {
  it(`are refused, every one of them, while genuine ones from the same address are taken (seed ${seed})`, async () => {
    const { pid } = rockpool.product;
    const report = await sendForgeries(rockpool.url, { count: 2_000, seed, firstUpdateId: 1_000 });
    expect(report).toMatchObject({ tried: 2_000, failures: [], genuine: { sent: 8, accepted: 8 } });
    expect(report.byStatus['401']).toBeGreaterThan(0);
    expect(report.byStatus['429']).toBeGreaterThan(report.byStatus['401']!);
    expect(rockpool.product.pid).toBe(pid);
  });

  it('leave nothing in the inbox but the genuine ones', async () => {
    const rows = await rockpool.inbox({ limit: '1000' });
    expect(new Set(rows.map((row) => row.eventId))).toEqual(
      new Set(Array.from({ length: 8 }, (_, index) => `telegram:333333:${1_000 + index}`)),
    );
    expect(rockpool.model.requests).toEqual([]);
    expect(rockpool.telegram.calls.filter(({ method }) => method === 'sendMessage')).toEqual([]);
  });
});
