import { outcomeOf } from '@rockpool/contracts';
import type { ManualClock } from '@rockpool/testkit';

/** Does it again after the wait that was asked for, as the reply ledger does. Anything but a wait is thrown. */
export async function patiently<Result>(clock: ManualClock, attempt: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const outcome = outcomeOf(error);
      if (outcome.kind !== 'retry' || outcome.afterMs === undefined) throw error;
      clock.advance(outcome.afterMs);
    }
  }
}
