import { expect, it } from '@jest/globals';
import { noRestarts, RestartPolicy, wellAfterMs, type HostHealth, type RestartHistory } from './restart-policy.js';
import type { PlanName } from './tenant.js';

const minute = 60_000;

/** A host that is checked each minute, under a policy. */
function checks(...plans: PlanName[]) {
  const policy = new RestartPolicy(plans);
  let history: RestartHistory = noRestarts;
  let now = Date.parse('2030-03-01T12:00:00Z');
  const restarts: number[] = [];
  return {
    restarts,
    check(health: HostHealth, times = 1) {
      let kind: string = '';
      for (let n = 0; n < times; n++) {
        const decided = policy.decide(history, health, (now += minute));
        history = decided.history;
        kind = decided.verdict.kind;
        if (decided.verdict.kind === 'restart') restarts.push(decided.verdict.attempt);
      }
      return kind;
    },
  };
}

it('waits for three failing checks in a row', () => {
  const { check } = checks('free');
  expect([check('failing'), check('failing'), check('well'), check('failing'), check('failing'), check('failing')]).toEqual([
    'none',
    'none',
    'none',
    'none',
    'none',
    'restart',
  ]);
});

it('starts a host of free and starter tenants anew three times, then says that restarts are used up and does no more', () => {
  for (const plan of ['free', 'starter'] as const) {
    const { check, restarts } = checks(plan);
    expect(check('failing', 60)).toBe('used-up');
    expect(restarts).toEqual([1, 2, 3]);
  }
});

it('starts a host anew for ever that serves a pro tenant, whoever else it serves, with longer and longer waits', () => {
  const { check, restarts } = checks('free', 'pro', 'starter');
  check('failing', 24 * 60);
  // 0, 1, 2, 4, 8, 16 minutes, then half an hour each: a day has less than 55 of them.
  expect(restarts.length).toBeGreaterThan(40);
  expect(restarts.length).toBeLessThan(55);
  expect(restarts).toEqual(restarts.map((_, index) => index + 1));
});

it('counts anew once hosts were well for an hour, and not before', () => {
  const { check, restarts } = checks('free');
  check('failing', 60);
  check('well', wellAfterMs / minute - 1);
  expect(check('failing', 3)).toBe('used-up');
  check('well', wellAfterMs / minute + 1);
  check('failing', 3);
  expect(restarts).toEqual([1, 2, 3, 1]);
});

it('goes by the terms of free where there is no tenant', () => {
  const { check, restarts } = checks();
  expect(check('failing', 60)).toBe('used-up');
  expect(restarts).toHaveLength(3);
});
