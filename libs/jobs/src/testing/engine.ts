import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Documents, QueueSpec, Tasks } from '@rockpool/cloud';
import { Database, LocalIdentity, SqliteDocuments, SqliteTasks } from '@rockpool/cloud-embedded';
import { eventually, ManualClock, TaskReceiver, type ReceivedTask, type TaskAnswer } from '@rockpool/cloud/testing';
import { conversationIndexes } from '@rockpool/conversations';
import { jobIndexes } from '../job-records.js';
import { jobQueues } from '../job-tasks.js';
import { scheduleIndexes } from '../schedule-records.js';
import { scheduleQueue } from '../schedule-tasks.js';

/** The embedded drivers on a clock that stands still, with a real server that their tasks are sent to. */
export interface TestEngine {
  readonly clock: ManualClock;
  readonly documents: Documents;
  readonly tasks: Tasks;
  readonly receiver: TaskReceiver;
  /** Lets time pass in small steps, with a moment after each for what it wakes. */
  elapse(milliseconds: number): Promise<void>;
  /** Whether somebody lets time pass in this way now. */
  readonly elapsing: boolean;
  /** Lets time pass until it is true. Nothing else may be letting time pass meanwhile. */
  until(what: string, isTrue: () => Promise<boolean> | boolean, stepMs?: number): Promise<void>;
  /** Opens the task driver anew, as the next start of a process does. */
  restartTasks(): Promise<void>;
  /** Again is no error. */
  close(): Promise<void>;
}

/** `start` lies beyond the time of the machine: documents expire by that. */
export async function openTestEngine(
  answer: (task: ReceivedTask) => Promise<TaskAnswer>,
  start = Date.parse('2030-03-01T12:00:00Z'),
): Promise<TestEngine> {
  const folder = await mkdtemp(join(tmpdir(), 'rockpool-jobs-'));
  const clock = new ManualClock(start);
  const database = Database.open(join(folder, 'rockpool.db'), { synchronous: 'OFF' });
  const documents = new SqliteDocuments(database, [...jobIndexes, ...scheduleIndexes, ...conversationIndexes]);
  const identity = await LocalIdentity.open({ keysFile: join(folder, 'identity.json'), now: clock.now });
  const queues: QueueSpec[] = [...jobQueues, scheduleQueue];
  let tasks = await SqliteTasks.open(database, identity, { queues, clock });
  const receiver = await TaskReceiver.listen(clock.now);
  receiver.answerWith(answer);
  let closed = false;
  let elapsing = 0;
  return {
    clock,
    documents,
    get tasks() {
      return tasks;
    },
    receiver,
    get elapsing() {
      return elapsing > 0;
    },
    async elapse(milliseconds) {
      elapsing++;
      for (let left = milliseconds; left > 0; left -= 10_000) {
        clock.advance(Math.min(left, 10_000));
        // Heartbeats that were woken are written before more time passes.
        for (let turn = 0; turn < 4; turn++) await setImmediate();
        await documents.query({ from: { collection: 'nothing' } });
      }
      elapsing--;
    },
    async until(what, isTrue, stepMs = 500) {
      await eventually(what, async () => {
        if (await isTrue()) return true;
        clock.advance(stepMs);
        return undefined;
      });
    },
    async restartTasks() {
      await tasks.close(0);
      tasks = await SqliteTasks.open(database, identity, { queues, clock });
    },
    async close() {
      if (closed) return;
      closed = true;
      await tasks.close(0);
      await receiver.close();
      documents.close();
      await database.close();
      await rm(folder, { recursive: true });
    },
  };
}
