import { setTimeout as after } from 'node:timers/promises';
import type { Logger } from './log.js';

/** What a part of an app needs to end well: a signal to stop what takes long, and a place to say what to do last. */
export class Shutdown {
  readonly #controller = new AbortController();
  readonly #actions: { name: string; run: () => Promise<void> | void }[] = [];

  /** Aborts the moment the process is told to stop: turns are cut short, streams to browsers end, loops leave. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Runs after the last event and the last request, before the engine closes; the latest added runs first. */
  onShutdown(name: string, run: () => Promise<void> | void): void {
    this.#actions.unshift({ name, run });
  }

  /** Aborts {@link signal}. */
  begin(): void {
    this.#controller.abort(new DOMException('the service is shutting down', 'AbortError'));
  }

  get actions(): readonly { name: string; run: () => Promise<void> | void }[] {
    return this.#actions;
  }
}

/** One step of the way down. */
export interface ShutdownStep {
  readonly name: string;
  /** The part of the whole time, from 0 to 1, by whose end this step is over. It may use all that earlier steps left. */
  readonly until: number;
  /** Ends by itself within `remainingMs`, or is left behind. */
  run(remainingMs: number): Promise<void> | void;
}

/** Runs the steps one after another. A step that fails or overruns is logged and left behind. True when each of them ended well and in time. */
export async function runShutdown(steps: readonly ShutdownStep[], timeoutMs: number, log: Logger): Promise<boolean> {
  const begin = performance.now();
  let clean = true;
  for (const step of steps) {
    const remainingMs = Math.max(0, Math.round(begin + timeoutMs * step.until - performance.now()));
    const patience = new AbortController();
    try {
      const overrun = after(remainingMs, 'overrun' as const, { signal: patience.signal });
      if ((await Promise.race([step.run(remainingMs), overrun])) === 'overrun') {
        clean = false;
        log.warn({ step: step.name, waitedMs: remainingMs }, 'shutdown step did not end in time and is left behind');
      }
    } catch (error) {
      clean = false;
      log.error({ step: step.name, error }, 'shutdown step failed');
    } finally {
      patience.abort();
    }
  }
  return clean;
}
