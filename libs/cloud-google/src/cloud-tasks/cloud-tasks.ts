import type { CloudTasksClient, v2beta3 } from '@google-cloud/tasks';
import { checkedTask, type CheckedTask, type QueueSpec, type QueueStats, refuseBadQueue, type TaskRequest, Tasks } from '@rockpool/cloud';
import { AlreadyExists, codeOf, NotFound, RockpoolError } from '@rockpool/contracts';
import { callApi, codeOfCall, grpcCode, oneAttempt } from '../api-calls.js';
import { plaintextEndpoint, type PlaintextEndpoint } from '../grpc-endpoint.js';
import { protoTime } from './proto-time.js';
import { ensureQueues } from './queues.js';
import { taskIdOf } from './task-id.js';

export interface CloudTasksOptions {
  readonly projectId: string;
  /** `europe-west1`. */
  readonly region: string;
  readonly queues: readonly QueueSpec[];
  /** Address of the service account that the tasks' tokens speak for: this process's own, `scheduler@….iam.gserviceaccount.com`. */
  readonly serviceAccount: string;
  /** Makes queues that are missing, and sets the limits of those that are there. In production Terraform does. */
  readonly createTopology: boolean;
  /** `host:port` of a fake. Default: the real service, with the process's own credentials. */
  readonly endpoint?: string;
  /** Milliseconds since the epoch. Default: the system's clock. */
  readonly now?: () => number;
}

/**
 * Tasks in Cloud Tasks. A task's id there begins with a hash of its name, so that names may be sequential. The request carries `x-rockpool-task-name`, as the embedded engine's
 * does, besides Google's own `X-CloudTasks-…`; neither proves anything, the OIDC token does.
 *
 * What the service does otherwise than the port would like: a task under way may still be retried when this process closes; `cancel` may come while a delivery begins; a redirect
 * may be followed; how many tasks were given up is in Cloud Monitoring only. A task goes out at most 30 days ahead: what is later belongs in a record that makes the next task.
 */
export class CloudTasks extends Tasks {
  readonly #options: CloudTasksOptions;
  readonly #queues: ReadonlySet<string>;
  readonly #now: () => number;
  #client: Promise<CloudTasksClient> | undefined;
  #statsClient: Promise<v2beta3.CloudTasksClient> | undefined;
  #closing: Promise<void> | undefined;

  private constructor(options: CloudTasksOptions) {
    super();
    this.#options = options;
    this.#queues = new Set(options.queues.map(({ name }) => name));
    this.#now = options.now ?? Date.now;
  }

  /**
   * The client is loaded with the first call, for most apps never make one. Rejects with `invalid` when a queue makes no sense, and with `unavailable` when queues are to be made and
   * the service does not answer.
   */
  static async open(options: CloudTasksOptions): Promise<CloudTasks> {
    for (const spec of options.queues) refuseBadQueue(spec);
    const tasks = new CloudTasks(options);
    if (options.createTopology) {
      try {
        await ensureQueues(await tasks.#connected(), tasks.#location, options.queues);
      } catch (error) {
        await tasks.close();
        throw error;
      }
    }
    return tasks;
  }

  async create(request: TaskRequest): Promise<string> {
    const parent = this.#queuePath(request.queue);
    this.#refuseClosed();
    const task = checkedTask(request, this.#now());
    const client = await this.#connected();
    await callApi(`create the task ${task.queue}/${task.name}`, async (attempt) => {
      try {
        await client.createTask({ parent, task: this.#message(parent, task) }, oneAttempt);
      } catch (error) {
        if (codeOfCall(error) !== grpcCode.alreadyExists) throw error;
        // Nobody else has a name that was made up here: an attempt before this one made the task, although its answer was lost.
        if (attempt > 1 && request.name === undefined) return;
        throw new AlreadyExists(`the task ${task.queue}/${task.name} exists, or did within the last hour`, { cause: error });
      }
    });
    return task.name;
  }

  async cancel(queue: string, name: string): Promise<boolean> {
    const path = `${this.#queuePath(queue)}/tasks/${taskIdOf(name)}`;
    this.#refuseClosed();
    const client = await this.#connected();
    try {
      const [task] = await callApi(`look at the task ${queue}/${name}`, () => client.getTask({ name: path }, oneAttempt));
      const { lastAttempt } = task;
      if (lastAttempt?.dispatchTime && !lastAttempt.responseTime) return false;
      await callApi(`cancel the task ${queue}/${name}`, async (attempt) => {
        try {
          await client.deleteTask({ name: path }, oneAttempt);
        } catch (error) {
          // Deleted by the attempt before.
          if (attempt === 1 || codeOfCall(error) !== grpcCode.notFound) throw error;
        }
      });
      return true;
    } catch (error) {
      if (codeOf(error) === 'not_found') return false;
      throw error;
    }
  }

  /** The service's own estimates. What was given up it does not tell: see the metric `cloudtasks.googleapis.com/queue/task_attempt_count`. */
  async stats(queue: string): Promise<QueueStats> {
    const request = { name: this.#queuePath(queue), readMask: { paths: ['stats'] } };
    this.#refuseClosed();
    const client = await this.#connectedForStats();
    const [{ stats }] = await callApi(`count the tasks of ${queue}`, () => client.getQueue(request, oneAttempt));
    const dueAt = stats?.oldestEstimatedArrivalTime?.seconds;
    const oldestDueAt =
      dueAt === undefined || dueAt === null ? Infinity : Number(dueAt) * 1000 + Number(stats!.oldestEstimatedArrivalTime!.nanos) / 1e6;
    return { pending: Number(stats?.tasksCount ?? 0), oldestLateMs: Math.max(0, this.#now() - oldestDueAt) };
  }

  /** Ends the connections. The service goes on dispatching. */
  async close(): Promise<void> {
    this.#closing ??= Promise.all([this.#client, this.#statsClient].map(async (client) => (await client)?.close())).then(() => undefined);
    await this.#closing;
  }

  #connected(): Promise<CloudTasksClient> {
    return (this.#client ??= this.#settings().then(
      async (settings) => new (await import('@google-cloud/tasks')).CloudTasksClient(settings),
    ));
  }

  /** Only v2beta3 tells how many tasks a queue holds without listing them all. */
  #connectedForStats(): Promise<v2beta3.CloudTasksClient> {
    return (this.#statsClient ??= this.#settings().then(
      async (settings) => new (await import('@google-cloud/tasks')).v2beta3.CloudTasksClient(settings),
    ));
  }

  async #settings(): Promise<{ projectId: string } & Partial<PlaintextEndpoint>> {
    return { projectId: this.#options.projectId, ...(await plaintextEndpoint(this.#options.endpoint)) };
  }

  get #location(): string {
    return `projects/${this.#options.projectId}/locations/${this.#options.region}`;
  }

  #queuePath(queue: string): string {
    if (!this.#queues.has(queue)) throw new NotFound(`there is no task queue ${queue}`);
    return `${this.#location}/queues/${queue}`;
  }

  #refuseClosed(): void {
    if (this.#closing !== undefined) throw new RockpoolError('unavailable', 'tasks are closed');
  }

  #message(parent: string, task: CheckedTask): object {
    return {
      name: `${parent}/tasks/${taskIdOf(task.name)}`,
      scheduleTime: protoTime(task.dueAt),
      dispatchDeadline: protoTime(task.deadlineMs),
      httpRequest: {
        httpMethod: 'POST',
        url: task.url,
        headers: { 'content-type': 'application/octet-stream', ...task.headers, 'x-rockpool-task-name': task.name },
        body: task.body,
        oidcToken: { serviceAccountEmail: this.#options.serviceAccount, audience: task.audience },
      },
    };
  }
}
