import { afterEach, beforeEach, expect } from '@jest/globals';
import { codeOf } from '@rockpool/contracts';
import type { Identity } from '../identity.js';
import type { QueueSpec, TaskRequest, Tasks } from '../tasks.js';
import { eventually } from './eventually.js';
import { type ReceivedTask, TaskReceiver } from './task-receiver.js';

/** An engine's tasks under test, with these queues and nothing in them. */
export interface TasksHarness {
  readonly tasks: Tasks;
  /** Verifies the tokens that the tasks carry; they speak for the service `scheduler`. */
  readonly identity: Identity;
  /** Milliseconds since the epoch, by the clock that tasks are scheduled with. */
  now(): number;
  advance(milliseconds: number): void | Promise<void>;
  close(): Promise<void>;
}

const queue: QueueSpec = {
  name: 'work',
  maxDispatchesPerSecond: 500,
  maxConcurrentDispatches: 100,
  maxAttempts: 100,
  maxRetryDurationMs: 86_400_000,
  minBackoffMs: 1_000,
  maxBackoffMs: 8_000,
};
const queues: QueueSpec[] = [
  queue,
  { ...queue, name: 'narrow', maxConcurrentDispatches: 2 },
  { ...queue, name: 'impatient', maxAttempts: 2, maxRetryDurationMs: 0 },
  { ...queue, name: 'patient', maxAttempts: 1, maxRetryDurationMs: 10_000 },
];
export const audience = 'https://agent-host.example';
export const hour = 3_600_000;

/** An engine and a receiver for each test, and what a test does with both. */
export class TaskBench {
  harness!: TasksHarness;
  receiver!: TaskReceiver;

  /** Opens and closes around every test of the surrounding `describe`. */
  constructor(open: (queues: readonly QueueSpec[]) => Promise<TasksHarness>) {
    beforeEach(async () => {
      this.harness = await open(queues);
      this.receiver = await TaskReceiver.listen(() => this.harness.now());
    });
    afterEach(async () => {
      await this.harness.close();
      await this.receiver.close();
    });
  }

  get tasks(): Tasks {
    return this.harness.tasks;
  }

  create(path: string, more: Partial<TaskRequest> = {}): Promise<string> {
    return this.tasks.create({ queue: 'work', url: `${this.receiver.url}${path}`, body: new Uint8Array(), audience, ...more });
  }

  inMs(milliseconds: number): { scheduleAt: Date } {
    return { scheduleAt: new Date(this.harness.now() + milliseconds) };
  }

  /** Lets time pass until the `count`-th request is there. */
  gotInTime(count: number, stepMs = 50): Promise<ReceivedTask> {
    return eventually(`request ${count}`, async () => {
      if (this.receiver.received.length >= count) return this.receiver.received[count - 1]!;
      await this.harness.advance(stepMs);
      return undefined;
    });
  }

  async ended(queueName = 'work'): Promise<void> {
    await eventually(`the end of what is in ${queueName}`, async () => (await this.tasks.stats(queueName)).pending === 0);
  }

  /** An engine that counts what it gave up has counted so many. */
  async expectDropped(queueName: string, count: number): Promise<void> {
    expect([count, undefined]).toContain((await this.tasks.stats(queueName)).dropped);
  }

  /** Proves that whatever was due has been dispatched: a task created now arrives. */
  async settled(): Promise<void> {
    const before = this.receiver.received.length;
    await this.create('/sentinel');
    await eventually('the sentinel', () => this.receiver.paths.slice(before).includes('/sentinel'));
  }
}

/** The code a promise rejects with. */
export function codeFrom(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => 'no error', codeOf);
}
