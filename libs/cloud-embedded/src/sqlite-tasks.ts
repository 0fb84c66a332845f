import {
  checkedTask,
  type Identity,
  type QueueSpec,
  type QueueStats,
  refuseBadQueue,
  type TaskRequest,
  Tasks,
  thisProcess,
} from '@rockpool/cloud';
import { NotFound, RockpoolError } from '@rockpool/contracts';
import type { Database } from './database.js';
import { type Clock, systemClock } from './sqlite-tasks/clock.js';
import { HttpSender } from './sqlite-tasks/http-sender.js';
import { TaskQueue, type TaskFailure } from './sqlite-tasks/task-queue.js';
import { type NewTask, TaskStore } from './sqlite-tasks/task-store.js';

const defaultDrainMs = 5_000;

export interface SqliteTasksOptions {
  queues: readonly QueueSpec[];
  /** The service that the tokens speak for. Default `scheduler`. */
  service?: string;
  clock?: Clock;
  /** Where this process answers, once it does: tasks for `thisProcess` go there, and none is delivered before. Default: each goes where it says, at once. */
  ownUrl?: Promise<string>;
  /** Told of every failed attempt, after it was recorded. Must not throw. */
  onFailure?: (failure: TaskFailure) => void;
}

/**
 * Tasks as rows, delivered over HTTP by this process. Each request carries `x-rockpool-task-name`, `x-rockpool-task-queue` and `x-rockpool-task-attempt` (1 on the first).
 *
 * A task is recorded as under way before its request leaves and as ended after the answer: a crash in between delivers it again, at once after the start. Tasks of a queue that is
 * no longer given stay in the table until it is given again.
 */
export class SqliteTasks extends Tasks {
  readonly #store: TaskStore;
  readonly #clock: Clock;
  readonly #sender = new HttpSender();
  readonly #queues: ReadonlyMap<string, TaskQueue>;
  #closing: Promise<void> | undefined;
  #ownUrl = thisProcess;
  #isDelivering = false;

  private constructor(store: TaskStore, identity: Identity, options: SqliteTasksOptions) {
    super();
    const { queues, service = 'scheduler', clock = systemClock, onFailure = () => undefined } = options;
    this.#store = store;
    this.#clock = clock;
    const attempt = async (task: NewTask & { attempt: number }, signal: AbortSignal) => {
      const token = await identity.mint({ audience: task.audience, service });
      return this.#sender.post(this.#urlOf(task), requestHeaders(task, token), task.body, signal);
    };
    this.#queues = new Map(queues.map((spec) => [spec.name, new TaskQueue(spec, store, attempt, clock, onFailure)]));
  }

  /** Begins to deliver what is due, at once or when `ownUrl` is known. The database outlives it. */
  static async open(database: Database, identity: Identity, options: SqliteTasksOptions): Promise<SqliteTasks> {
    for (const spec of options.queues) refuseBadQueue(spec);
    const store = new TaskStore(database);
    await store.recover();
    const tasks = new SqliteTasks(store, identity, options);
    if (options.ownUrl) void options.ownUrl.then((url) => tasks.#deliver(url));
    else tasks.#deliver();
    return tasks;
  }

  async create(request: TaskRequest): Promise<string> {
    const queue = this.#queue(request.queue);
    if (this.#closing !== undefined) throw new RockpoolError('unavailable', 'tasks are closed');
    const task = checkedTask(request, this.#clock.now());
    await this.#store.create(task, this.#clock.now());
    if (this.#isDelivering) queue.wake();
    return task.name;
  }

  async cancel(queue: string, name: string): Promise<boolean> {
    return this.#store.cancel(this.#queue(queue).spec.name, name, this.#clock.now());
  }

  async stats(queue: string): Promise<QueueStats> {
    const { pending, oldestDueAt, dropped } = this.#store.stats(this.#queue(queue).spec.name);
    return { pending, oldestLateMs: Math.max(0, this.#clock.now() - (oldestDueAt ?? Infinity)), dropped };
  }

  async close(drainMs = defaultDrainMs): Promise<void> {
    this.#closing ??= Promise.all([...this.#queues.values()].map((queue) => queue.close(drainMs))).then(() => this.#sender.close());
    await this.#closing;
  }

  #deliver(ownUrl = thisProcess): void {
    if (this.#closing !== undefined) return;
    this.#ownUrl = ownUrl;
    this.#isDelivering = true;
    for (const queue of this.#queues.values()) queue.wake();
  }

  #urlOf({ url }: NewTask): string {
    return url.startsWith(`${thisProcess}/`) ? this.#ownUrl + url.slice(thisProcess.length) : url;
  }

  #queue(name: string): TaskQueue {
    const queue = this.#queues.get(name);
    if (queue === undefined) throw new NotFound(`there is no task queue ${name}`);
    return queue;
  }
}

function requestHeaders(task: NewTask & { attempt: number }, token: string): Record<string, string> {
  return {
    'content-type': 'application/octet-stream',
    ...task.headers,
    authorization: `Bearer ${token}`,
    'x-rockpool-task-name': task.name,
    'x-rockpool-task-queue': task.queue,
    'x-rockpool-task-attempt': String(task.attempt),
  };
}
