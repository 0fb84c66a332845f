import { setTimeout as after } from 'node:timers/promises';
import { RockpoolError } from '@rockpool/contracts';
import { Interrupted } from './commands.js';

export interface Patience {
  readonly attempts: number;
  readonly pauseMs: number;
  readonly timeoutMs: number;
}

/** About a minute and a half in the worst case: a cold start, and an address that is known everywhere only after some seconds. */
export const usualPatience: Patience = { attempts: 12, pauseMs: 2_500, timeoutMs: 5_000 };

/** Resolves once `GET /readyz` answers 200. Rejects with `unavailable` and the last answer when it does not in time, and with {@link Interrupted}. */
export async function answersReady(url: string, signal: AbortSignal, { attempts, pauseMs, timeoutMs }: Patience): Promise<void> {
  let last = 'nothing';
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    try {
      const response = await fetch(new URL('/readyz', url), {
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
        redirect: 'manual',
      });
      const body = (await response.text()).slice(0, 500);
      if (response.status === 200) return;
      last = `${response.status} ${body}`;
    } catch (error) {
      last = error instanceof Error ? String(error.cause ?? error.message) : String(error);
    }
    if (signal.aborted) throw new Interrupted();
    if (attempt < attempts) await after(pauseMs, undefined, { signal }).catch(() => Promise.reject(new Interrupted()));
  }
  throw new RockpoolError('unavailable', `${new URL('/readyz', url)} does not answer 200; the last answer: ${last}`);
}
