import type { DeadLetter } from '@rockpool/cloud';
import type { SubscriptionSpec } from '@rockpool/contracts';
import type { Database } from '../database.js';

/**
 * Every subscription has its own copy of a message, one row, deleted when it is acked. The row's key is its position: the subscription's
 * number in the high bits, a sequence in the low ones, so that one tree without any index gives each subscription its messages in publish
 * order.
 */
const schema = `
  CREATE TABLE IF NOT EXISTS bus_subscriptions (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE IF NOT EXISTS bus_messages (
    position INTEGER PRIMARY KEY,
    message_id INTEGER NOT NULL,
    ordering_key TEXT,
    attempts INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    published_at INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    body BLOB NOT NULL
  );
  CREATE TABLE IF NOT EXISTS bus_dead_letters (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    ordering_key TEXT,
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    published_at INTEGER NOT NULL,
    dead_at INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (subscription, message_id)
  );
  CREATE INDEX IF NOT EXISTS bus_dead_letters_by_subscription ON bus_dead_letters (subscription, number);
`;

/** 2^40 messages a subscription and 2^13 subscriptions fit a safe integer. */
const positionsPerSubscription = 2 ** 40;

/** What is read of a message when it is delivered. */
export interface StoredMessage {
  readonly messageId: string;
  readonly orderingKey: string | undefined;
  /** Failed deliveries so far. */
  readonly attempts: number;
  readonly publishedAt: number;
  readonly attributes: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What is read of a message when it is queued: its place, its key, and when it may be delivered (milliseconds since 1970). */
export interface QueuedPosition {
  readonly position: number;
  readonly orderingKey: string | undefined;
  readonly notBefore: number;
}

/** A message to be stored, with its attributes already encoded. */
export interface NewMessage {
  readonly messageId: number;
  readonly orderingKey: string | undefined;
  readonly publishedAt: number;
  readonly attributes: string;
  readonly body: Uint8Array;
}

/** The bus's tables. Methods that change them are for use inside `Database.write`; the others read. */
export class MessageStore {
  #sequence: number;

  constructor(private readonly database: Database) {
    database.define(schema);
    this.#sequence = this.#highestSequence();
  }

  /** The number under which the subscription's messages are stored, given to it on first sight. */
  register(spec: SubscriptionSpec): number {
    this.database.prepare('INSERT INTO bus_subscriptions (name) VALUES (?) ON CONFLICT DO NOTHING').run(spec.name);
    return Number(this.database.prepare('SELECT number FROM bus_subscriptions WHERE name = ?').get(spec.name)?.['number']);
  }

  /** Stores the message once per subscription and returns its position in each. Later calls give higher positions. */
  append(subscriptions: readonly number[], message: NewMessage): number[] {
    const sequence = ++this.#sequence;
    const insert = this.database.prepare('INSERT INTO bus_messages VALUES (?, ?, ?, 0, 0, ?, ?, ?)');
    return subscriptions.map((subscription) => {
      const position = subscription * positionsPerSubscription + sequence;
      insert.run(position, message.messageId, message.orderingKey ?? null, message.publishedAt, message.attributes, message.body);
      return position;
    });
  }

  /** Forgets an acked message. */
  remove(position: number): void {
    this.database.prepare('DELETE FROM bus_messages WHERE position = ?').run(position);
  }

  postpone(position: number, attempts: number, notBefore: number): void {
    this.database.prepare('UPDATE bus_messages SET attempts = ?, not_before = ? WHERE position = ?').run(attempts, notBefore, position);
  }

  /** Moves a message to the dead letters of its subscription. */
  bury(subscription: number, position: number, attempts: number, reason: string, deadAt: number): void {
    this.database
      .prepare(
        `INSERT INTO bus_dead_letters (subscription, message_id, ordering_key, attempts, reason, published_at, dead_at, attributes, body)
         SELECT ?, message_id, ordering_key, ?, ?, published_at, ?, attributes, body FROM bus_messages WHERE position = ?`,
      )
      .run(subscription, attempts, reason, deadAt, position);
    this.remove(position);
  }

  /** Moves a dead letter back, behind everything that waits. `undefined` when there is none with this id. */
  exhume(subscription: number, messageId: number): QueuedPosition | undefined {
    const position = subscription * positionsPerSubscription + ++this.#sequence;
    const row = this.database
      .prepare(
        `INSERT INTO bus_messages
         SELECT ?, message_id, ordering_key, 0, 0, published_at, attributes, body FROM bus_dead_letters
         WHERE subscription = ? AND message_id = ? RETURNING ordering_key`,
      )
      .get(position, subscription, messageId);
    if (row === undefined) return undefined;
    this.purge(subscription, messageId);
    return { position, orderingKey: (row['ordering_key'] as string | null) ?? undefined, notBefore: 0 };
  }

  /** True when there was a dead letter with this id. */
  purge(subscription: number, messageId: number): boolean {
    const { changes } = this.database
      .prepare('DELETE FROM bus_dead_letters WHERE subscription = ? AND message_id = ?')
      .run(subscription, messageId);
    return changes === 1;
  }

  /** The next positions of a subscription after one of them (0: from the start), in order. */
  positionsAfter(subscription: number, after: number, limit: number): QueuedPosition[] {
    const rows = this.database.read(() =>
      this.database
        .prepare(
          'SELECT position, ordering_key, not_before FROM bus_messages WHERE position > ? AND position < ? ORDER BY position LIMIT ?',
        )
        .all(Math.max(after, subscription * positionsPerSubscription), (subscription + 1) * positionsPerSubscription, limit),
    );
    return rows.map((row) => ({
      position: Number(row['position']),
      orderingKey: (row['ordering_key'] as string | null) ?? undefined,
      notBefore: Number(row['not_before']),
    }));
  }

  message(position: number): StoredMessage | undefined {
    const row = this.database.read(() => this.database.prepare('SELECT * FROM bus_messages WHERE position = ?').get(position));
    if (row === undefined) return undefined;
    return {
      messageId: String(row['message_id']),
      orderingKey: (row['ordering_key'] as string | null) ?? undefined,
      attempts: Number(row['attempts']),
      publishedAt: Number(row['published_at']),
      attributes: JSON.parse(row['attributes'] as string) as Record<string, string>,
      body: row['body'] as Uint8Array,
    };
  }

  /** Reads every message of the subscription: ask once and count on. For use inside `Database.write`, like the two that follow. */
  count(subscription: number): number {
    return this.#number('SELECT count(*) AS number FROM bus_messages WHERE position > ? AND position < ?', ...bounds(subscription));
  }

  /** When the message first in line was published; `undefined` when none waits. */
  oldestPublishedAt(subscription: number): number | undefined {
    const first = this.database.prepare(
      'SELECT published_at FROM bus_messages WHERE position > ? AND position < ? ORDER BY position LIMIT 1',
    );
    const row = first.get(...bounds(subscription));
    return row === undefined ? undefined : Number(row['published_at']);
  }

  countDeadLetters(subscription: number): number {
    return this.#number('SELECT count(*) AS number FROM bus_dead_letters WHERE subscription = ?', subscription);
  }

  /** What every subscription that ever was has left, also one that the catalogue no longer has. For use inside `Database.write`. */
  standing(): { subscription: string; number: number; messages: number; deadLetters: number }[] {
    const subscriptions = this.database.prepare('SELECT number, name FROM bus_subscriptions ORDER BY name').all();
    return subscriptions.map((row) => {
      const number = Number(row['number']);
      return { subscription: String(row['name']), number, messages: this.count(number), deadLetters: this.countDeadLetters(number) };
    });
  }

  /** Dead letters in the order in which they died, after the one numbered `after`, with their numbers. */
  deadLettersAfter(subscription: number, after: number, limit: number): { number: number; letter: DeadLetter }[] {
    const rows = this.database.read(() =>
      this.database
        .prepare('SELECT * FROM bus_dead_letters WHERE subscription = ? AND number > ? ORDER BY number LIMIT ?')
        .all(subscription, after, limit),
    );
    return rows.map((row) => ({
      number: Number(row['number']),
      letter: {
        messageId: String(row['message_id']),
        body: row['body'] as Uint8Array,
        attributes: JSON.parse(row['attributes'] as string) as Record<string, string>,
        ...(row['ordering_key'] !== null && { orderingKey: row['ordering_key'] as string }),
        attempts: Number(row['attempts']),
        reason: row['reason'] as string,
        publishedAt: new Date(Number(row['published_at'])),
        deadAt: new Date(Number(row['dead_at'])),
      },
    }));
  }

  /** The next message ids of dead letters, oldest first, none that died after `until`. */
  deadMessageIds(subscription: number, until: number, limit: number): number[] {
    const rows = this.database.read(() =>
      this.database
        .prepare('SELECT message_id FROM bus_dead_letters WHERE subscription = ? AND number <= ? ORDER BY number LIMIT ?')
        .all(subscription, until, limit),
    );
    return rows.map((row) => Number(row['message_id']));
  }

  /** The number of the dead letter that died last; 0 when there is none. */
  latestDeadNumber(subscription: number): number {
    return this.database.read(() =>
      this.#number('SELECT coalesce(max(number), 0) AS number FROM bus_dead_letters WHERE subscription = ?', subscription),
    );
  }

  /** Positions need only grow among the rows that exist, so the counter begins behind the highest of them. */
  #highestSequence(): number {
    const highest = 'SELECT coalesce(max(position), 0) AS number FROM bus_messages WHERE position > ? AND position < ?';
    return this.database.read(() => {
      const subscriptions = this.database.prepare('SELECT number FROM bus_subscriptions').all();
      const sequences = subscriptions.map((row) => this.#number(highest, ...bounds(Number(row['number']))) % positionsPerSubscription);
      return Math.max(0, ...sequences);
    });
  }

  #number(sql: string, ...parameters: number[]): number {
    return Number(this.database.prepare(sql).get(...parameters)?.['number']);
  }
}

function bounds(subscription: number): [number, number] {
  return [subscription * positionsPerSubscription, (subscription + 1) * positionsPerSubscription];
}
