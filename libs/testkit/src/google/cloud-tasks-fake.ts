import { status } from '@grpc/grpc-js';
import { randomInt } from 'node:crypto';
import { Random } from '../random.js';
import { systemClock, type Clock } from '../wire/clock.js';
import { Faults } from '../wire/faults.js';
import { isJson, type Json } from '../wire/json.js';
import { FakeQueue, type FakeQueueLimits, type FakeQueueWorld, type FakeTask } from './cloud-tasks-fake-queue.js';
import { GrpcFailure, GrpcServer, type GrpcMethods } from './grpc-server.js';
import { millisecondsOf, timestampOf } from './grpc-time.js';

/** 100 KB, read as the smaller of the two things that can mean. */
const maxTaskBytes = 100_000;
const maxHeaderBytes = 80_000;
const maxUrlLength = 2_083;
const maxAheadMs = 30 * 86_400_000;
const maxPageSize = 1_000;
const queueName = /^(projects\/([a-z0-9:.-]+)\/locations\/[a-z0-9-]+)\/queues\/[A-Za-z0-9-]{1,100}$/;
const taskId = /^[A-Za-z0-9_-]{1,500}$/;

export interface CloudTasksFakeOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** Address to listen on. Default: the loopback. */
  readonly host?: string;
  readonly clock?: Clock;
  /** An OIDC token of this service account for this audience: what Google's issuer does in reality. */
  readonly mint: (email: string, audience: string) => Promise<string>;
  /** How many requests are made twice: from 0, the default, to 1. */
  readonly duplicateProbability?: number;
  /** What is due goes out in any order. Default: oldest first. */
  readonly shuffled?: boolean;
  readonly seed?: string | number;
}

/**
 * Cloud Tasks on the loopback, over gRPC, strict: sizes, names (an ended one is taken for an hour), horizon, deadlines and limits of queues are as the service documents
 * them, and tasks are real HTTP requests with an OIDC token. What it holds is gone when it stops.
 */
export interface CloudTasksFake {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly faults: Faults;
  /** Tasks that were given up by the queue with this full name. */
  dropped(queue: string): number;
  stop(): Promise<void>;
}

/** Starts without queues. */
export async function startCloudTasksFake(options: CloudTasksFakeOptions): Promise<CloudTasksFake> {
  const { clock = systemClock, mint, duplicateProbability = 0, shuffled = false, seed = 1 } = options;
  const faults = new Faults();
  const service = new CloudTasksService({ clock, mint, duplicateProbability, shuffled, random: new Random(seed) });
  const server = new GrpcServer({
    clientPackage: '@google-cloud/tasks',
    services: {
      'google.cloud.tasks.v2.CloudTasks': service.methods,
      'google.cloud.tasks.v2beta3.CloudTasks': { GetQueue: service.queueWithStats },
    },
    clock,
    faults,
  });
  const host = await server.listen(options.port, options.host);
  return {
    host,
    faults,
    dropped: (queue) => service.queue(queue).dropped,
    async stop() {
      service.close();
      server.close();
    },
  };
}

class CloudTasksService {
  readonly #queues = new Map<string, FakeQueue>();
  readonly #world: FakeQueueWorld;

  constructor(world: FakeQueueWorld) {
    this.#world = world;
  }

  readonly methods: GrpcMethods = {
    CreateQueue: (request) => this.#createQueue(request),
    GetQueue: ({ name }) => showQueue(this.queue(name)),
    ListQueues: ({ parent, pageSize, pageToken }) => {
      const found = [...this.#queues.values()].filter(({ name }) => name.startsWith(`${String(parent)}/queues/`));
      const { items, nextPageToken } = page(found, pageSize, pageToken);
      return { queues: items.map(showQueue), nextPageToken };
    },
    UpdateQueue: (request) => this.#updateQueue(request),
    PauseQueue: ({ name }) => this.#setPaused(name, true),
    ResumeQueue: ({ name }) => this.#setPaused(name, false),
    PurgeQueue: ({ name }) => {
      const queue = this.queue(name);
      for (const id of queue.tasks.keys()) queue.delete(id);
      return showQueue(queue);
    },
    CreateTask: (request, sizeBytes) => this.#createTask(request, sizeBytes),
    GetTask: ({ name, responseView }) => showTask(...this.#task(name), responseView === 'FULL'),
    ListTasks: ({ parent, pageSize, pageToken, responseView }) => {
      const queue = this.queue(parent);
      const { items, nextPageToken } = page([...queue.tasks.values()], pageSize, pageToken);
      return { tasks: items.map((task) => showTask(queue, task, responseView === 'FULL')), nextPageToken };
    },
    DeleteTask: ({ name }) => {
      const [queue, task] = this.#task(name);
      queue.delete(task.id);
      return {};
    },
  };

  /** `GetQueue` of v2beta3: the statistics come only to those who ask for them by name. */
  readonly queueWithStats = ({ name, readMask }: Json): object => {
    const queue = this.queue(name);
    const paths = isJson(readMask) ? readMask['paths'] : undefined;
    const wanted = Array.isArray(paths) ? paths.map(String) : [];
    if (!wanted.includes('stats')) return { name: queue.name };
    const { nextAt } = queue;
    return {
      name: queue.name,
      stats: {
        tasksCount: String(queue.tasks.size),
        concurrentDispatchesCount: String(queue.running),
        ...(nextAt !== undefined && { oldestEstimatedArrivalTime: timestampOf(nextAt) }),
      },
    };
  };

  queue(name: unknown): FakeQueue {
    if (!queueName.test(String(name))) throw invalid(`${String(name)} is no queue name`);
    const queue = this.#queues.get(String(name));
    if (queue === undefined) throw new GrpcFailure(status.NOT_FOUND, 'Requested entity was not found: the queue does not exist.');
    return queue;
  }

  close(): void {
    for (const queue of this.#queues.values()) queue.close();
  }

  #createQueue({ parent, queue }: Json): object {
    const name = isJson(queue) ? String(queue['name']) : '';
    const [, location] = queueName.exec(name) ?? [];
    if (location === undefined || location !== parent) throw invalid(`${name} is no queue name of ${String(parent)}`);
    if (this.#queues.has(name)) throw new GrpcFailure(status.ALREADY_EXISTS, 'Queue already exists');
    const created = new FakeQueue(name, limitsOf(queue as Json, defaultLimits), this.#world);
    this.#queues.set(name, created);
    return showQueue(created);
  }

  #updateQueue({ queue: update }: Json): object {
    if (!isJson(update)) throw invalid('there is no queue to update');
    const queue = this.queue(update['name']);
    queue.limits = limitsOf(update, queue.limits);
    return showQueue(queue);
  }

  #setPaused(name: unknown, paused: boolean): object {
    const queue = this.queue(name);
    queue.paused = paused;
    queue.wake();
    return showQueue(queue);
  }

  #createTask({ parent, task, responseView }: Json, sizeBytes: number): object {
    const queue = this.queue(parent);
    if (!isJson(task)) throw invalid('there is no task');
    if (sizeBytes > maxTaskBytes) throw invalid(`Task size too large: ${sizeBytes} bytes`);
    const now = this.#world.clock.now();
    const created = this.#checkedTask(queue, task, now);
    if (queue.isTaken(created.id)) throw new GrpcFailure(status.ALREADY_EXISTS, 'Requested entity already exists');
    queue.add(created);
    return showTask(queue, created, responseView === 'FULL');
  }

  #checkedTask(queue: FakeQueue, task: Json, now: number): FakeTask {
    const name = String(task['name']);
    const id = name === '' ? String(randomInt(1e9, 1e12)) : name.slice(`${queue.name}/tasks/`.length);
    if (name !== '' && (!name.startsWith(`${queue.name}/tasks/`) || !taskId.test(id))) throw invalid(`${name} is no task of ${queue.name}`);
    const request = task['httpRequest'];
    if (!isJson(request)) throw invalid('this fake knows HTTP tasks only');
    const url = String(request['url']);
    if (!/^https?:\/\//.test(url) || !URL.canParse(url) || url.length > maxUrlLength) throw invalid('the URL of the task is none');
    if (!['POST', 'HTTP_METHOD_UNSPECIFIED'].includes(String(request['httpMethod']))) throw invalid('this fake knows POST only');
    const scheduledAt = Math.max(millisecondsOf(task['scheduleTime']) ?? now, now);
    if (scheduledAt > now + maxAheadMs) throw invalid('The Task.scheduleTime is too far in the future: more than 30 days');
    const deadlineMs = millisecondsOf(task['dispatchDeadline']) ?? 600_000;
    if (deadlineMs < 15_000 || deadlineMs > 1_800_000) throw invalid('The Task.dispatchDeadline must be between 15s and 1800s');
    return {
      id,
      url,
      headers: checkedHeaders(request['headers']),
      body: Buffer.isBuffer(request['body']) ? request['body'] : Buffer.alloc(0),
      oidc: checkedOidc(request['oidcToken'], queue.name, url),
      deadlineMs,
      createdAt: now,
      scheduledAt,
      dispatchCount: 0,
      responseCount: 0,
      firstAttemptAt: undefined,
      lastAttempt: undefined,
    };
  }

  #task(name: unknown): [FakeQueue, FakeTask] {
    const [, parent, id = ''] = /^(.+)\/tasks\/([^/]+)$/.exec(String(name)) ?? [];
    const queue = this.queue(parent);
    const task = queue.tasks.get(id);
    if (task === undefined) {
      const why = queue.isTaken(id) ? 'The task no longer exists, though a task with this name existed recently.' : 'Task not found.';
      throw new GrpcFailure(status.NOT_FOUND, why);
    }
    return [queue, task];
  }
}

/** Those that the service replaces are dropped, as it does; none may break out of its line. */
function checkedHeaders(given: unknown): Record<string, string> {
  const entries = Object.entries(isJson(given) ? given : {}).map(([name, value]) => [name.toLowerCase(), String(value)] as const);
  if (entries.reduce((bytes, [name, value]) => bytes + Buffer.byteLength(name) + Buffer.byteLength(value), 0) >= maxHeaderBytes) {
    throw invalid('The headers are larger than 80KB');
  }
  if (entries.some(([name, value]) => !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) || /[\r\n\0]/.test(value)))
    throw invalid('a header is none');
  const replaced = /^(?:host|content-length|user-agent|x-google-.*|x-appengine-.*|x-cloudtasks-.*)$/;
  return Object.fromEntries(entries.filter(([name]) => !replaced.test(name)));
}

/** Cloud Tasks may only speak for service accounts of the queue's project. */
function checkedOidc(given: unknown, queue: string, url: string): FakeTask['oidc'] {
  if (!isJson(given)) return undefined;
  const email = String(given['serviceAccountEmail']);
  const [, , project] = queueName.exec(queue)!;
  if (!email.endsWith(`@${project}.iam.gserviceaccount.com`)) {
    throw new GrpcFailure(status.PERMISSION_DENIED, `The principal lacks IAM permission "iam.serviceAccounts.actAs" for ${email}`);
  }
  return { email, audience: String(given['audience'] || url) };
}

/** What a queue has that says nothing of its limits. */
const defaultLimits: FakeQueueLimits = {
  maxDispatchesPerSecond: 500,
  maxConcurrentDispatches: 1_000,
  maxAttempts: 100,
  maxRetryDurationMs: 0,
  minBackoffMs: 100,
  maxBackoffMs: 3_600_000,
  maxDoublings: 16,
};

/** Durations are cut to whole seconds, as the service does. */
function limitsOf({ rateLimits, retryConfig }: Json, before: FakeQueueLimits): FakeQueueLimits {
  const rate = isJson(rateLimits) ? rateLimits : {};
  const retry = isJson(retryConfig) ? retryConfig : {};
  const number = (value: unknown, otherwise: number): number => Number(value) || otherwise;
  const wholeSeconds = (value: unknown, otherwise: number): number => {
    const given = millisecondsOf(value);
    return given === undefined ? otherwise : Math.floor(given / 1000) * 1000;
  };
  const limits: FakeQueueLimits = {
    maxDispatchesPerSecond: number(rate['maxDispatchesPerSecond'], before.maxDispatchesPerSecond),
    maxConcurrentDispatches: number(rate['maxConcurrentDispatches'], before.maxConcurrentDispatches),
    maxAttempts: number(retry['maxAttempts'], before.maxAttempts),
    maxRetryDurationMs: wholeSeconds(retry['maxRetryDuration'], before.maxRetryDurationMs),
    minBackoffMs: wholeSeconds(retry['minBackoff'], before.minBackoffMs),
    maxBackoffMs: wholeSeconds(retry['maxBackoff'], before.maxBackoffMs),
    maxDoublings: isJson(retryConfig) ? Number(retry['maxDoublings']) : before.maxDoublings,
  };
  if (limits.maxDispatchesPerSecond > 500) throw invalid('RateLimits.maxDispatchesPerSecond must be at most 500');
  if (limits.maxConcurrentDispatches > 5_000) throw invalid('RateLimits.maxConcurrentDispatches must be at most 5000');
  if (limits.maxAttempts < -1) throw invalid('RetryConfig.maxAttempts must be at least -1');
  if (limits.maxBackoffMs < limits.minBackoffMs) throw invalid('RetryConfig.maxBackoff must not be below minBackoff');
  return limits;
}

function showQueue({ name, limits, paused }: FakeQueue): object {
  return {
    name,
    state: paused ? 'PAUSED' : 'RUNNING',
    rateLimits: { maxDispatchesPerSecond: limits.maxDispatchesPerSecond, maxConcurrentDispatches: limits.maxConcurrentDispatches },
    retryConfig: {
      maxAttempts: limits.maxAttempts,
      maxRetryDuration: timestampOf(limits.maxRetryDurationMs),
      minBackoff: timestampOf(limits.minBackoffMs),
      maxBackoff: timestampOf(limits.maxBackoffMs),
      maxDoublings: limits.maxDoublings,
    },
  };
}

function showTask(queue: FakeQueue, task: FakeTask, full: boolean): object {
  const { lastAttempt, firstAttemptAt } = task;
  return {
    name: `${queue.name}/tasks/${task.id}`,
    httpRequest: {
      url: task.url,
      httpMethod: 'POST',
      headers: task.headers,
      ...(full && { body: task.body }),
      ...(task.oidc && { oidcToken: { serviceAccountEmail: task.oidc.email, audience: task.oidc.audience } }),
    },
    scheduleTime: timestampOf(task.scheduledAt),
    createTime: timestampOf(Math.floor(task.createdAt / 1000) * 1000),
    dispatchDeadline: timestampOf(task.deadlineMs),
    dispatchCount: task.dispatchCount,
    responseCount: task.responseCount,
    ...(firstAttemptAt !== undefined && { firstAttempt: { dispatchTime: timestampOf(firstAttemptAt) } }),
    ...(lastAttempt !== undefined && {
      lastAttempt: {
        scheduleTime: timestampOf(lastAttempt.scheduledAt),
        dispatchTime: timestampOf(lastAttempt.dispatchedAt),
        ...(lastAttempt.respondedAt !== undefined && { responseTime: timestampOf(lastAttempt.respondedAt) }),
      },
    }),
    view: full ? 'FULL' : 'BASIC',
  };
}

function page<T>(all: readonly T[], pageSize: unknown, pageToken: unknown): { items: T[]; nextPageToken: string } {
  const size = Math.min(Number(pageSize) || maxPageSize, maxPageSize);
  const start = Number(pageToken || 0);
  if (!Number.isInteger(start) || start < 0) throw invalid('the page token is none that was given out');
  return { items: all.slice(start, start + size), nextPageToken: start + size < all.length ? String(start + size) : '' };
}

function invalid(message: string): GrpcFailure {
  return new GrpcFailure(status.INVALID_ARGUMENT, message);
}
