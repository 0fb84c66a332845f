import type { Random } from '../random.js';
import type { Clock } from '../wire/clock.js';
import { TokenBucket } from '../wire/flood-gate.js';
import { postTask, type PostAnswer } from './cloud-tasks-fake-post.js';

const nameKeptMs = 3_600_000;
/** Longest sleep at once: timers of Node end at 24 days. */
const longestSleepMs = 3_600_000;

/** Limits of a queue as the service has them. Times in milliseconds; `maxAttempts` -1 is unlimited, `maxRetryDurationMs` 0 is no limit of its own. */
export interface FakeQueueLimits {
  readonly maxDispatchesPerSecond: number;
  readonly maxConcurrentDispatches: number;
  readonly maxAttempts: number;
  readonly maxRetryDurationMs: number;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly maxDoublings: number;
}

/** A task that has not ended. Times in milliseconds since the epoch. */
export interface FakeTask {
  readonly id: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly oidc: { readonly email: string; readonly audience: string } | undefined;
  readonly deadlineMs: number;
  readonly createdAt: number;
  scheduledAt: number;
  dispatchCount: number;
  responseCount: number;
  firstAttemptAt: number | undefined;
  lastAttempt: { readonly scheduledAt: number; readonly dispatchedAt: number; respondedAt?: number; status?: number } | undefined;
}

/** What queues share. */
export interface FakeQueueWorld {
  readonly clock: Clock;
  /** An OIDC token of this service account for this audience. */
  readonly mint: (email: string, audience: string) => Promise<string>;
  /** Decides which tasks are delivered twice, and in which order those that are due go out. */
  readonly random: Random;
  readonly duplicateProbability: number;
  readonly shuffled: boolean;
}

/** One queue: its tasks, the names that are still taken, and the dispatches under way. */
export class FakeQueue {
  readonly tasks = new Map<string, FakeTask>();
  paused = false;
  /** Tasks that were given up. */
  dropped = 0;
  readonly #world: FakeQueueWorld;
  readonly #running = new Set<FakeTask>();
  readonly #ended = new Map<string, number>();
  readonly #closing = new AbortController();
  #limits: FakeQueueLimits;
  #bucket: TokenBucket;
  #sleep = new AbortController();

  constructor(
    readonly name: string,
    limits: FakeQueueLimits,
    world: FakeQueueWorld,
  ) {
    this.#world = world;
    this.#limits = limits;
    this.#bucket = bucketOf(limits);
  }

  get limits(): FakeQueueLimits {
    return this.#limits;
  }

  set limits(limits: FakeQueueLimits) {
    this.#limits = limits;
    this.#bucket = bucketOf(limits);
    this.wake();
  }

  get running(): number {
    return this.#running.size;
  }

  /** When the next waiting task is, or was, to go out. */
  get nextAt(): number | undefined {
    return this.#waiting().reduce<number | undefined>((next, { scheduledAt }) => Math.min(next ?? scheduledAt, scheduledAt), undefined);
  }

  /** A name is taken by a task that waits or runs, and by one that ended within the hour, however it ended. */
  isTaken(id: string): boolean {
    const endedAt = this.#ended.get(id);
    return this.tasks.has(id) || (endedAt !== undefined && this.#world.clock.now() < endedAt + nameKeptMs);
  }

  add(task: FakeTask): void {
    this.#ended.delete(task.id);
    this.tasks.set(task.id, task);
    this.wake();
  }

  /** Also one that is under way: its request goes on, but it is not made again. */
  delete(id: string): void {
    this.tasks.delete(id);
    this.#ended.set(id, this.#world.clock.now());
  }

  /** Dispatches what is due and within the limits, and comes back when more is. */
  wake(): void {
    this.#sleep.abort();
    if (this.#closing.signal.aborted) return;
    const { clock, random, shuffled } = this.#world;
    const now = clock.now();
    while (!this.paused && this.#running.size < this.#limits.maxConcurrentDispatches && this.#bucket.waitMs(now) <= 0) {
      const due = this.#waiting().filter(({ scheduledAt }) => scheduledAt <= now);
      if (due.length === 0) break;
      const oldest = due.reduce((one, other) => (other.scheduledAt < one.scheduledAt ? other : one));
      this.#bucket.take(now);
      void this.#dispatch(shuffled ? random.pick(due) : oldest);
    }
    this.#sleepUntilNext(now);
  }

  /** Aborts what is under way; nothing goes out any more. */
  close(): void {
    this.#closing.abort(new Error('the service was stopped'));
    this.#sleep.abort();
  }

  #waiting(): FakeTask[] {
    return [...this.tasks.values()].filter((task) => !this.#running.has(task));
  }

  #sleepUntilNext(now: number): void {
    const { nextAt } = this;
    if (nextAt === undefined || this.paused || this.#running.size >= this.#limits.maxConcurrentDispatches) return;
    const sleep = new AbortController();
    this.#sleep = sleep;
    const pauseMs = Math.max(nextAt - now, this.#bucket.waitMs(now));
    void this.#world.clock.sleep(Math.min(pauseMs, longestSleepMs), sleep.signal).then(() => {
      if (!sleep.signal.aborted) this.wake();
    });
  }

  async #dispatch(task: FakeTask): Promise<void> {
    const { clock, duplicateProbability, random } = this.#world;
    this.#running.add(task);
    task.dispatchCount += 1;
    const dispatchedAt = clock.now();
    task.firstAttemptAt ??= dispatchedAt;
    const attempt: NonNullable<FakeTask['lastAttempt']> = { scheduledAt: task.scheduledAt, dispatchedAt };
    const before = task.lastAttempt;
    task.lastAttempt = attempt;
    // At least once: now and then the service makes a request twice, and goes by one of the answers.
    if (random.chance(duplicateProbability)) void this.#post(task, before?.status);
    const answer = await this.#post(task, before?.status);
    if (this.#closing.signal.aborted) return;
    this.#running.delete(task);
    attempt.respondedAt = clock.now();
    attempt.status = answer?.status;
    if (answer !== undefined) task.responseCount += 1;
    if (this.tasks.get(task.id) === task) this.#settle(task, answer);
    this.wake();
  }

  /** The answer, or nothing when there was none in time. */
  async #post(task: FakeTask, previousStatus: number | undefined): Promise<PostAnswer | undefined> {
    const { clock, mint } = this.#world;
    const done = new AbortController();
    const late = new AbortController();
    void clock.sleep(task.deadlineMs, done.signal).then(() => {
      if (!done.signal.aborted) late.abort(new Error('the deadline was exceeded'));
    });
    try {
      const token = task.oidc && (await mint(task.oidc.email, task.oidc.audience));
      const headers = {
        'content-type': 'application/octet-stream',
        ...task.headers,
        'user-agent': 'Google-Cloud-Tasks',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        'x-cloudtasks-queuename': this.name,
        'x-cloudtasks-taskname': task.id,
        'x-cloudtasks-taskretrycount': String(task.dispatchCount - 1),
        'x-cloudtasks-taskexecutioncount': String(task.responseCount),
        'x-cloudtasks-tasketa': (task.scheduledAt / 1000).toFixed(6),
        ...(previousStatus !== undefined && { 'x-cloudtasks-taskpreviousresponse': String(previousStatus) }),
      };
      return await postTask(task.url, headers, task.body, AbortSignal.any([late.signal, this.#closing.signal]));
    } catch {
      // No token, no connection, no answer in time: for the service all of them are a failed attempt.
      return undefined;
    } finally {
      done.abort();
    }
  }

  #settle(task: FakeTask, answer: PostAnswer | undefined): void {
    const now = this.#world.clock.now();
    if (answer !== undefined && answer.status >= 200 && answer.status <= 299) return this.delete(task.id);
    const { maxAttempts, maxRetryDurationMs } = this.#limits;
    const attemptsUsed = maxAttempts >= 0 && task.dispatchCount >= maxAttempts;
    const timeUsed = now - task.firstAttemptAt! >= maxRetryDurationMs;
    if (attemptsUsed && timeUsed) {
      this.dropped += 1;
      return this.delete(task.id);
    }
    const throttled = answer !== undefined && [429, 503].includes(answer.status);
    const askedMs = throttled ? retryAfterMs(answer.retryAfter, now) : 0;
    task.scheduledAt = now + Math.max(backoffMs(this.#limits, task.dispatchCount), askedMs);
  }
}

function bucketOf({ maxDispatchesPerSecond }: FakeQueueLimits): TokenBucket {
  return new TokenBucket(Math.max(1, Math.ceil(maxDispatchesPerSecond / 5)), maxDispatchesPerSecond);
}

/** Doubles so many times, then grows by the last step, up to the maximum. `attempt` is 1 for the first. */
function backoffMs({ minBackoffMs, maxBackoffMs, maxDoublings }: FakeQueueLimits, attempt: number): number {
  const doublings = Math.min(attempt - 1, maxDoublings);
  const linear = attempt - 1 - doublings;
  return Math.min(minBackoffMs * 2 ** doublings * (linear + 1), maxBackoffMs);
}

function retryAfterMs(value: string | undefined, now: number): number {
  if (value === undefined) return 0;
  const asked = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isFinite(asked) ? Math.max(0, asked) : 0;
}
