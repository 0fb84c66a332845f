import { describe, expect, it } from '@jest/globals';
import { codeOf } from '@rockpool/contracts';
import { tryForgeries } from './testing/forgeries.js';
import { nowSeconds, receivedAt, schemes } from './testing/genuine.js';
import type { WebhookRequest } from './webhook-channel.js';

const seed = Number(process.env['FORGERY_SEED'] ?? 20_260_126);
const body = Buffer.from('{"type":"message","text":"hello"}');
const signed = schemes.filter((scheme) => scheme.signs);

describe('forged requests', () => {
  it(`are never accepted, and never crash what looks at them (seed ${seed})`, () => {
    const { tried, byWay } = tryForgeries({ count: 30_000, seed });
    expect(tried).toBeGreaterThanOrEqual(30_000);
    // Every way was tried, and not only as changes that change nothing.
    expect(Object.values(byWay).every((count) => count > 20)).toBe(true);
    expect(Object.keys(byWay).length).toBeGreaterThan(70);
  });

  it.each(schemes.map((scheme) => [scheme.name, scheme] as const))(
    'of %s are not accepted where the endpoint has no secret, or blank ones',
    (_name, scheme) => {
      const request = scheme.request({ body, timestamp: String(nowSeconds), id: 'msg_1' });
      for (const signingSecrets of [[], [''], [' ', '\t'], ['\n']]) {
        expect(codeOf(refusalOf(() => scheme.channel.verify(request, { ...scheme.credentials, signingSecrets })))).toBe('unauthenticated');
      }
    },
  );
});

describe.each(signed.map((scheme) => [scheme.name, scheme] as const))('the window of %s', (_name, scheme) => {
  const accepted = (request: WebhookRequest, at: Date) => {
    const error = refusalOf(() => scheme.channel.verify({ ...request, receivedAt: at }, scheme.credentials));
    if (error !== undefined) expect(codeOf(error)).toBe('unauthenticated');
    return error === undefined;
  };
  const away = (seconds: number) => scheme.request({ body, timestamp: String(nowSeconds + seconds), id: 'msg_1' });

  it('is 300 s on either side, to the second', () => {
    for (const seconds of [-300, -299, -1, 0, 1, 299, 300]) expect(accepted(away(seconds), receivedAt)).toBe(true);
    for (const seconds of [-302, -301, 301, 302]) expect(accepted(away(seconds), receivedAt)).toBe(false);
  });

  it('does not depend on the milliseconds of the receiver', () => {
    for (const ms of [0, 1, 499, 500, 999]) {
      const at = new Date(nowSeconds * 1000 + ms);
      expect([-301, -300, 300, 301].map((seconds) => accepted(away(seconds), at))).toEqual([false, true, true, false]);
    }
  });

  it('closes on a request that is replayed later', () => {
    const genuine = away(0);
    expect([0, 300, 301, 86_400].map((later) => accepted(genuine, new Date(receivedAt.getTime() + later * 1000)))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

function refusalOf(work: () => void): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}
