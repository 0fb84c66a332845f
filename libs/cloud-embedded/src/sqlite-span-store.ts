import { rmSync } from 'node:fs';
import { TraceReader, type SpanExporter, type StoredSpan } from '@rockpool/cloud';
import { Database } from './database.js';

const ageCheckEveryMs = 60_000;
/** More would be no help to a reader, and a conversation of many linked turns could have them. */
const maxSpansFound = 5_000;
const traceIdPattern = /^[0-9a-f]{32}$/;
const namingAttributes = ['rockpool.event.id', 'rockpool.turn.id'] as const;

export interface SpanStoreOptions {
  /** The oldest spans beyond this many are removed. Spans recorded together go together. Default 200,000, about 100 MB. */
  readonly maxSpans?: number;
  /** Default 7 days. */
  readonly maxAgeMs?: number;
  /** Milliseconds since the epoch. Default: the system's clock. */
  readonly now?: () => number;
}

/**
 * The last traces of one machine, for looking at.
 *
 * The spans of one trace that arrive together are one row, so that a message costs one or two inserts rather than ten. A row's number counts the spans up to it: the
 * newest number less the bound is where the oldest row to keep begins. Nothing is synced to disk: after a power cut the file may be broken, and is then begun anew.
 */
export class SqliteSpanStore extends TraceReader implements SpanExporter {
  readonly #database: Database;
  readonly #maxSpans: number;
  readonly #maxAgeMs: number;
  readonly #now: () => number;
  #lastNumber: number;
  #nextAgeCheck = 0;

  private constructor(database: Database, options: SpanStoreOptions) {
    super();
    this.#database = database;
    this.#maxSpans = options.maxSpans ?? 200_000;
    this.#maxAgeMs = options.maxAgeMs ?? 7 * 86_400_000;
    this.#now = options.now ?? Date.now;
    this.#lastNumber = database.read(() => Number(database.prepare('SELECT MAX(number) AS last FROM batches').get()?.['last'] ?? 0));
  }

  /** Opens this SQLite file of its own, or begins a new one in place of what is no readable database. */
  static open(file: string, options: SpanStoreOptions = {}): SqliteSpanStore {
    try {
      return new SqliteSpanStore(openTables(file), options);
    } catch {
      for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
      return new SqliteSpanStore(openTables(file), options);
    }
  }

  /** Resolves when the spans can be found. */
  async record(spans: readonly StoredSpan[]): Promise<void> {
    const batches = [...Map.groupBy(spans, (span) => span.traceId)].map(([traceId, members]) => ({
      traceId,
      number: (this.#lastNumber += members.length),
      body: JSON.stringify(members),
      names: namesOf(members),
    }));
    await this.#database.write(() => {
      const at = this.#now();
      const addBatch = this.#database.prepare('INSERT INTO batches (number, trace_id, at, body) VALUES (?, ?, ?, ?)');
      const addName = this.#database.prepare('INSERT INTO names (number, name) VALUES (?, ?)');
      for (const { traceId, number, body, names } of batches) {
        addBatch.run(number, traceId, at, body);
        for (const name of names) addName.run(number, name);
      }
      this.#prune(at);
    });
  }

  async find(id: string): Promise<StoredSpan[]> {
    // Behind what is being recorded.
    await this.#database.write(() => undefined);
    return this.#database.read(() => {
      const spans = new Map<string, StoredSpan[]>();
      const load = (traceId: string): void => {
        if (!spans.has(traceId)) spans.set(traceId, this.#spansOf(traceId));
      };
      for (const traceId of this.#tracesNamed(id)) load(traceId);
      if (traceIdPattern.test(id)) load(id);
      for (const [traceId, found] of [...spans]) {
        for (const linking of this.#tracesNamed(traceId)) load(linking);
        for (const span of found) for (const link of span.links) load(link.traceId);
      }
      return [...spans.values()]
        .flat()
        .slice(0, maxSpansFound)
        .sort((one, other) => one.startMs - other.startMs);
    });
  }

  async close(): Promise<void> {
    await this.#database.close();
  }

  #tracesNamed(name: string): string[] {
    return this.#database
      .prepare('SELECT DISTINCT trace_id FROM names JOIN batches USING (number) WHERE name = ?')
      .all(name)
      .map((row) => String(row['trace_id']));
  }

  #spansOf(traceId: string): StoredSpan[] {
    return this.#database
      .prepare('SELECT body FROM batches WHERE trace_id = ? ORDER BY number')
      .all(traceId)
      .flatMap((row) => JSON.parse(String(row['body'])) as StoredSpan[]);
  }

  #prune(at: number): void {
    let upTo = this.#lastNumber - this.#maxSpans;
    if (at >= this.#nextAgeCheck) {
      this.#nextAgeCheck = at + ageCheckEveryMs;
      const fresh = this.#database.prepare('SELECT number FROM batches WHERE at > ? ORDER BY number LIMIT 1').get(at - this.#maxAgeMs);
      upTo = Math.max(upTo, Number(fresh?.['number'] ?? 0) - 1);
    }
    if (upTo <= 0) return;
    this.#database.prepare('DELETE FROM batches WHERE number <= ?').run(upTo);
    this.#database.prepare('DELETE FROM names WHERE number <= ?').run(upTo);
  }
}

/** What a trace can be asked for by: the event and turn ids its spans carry, and the traces they link to. */
function namesOf(spans: readonly StoredSpan[]): Set<string> {
  const names = new Set<string>();
  for (const { attributes, links } of spans) {
    for (const attribute of namingAttributes) if (typeof attributes[attribute] === 'string') names.add(attributes[attribute]);
    for (const link of links) names.add(link.traceId);
  }
  return names;
}

function openTables(file: string): Database {
  const database = Database.open(file, { synchronous: 'OFF' });
  try {
    database.define(`
      CREATE TABLE IF NOT EXISTS batches (number INTEGER PRIMARY KEY, trace_id TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL);
      CREATE INDEX IF NOT EXISTS batches_by_trace ON batches (trace_id);
      CREATE TABLE IF NOT EXISTS names (number INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (number, name)) WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS names_by_name ON names (name);
    `);
    return database;
  } catch (error) {
    void database.close();
    throw error;
  }
}
