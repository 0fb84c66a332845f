import { rmSync } from 'node:fs';
import { TraceReader, type SpanExporter, type StoredSpan } from '@rockpool/cloud';
import { Database } from './database.js';
import { pack, unpack, type PackedSpan } from './sqlite-span-store-packing.js';

/** Spans wait so long for company at most. */
const gatherMs = 10;
const ageCheckEveryMs = 60_000;
/** More would be no help to a reader, and a conversation of many linked turns could have them. */
const maxSpansFound = 5_000;
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
 * Spans that are recorded together are one row, with an index of the names they can be asked for by: writing is what happens all day, reading only when somebody
 * looks. A row's number counts the spans up to it, so the newest number less the bound tells which rows go. Nothing is synced to disk: after a power cut the file may
 * be broken, and is then begun anew.
 */
export class SqliteSpanStore extends TraceReader implements SpanExporter {
  readonly #database: Database;
  readonly #maxSpans: number;
  readonly #maxAgeMs: number;
  readonly #now: () => number;
  #lastNumber: number;
  #waiting: StoredSpan[] = [];
  #written: Promise<void> | undefined;
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

  /** Resolves when the spans can be found. They are written together with what else comes within some milliseconds, or before the engine next waits for its disk. */
  async record(spans: readonly StoredSpan[]): Promise<void> {
    if (spans.length === 0) return;
    this.#waiting.push(...spans);
    await (this.#written ??= this.#database.write(() => this.#writeWaiting(), { withinMs: gatherMs }));
  }

  async find(id: string): Promise<StoredSpan[]> {
    // Behind what is being recorded.
    await this.#database.write(() => undefined);
    return this.#database.read(() => {
      const asked = new Set(this.#spansNamed(id).map((span) => span.traceId));
      const linked = new Set(asked);
      for (const traceId of asked) {
        for (const span of this.#spansNamed(traceId)) {
          linked.add(span.traceId);
          if (span.traceId === traceId) for (const link of span.links) linked.add(link.traceId);
        }
      }
      const spans = [...linked].flatMap((traceId) => this.#spansNamed(traceId).filter((span) => span.traceId === traceId));
      return spans.slice(0, maxSpansFound).sort((one, other) => one.startMs - other.startMs);
    });
  }

  async close(): Promise<void> {
    await this.#database.close();
  }

  /** The spans of a trace and those that link to it, or those that carry an event or turn id. */
  #spansNamed(name: string): StoredSpan[] {
    return this.#database
      .prepare('SELECT body FROM names JOIN batches USING (number) WHERE name = ? ORDER BY number')
      .all(name)
      .flatMap((row) => (JSON.parse(String(row['body'])) as PackedSpan[]).map(unpack))
      .filter((span) => namesOf([span]).has(name));
  }

  #writeWaiting(): void {
    const spans = this.#waiting;
    this.#waiting = [];
    this.#written = undefined;
    const number = (this.#lastNumber += spans.length);
    const at = this.#now();
    this.#database.prepare('INSERT INTO batches (number, at, body) VALUES (?, ?, ?)').run(number, at, JSON.stringify(spans.map(pack)));
    const addName = this.#database.prepare('INSERT INTO names (number, name) VALUES (?, ?)');
    for (const name of namesOf(spans)) addName.run(number, name);
    this.#prune(at);
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

/** What spans can be asked for by: their trace, the event and turn ids they carry, and the traces they link to. */
function namesOf(spans: readonly StoredSpan[]): Set<string> {
  const names = new Set<string>();
  for (const { traceId, attributes, links } of spans) {
    names.add(traceId);
    for (const attribute of namingAttributes) if (typeof attributes[attribute] === 'string') names.add(attributes[attribute]);
    for (const link of links) names.add(link.traceId);
  }
  return names;
}

function openTables(file: string): Database {
  // Spans are appended, and read only when somebody looks: a large cache would be filled with what nobody reads again.
  const database = Database.open(file, { synchronous: 'OFF', cacheKiB: 2_000 });
  try {
    database.define(`
      CREATE TABLE IF NOT EXISTS batches (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS names (number INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (number, name)) WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS names_by_name ON names (name);
    `);
    return database;
  } catch (error) {
    void database.close();
    throw error;
  }
}
