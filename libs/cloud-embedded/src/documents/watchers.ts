import type { Query, Snapshot } from '@rockpool/cloud';
import { setImmediate, setTimeout } from 'node:timers';
import { type DocumentStore, pageOf, type StoredDocument } from './document-store.js';
import type { QueryPlan } from './query-plan.js';
import { fingerprint } from './sqlite-transaction.js';

const storageRetryMs = 1_000;

/** A collection in which something was written. */
export interface Touched {
  readonly collection: string;
  readonly name: string;
}

interface Watcher {
  readonly from: Query['from'];
  readonly plan: QueryPlan;
  readonly tell: (rows: { rows: readonly StoredDocument[]; nextCursor: string | undefined }) => void;
  seen: string;
}

/**
 * Tells watchers after commits. All commits of one turn of the event loop make one look at each query that they may concern, and a listener
 * hears of it only when its page is another than before.
 */
export class Watchers {
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #due = new Set<Watcher>();
  #scheduled = false;

  constructor(private readonly store: DocumentStore) {}

  /** Calls the listener before it returns. */
  add<Data>(query: Query, listener: (snapshot: Snapshot<Data>) => void): () => void {
    const plan = this.store.plan(query);
    const name = 'group' in query.from ? query.from.group : query.from.collection.slice(query.from.collection.lastIndexOf('/') + 1);
    const first = this.store.database.read(() => this.store.run(plan));
    const tell: Watcher['tell'] = (found) => listener({ items: pageOf<Data>(found).items });
    const watcher: Watcher = { from: query.from, plan, tell, seen: fingerprint(first) };
    tell(first);
    const others = this.#watchers.get(name) ?? new Set();
    this.#watchers.set(name, others.add(watcher));
    return () => {
      this.#due.delete(watcher);
      others.delete(watcher);
      if (others.size === 0) this.#watchers.delete(name);
    };
  }

  touched({ collection, name }: Touched): void {
    for (const watcher of this.#watchers.get(name) ?? []) {
      if ('group' in watcher.from || watcher.from.collection === collection) this.#due.add(watcher);
    }
    if (this.#due.size === 0 || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#look());
  }

  /** No listener is called any more. */
  close(): void {
    this.#watchers.clear();
    this.#due.clear();
  }

  #look(): void {
    this.#scheduled = false;
    for (const watcher of [...this.#due]) {
      let found;
      try {
        found = this.store.database.read(() => this.store.run(watcher.plan));
      } catch {
        // The database cannot be read now, which `check` reports; the change is not forgotten.
        this.#scheduled = true;
        setTimeout(() => this.#look(), storageRetryMs).unref();
        return;
      }
      this.#due.delete(watcher);
      const seen = fingerprint(found);
      if (seen === watcher.seen) continue;
      watcher.seen = seen;
      try {
        watcher.tell(found);
      } catch (error) {
        // A listener's fault must neither keep the others from hearing nor pass unseen.
        process.emitWarning(error instanceof Error ? error : String(error));
      }
    }
  }
}
