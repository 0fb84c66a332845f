import { AlreadyExists } from '@rockpool/contracts';
import type { Database } from '../database.js';

// A task waits, runs, and ends; its row stays for a while after the end, without what it carried, so that its name is not used again.
const schema = `
  CREATE TABLE IF NOT EXISTS tasks (
    queue TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'ended')),
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    first_attempt_at INTEGER,
    ended_at INTEGER,
    url TEXT NOT NULL,
    audience TEXT NOT NULL,
    headers TEXT NOT NULL,
    deadline_ms INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (queue, name)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS tasks_waiting ON tasks (queue, due_at) WHERE state = 'waiting';
  CREATE INDEX IF NOT EXISTS tasks_running ON tasks (queue) WHERE state = 'running';
  CREATE INDEX IF NOT EXISTS tasks_ended ON tasks (ended_at) WHERE state = 'ended';
  CREATE TABLE IF NOT EXISTS task_queues (
    name TEXT PRIMARY KEY,
    dropped INTEGER NOT NULL
  ) WITHOUT ROWID, STRICT;
`;

const nameKeptMs = 3_600_000;
/** Old names removed by each task that ends: more than come in, so they never pile up, and few enough to cost nothing. */
const forgottenAtOnce = 50;

/** A task to be stored. */
export interface NewTask {
  readonly queue: string;
  readonly name: string;
  readonly dueAt: number;
  readonly url: string;
  readonly audience: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly deadlineMs: number;
  readonly body: Uint8Array;
}

/** A task taken for one attempt. */
export interface ClaimedTask extends NewTask {
  /** 1 on the first. */
  readonly attempt: number;
  readonly firstAttemptAt: number;
}

/** The table of tasks. Every write resolves when it is durable. */
export class TaskStore {
  constructor(private readonly database: Database) {
    database.define(schema);
  }

  /** Tasks that were under way when the process died wait again. */
  async recover(): Promise<void> {
    await this.database.write((db) => db.exec(`UPDATE tasks SET state = 'waiting' WHERE state = 'running'`));
  }

  async create(task: NewTask, now: number): Promise<void> {
    await this.database.write(() => {
      this.database
        .prepare(`DELETE FROM tasks WHERE queue = ? AND name = ? AND state = 'ended' AND ended_at <= ?`)
        .run(task.queue, task.name, now - nameKeptMs);
      const { changes } = this.database
        .prepare(
          `INSERT OR IGNORE INTO tasks (queue, name, state, due_at, attempts, url, audience, headers, deadline_ms, body)
           VALUES (?, ?, 'waiting', ?, 0, ?, ?, ?, ?, ?)`,
        )
        .run(task.queue, task.name, task.dueAt, task.url, task.audience, JSON.stringify(task.headers), task.deadlineMs, task.body);
      if (changes === 0) throw new AlreadyExists(`the task ${task.name} exists in queue ${task.queue}, or ended less than an hour ago`);
    });
  }

  /** Takes what is due, most overdue first, and counts the attempt, so that a task that kills the process does not get endless first attempts. */
  async claim(queue: string, now: number, limit: number): Promise<ClaimedTask[]> {
    const rows = await this.database.write(() =>
      this.database
        .prepare(
          `UPDATE tasks SET state = 'running', attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, ?2)
           WHERE rowid IN (SELECT rowid FROM tasks WHERE queue = ?1 AND state = 'waiting' AND due_at <= ?2 ORDER BY due_at, rowid LIMIT ?3)
           RETURNING *`,
        )
        .all(queue, now, limit),
    );
    return rows.map((row) => claimed(row)).sort((one, other) => one.dueAt - other.dueAt);
  }

  /** When the next waiting task of the queue is due. */
  nextDueAt(queue: string): number | undefined {
    const row = this.database.read(() =>
      this.database.prepare(`SELECT min(due_at) AS due_at FROM tasks WHERE queue = ? AND state = 'waiting'`).get(queue),
    );
    return (row?.['due_at'] as number | null) ?? undefined;
  }

  async retry(queue: string, name: string, dueAt: number): Promise<void> {
    await this.database.write(
      () =>
        void this.database
          .prepare(`UPDATE tasks SET state = 'waiting', due_at = ? WHERE queue = ? AND name = ? AND state = 'running'`)
          .run(dueAt, queue, name),
    );
  }

  async end(queue: string, name: string, now: number, dropped: boolean): Promise<void> {
    await this.database.write(() => {
      this.#end(queue, name, 'running', now);
      if (!dropped) return;
      this.database
        .prepare(`INSERT INTO task_queues (name, dropped) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET dropped = dropped + 1`)
        .run(queue);
    });
  }

  /** False when the task was not waiting. */
  async cancel(queue: string, name: string, now: number): Promise<boolean> {
    return this.database.write(() => this.#end(queue, name, 'waiting', now));
  }

  stats(queue: string): { pending: number; oldestDueAt: number | undefined; dropped: number } {
    const [pending, dropped] = this.database.read(() => [
      this.database
        .prepare(
          `SELECT (SELECT count(*) FROM tasks WHERE queue = ?1 AND state = 'waiting') + (SELECT count(*) FROM tasks WHERE queue = ?1 AND state = 'running') AS count`,
        )
        .get(queue),
      this.database.prepare('SELECT dropped FROM task_queues WHERE name = ?').get(queue),
    ]);
    return { pending: Number(pending!['count']), oldestDueAt: this.nextDueAt(queue), dropped: Number(dropped?.['dropped'] ?? 0) };
  }

  /** Tasks of every queue that ever was: those that were under way or are due (`now`: epoch milliseconds), and those whose time comes later. */
  standing(now: number): { queue: string; due: number; later: number }[] {
    const rows = this.database.read(() =>
      this.database
        .prepare(
          `SELECT queue, sum(state = 'running' OR due_at <= ?1) AS due, sum(state = 'waiting' AND due_at > ?1) AS later
           FROM tasks WHERE state <> 'ended' GROUP BY queue ORDER BY queue`,
        )
        .all(now),
    );
    return rows.map((row) => ({ queue: String(row['queue']), due: Number(row['due']), later: Number(row['later']) }));
  }

  #end(queue: string, name: string, from: 'waiting' | 'running', now: number): boolean {
    const { changes } = this.database
      .prepare(`UPDATE tasks SET state = 'ended', ended_at = ?, body = x'', headers = '{}' WHERE queue = ? AND name = ? AND state = ?`)
      .run(now, queue, name, from);
    this.database
      .prepare(
        `DELETE FROM tasks WHERE rowid IN (SELECT rowid FROM tasks WHERE state = 'ended' AND ended_at <= ? ORDER BY ended_at LIMIT ${forgottenAtOnce})`,
      )
      .run(now - nameKeptMs);
    return changes > 0;
  }
}

function claimed(row: Record<string, unknown>): ClaimedTask {
  return {
    queue: row['queue'] as string,
    name: row['name'] as string,
    dueAt: row['due_at'] as number,
    url: row['url'] as string,
    audience: row['audience'] as string,
    headers: JSON.parse(row['headers'] as string) as Record<string, string>,
    deadlineMs: row['deadline_ms'] as number,
    body: row['body'] as Uint8Array,
    attempt: row['attempts'] as number,
    firstAttemptAt: row['first_attempt_at'] as number,
  };
}
