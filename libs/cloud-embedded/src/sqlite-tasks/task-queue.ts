import type { QueueSpec } from '@rockpool/cloud';
import type { Clock } from './clock.js';
import { DispatchRate } from './dispatch-rate.js';
import type { HttpAnswer } from './http-sender.js';
import type { ClaimedTask, TaskStore } from './task-store.js';

/** A failed attempt, for whoever logs it. */
export interface TaskFailure {
  readonly queue: string;
  readonly name: string;
  readonly url: string;
  readonly attempt: number;
  readonly reason: string;
  /** When it is tried again; `undefined` when it was dropped. */
  readonly retryAt: Date | undefined;
}

/** Makes one attempt; rejects when there is no answer, with the signal's reason when that aborts. */
export type Attempt = (task: ClaimedTask, signal: AbortSignal) => Promise<HttpAnswer>;

/** Tasks taken by one commit. */
const claimedAtOnce = 100;
/** How long the queue leaves a table alone that could not be written or read. */
const storageRetryMs = 1_000;
/** A wait that an answer may ask for: as far ahead as a task can be scheduled. */
const longestWaitMs = 30 * 86_400_000;

const closing = new Error('the queue is closing');

/**
 * Dispatches the tasks of one queue when they are due, within its rate and concurrency. Only tasks under way are in memory; for the rest there is one timer, for
 * whatever is due next.
 */
export class TaskQueue {
  readonly #rate: DispatchRate;
  readonly #running = new Map<string, { abort: AbortController; ended: Promise<void> }>();
  #cancelTimer: () => void = () => undefined;
  #pumping: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(
    readonly spec: QueueSpec,
    private readonly store: TaskStore,
    private readonly attempt: Attempt,
    private readonly clock: Clock,
    private readonly onFailure: (failure: TaskFailure) => void,
  ) {
    this.#rate = new DispatchRate(spec.maxDispatchesPerSecond);
  }

  /** Looks at the table: something may be due, or due earlier than before. */
  wake(): void {
    this.#again = true;
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = undefined;
      // Somebody may have called after the last look and before this line.
      if (this.#again && !this.#closed) this.wake();
    });
  }

  /** Dispatches nothing more, waits for what is under way, aborts what takes longer. Aborted tasks wait for the next start. */
  async close(drainMs: number): Promise<void> {
    this.#closed = true;
    this.#cancelTimer();
    await this.#pumping;
    const stopDraining = this.clock.wake(this.clock.now() + drainMs, () => {
      for (const { abort } of this.#running.values()) abort.abort(closing);
    });
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    stopDraining();
  }

  async #pump(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false;
      this.#cancelTimer();
      let nextAt: number | undefined;
      try {
        nextAt = await this.#dispatchDue();
      } catch {
        // The disk: `create` and `check` tell whoever can do something about it, and this comes back by itself.
        nextAt = this.clock.now() + storageRetryMs;
      }
      if (nextAt !== undefined && !this.#closed) this.#cancelTimer = this.clock.wake(nextAt, () => this.wake());
    }
  }

  /** Resolves with when to look again; `undefined` when the next event (a new task, a finished one) will say. */
  async #dispatchDue(): Promise<number | undefined> {
    const now = this.clock.now();
    const free = this.spec.maxConcurrentDispatches - this.#running.size;
    if (free === 0) return undefined;
    const dueAt = this.store.nextDueAt(this.spec.name);
    if (dueAt === undefined || dueAt > now) return dueAt;
    const limit = Math.min(free, this.#rate.available(now), claimedAtOnce);
    if (limit === 0) return this.#rate.nextAt();
    const tasks = await this.store.claim(this.spec.name, now, limit);
    this.#rate.take(tasks.length, now);
    for (const task of tasks) this.#start(task);
    this.#again = true;
    return undefined;
  }

  #start(task: ClaimedTask): void {
    const abort = new AbortController();
    if (this.#closed) abort.abort(closing);
    const ended = this.#run(task, abort).then(() => {
      this.#running.delete(task.name);
      this.wake();
    });
    this.#running.set(task.name, { abort, ended });
  }

  async #run(task: ClaimedTask, abort: AbortController): Promise<void> {
    const deadline = new Error(`no answer within ${task.deadlineMs} ms`);
    const stopWaiting = this.clock.wake(this.clock.now() + task.deadlineMs, () => abort.abort(deadline));
    let answer: HttpAnswer | undefined;
    let reason: string;
    try {
      answer = await this.attempt(task, abort.signal);
      reason = `the answer was ${answer.status}`;
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    } finally {
      stopWaiting();
    }
    const { name } = task;
    const queue = this.spec.name;
    const now = this.clock.now();
    if (answer !== undefined && answer.status >= 200 && answer.status < 300) {
      await this.#persist(() => this.store.end(queue, name, now, false));
    } else if (abort.signal.reason === closing) {
      await this.#persist(() => this.store.retry(queue, name, now));
    } else {
      const retryAt = this.#retryAt(task, answer, now);
      await this.#persist(() => (retryAt === undefined ? this.store.end(queue, name, now, true) : this.store.retry(queue, name, retryAt)));
      this.onFailure({
        queue,
        name,
        url: task.url,
        attempt: task.attempt,
        reason,
        retryAt: retryAt === undefined ? undefined : new Date(retryAt),
      });
    }
  }

  /** `undefined` when the task has used up both its attempts and its time. */
  #retryAt({ attempt, firstAttemptAt }: ClaimedTask, answer: HttpAnswer | undefined, now: number): number | undefined {
    const { maxAttempts, maxRetryDurationMs, minBackoffMs, maxBackoffMs } = this.spec;
    if (attempt >= maxAttempts && now - firstAttemptAt >= maxRetryDurationMs) return undefined;
    const backoffMs = Math.min(maxBackoffMs, minBackoffMs * 2 ** (attempt - 1));
    const askedMs = answer?.status === 429 || answer?.status === 503 ? waitOf(answer.retryAfter, now) : 0;
    return now + Math.ceil(Math.max(backoffMs, askedMs));
  }

  /** Tries until it is written: until then the task counts as under way. Once the queue is closed, the next start finds it as after a crash. */
  async #persist(write: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await write();
      } catch {
        if (this.#closed) return;
        await new Promise<void>((resolve) => this.clock.wake(this.clock.now() + storageRetryMs, resolve));
      }
    }
  }
}

/** Milliseconds that `Retry-After` (seconds, or an HTTP date) asks for; 0 when it cannot be read. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
function waitOf(retryAfter: string | undefined, now: number): number {
  if (retryAfter === undefined) return 0;
  const waitMs = /^\s*[0-9]+\s*$/.test(retryAfter) ? Number(retryAfter) * 1_000 : Date.parse(retryAfter) - now;
  return waitMs > 0 ? Math.min(waitMs, longestWaitMs) : 0;
}
