import type { Snapshot } from '@rockpool/cloud';
import { clearTimeout, setTimeout } from 'node:timers';
import { readError } from './firestore-errors.js';
import { fingerprintOf, pageOf, type ReadPage } from './page.js';
import type { QueryPlan } from './query-plan.js';
import { isExpired, storedOf } from './stored-document.js';

const maxPauseMs = 30_000;

/**
 * Tells a listener of every change to the first page of a query. Firestore's client takes a stream up again where it broke off; when it gives
 * up for good, this begins another, whose first page has everything that was missed. A page that expired documents are part of, which
 * Firestore has not deleted yet, has fewer documents.
 */
export class PageWatch<Data> {
  readonly #first = Promise.withResolvers<void>();
  #unsubscribe: (() => void) | undefined;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #pauseMs = 500;
  #seen: string | undefined;

  constructor(
    private readonly plan: QueryPlan,
    private readonly listener: (snapshot: Snapshot<Data>) => void,
  ) {}

  /** Resolves once the listener was called for the first time. Rejects when that is impossible. */
  start(): Promise<void> {
    this.#listen();
    return this.#first.promise;
  }

  /** The listener is not called any more. */
  stop(): void {
    clearTimeout(this.#pause);
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#first.resolve();
  }

  #listen(): void {
    this.#unsubscribe = this.plan.query.limit(this.plan.limit).onSnapshot(
      ({ docs }) => {
        this.#pauseMs = 500;
        this.#tell(docs.filter((document) => !isExpired(storedOf(document)!)));
      },
      (error) => {
        this.#unsubscribe = undefined;
        // Without a first page the caller can be told; this has no effect when there was one.
        this.#first.reject(readError(error));
        if (this.#seen === undefined) return;
        process.emitWarning(`A watch of documents broke off and is begun again: ${error.message}`);
        this.#pause = setTimeout(() => this.#listen(), this.#pauseMs).unref();
        this.#pauseMs = Math.min(this.#pauseMs * 2, maxPauseMs);
      },
    );
  }

  #tell(documents: ReadPage['documents']): void {
    const page = { documents, hasMore: false };
    const seen = fingerprintOf(page);
    if (seen === this.#seen) return;
    this.#seen = seen;
    try {
      this.listener({ items: pageOf<Data>(this.plan, page).items });
    } catch (error) {
      // A listener's fault must neither end the stream nor pass unseen.
      process.emitWarning(error instanceof Error ? error : String(error));
    }
    this.#first.resolve();
  }
}
