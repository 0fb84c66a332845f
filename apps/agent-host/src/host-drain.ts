import { crashPoint, RetryLater } from '@rockpool/contracts';
import type { HostHeartbeat, HostWork } from '@rockpool/platform';

/**
 * Ends a host's work within its shutdown time: turns that are about to be done may finish, the others are then aborted, which gives them back
 * unfinished and uncounted.
 */
export class HostDrain {
  private readonly controller = new AbortController();
  private readonly running = new Set<Promise<unknown>>();
  private draining = false;

  constructor(private readonly heartbeat: Pick<HostHeartbeat, 'during'>) {}

  /** Runs `work` with a signal that aborts when the host's time is over. Once the drain has begun, rejects with `RetryLater` instead. */
  async during<Result>(sort: keyof HostWork, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    if (this.draining) throw new RetryLater(1000, 'this agent host is shutting down');
    const run = this.heartbeat.during(sort, () => work(this.controller.signal));
    this.running.add(run);
    try {
      return await run;
    } finally {
      this.running.delete(run);
    }
  }

  /** Waits `graceMs` for what runs, aborts the rest, and resolves when all have ended. */
  async drain(graceMs: number): Promise<void> {
    this.draining = true;
    crashPoint('during-drain');
    const grace = setTimeout(() => this.controller.abort(new RetryLater(0, 'this agent host is shutting down')), graceMs);
    await Promise.allSettled(this.running);
    clearTimeout(grace);
  }
}
