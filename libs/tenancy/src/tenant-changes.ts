import type { Documents } from '@rockpool/cloud';
import type { TenantId } from '@rockpool/contracts';
import type { TenantRecord } from './tenant-record.js';

/** As many of the latest changes as one look shows. More than that between two looks is reported as "any of them". */
const windowSize = 100;
const retryMs = 30_000;

/**
 * Tells which tenants changed, by watching the most recently changed ones: one cheap query whatever the number of tenants. It is a courtesy that makes changes
 * take effect at once; what must not outlive a bound needs a maximum age as well, because a watch may fail or lag.
 */
export class TenantChanges {
  #versions: Map<string, string> | undefined;
  #started: Promise<void> | undefined;
  #stop: (() => void) | undefined;
  #closed = false;
  #retryAt = 0;

  constructor(
    private readonly documents: Documents,
    private readonly listener: (changed: readonly TenantId[] | 'any') => void,
    private readonly now: () => number = Date.now,
  ) {}

  /** Begins to watch at the first call; later calls cost nothing. Resolves when changes are seen, or cannot be for now. */
  start(): Promise<void> {
    if (this.#closed || (this.#started && this.now() < this.#retryAt)) return this.#started ?? Promise.resolve();
    this.#retryAt = Number.POSITIVE_INFINITY;
    this.#started = this.documents
      .watch<TenantRecord>(
        { from: { collection: 'tenants' }, orderBy: { field: 'changedAt', direction: 'desc' }, limit: windowSize },
        ({ items }) => this.#seen(new Map(items.map(({ id, version }) => [id, version]))),
      )
      .then(
        (stop) => {
          if (this.#closed) stop();
          else this.#stop = stop;
        },
        () => {
          // Without a watch the readers' maximum age bounds how old anything gets; the next use after a while tries again.
          this.#retryAt = this.now() + retryMs;
        },
      );
    return this.#started;
  }

  close(): void {
    this.#closed = true;
    this.#stop?.();
  }

  #seen(versions: Map<string, string>): void {
    const before = this.#versions;
    this.#versions = versions;
    if (!before) return;
    const changed = [...new Set([...before.keys(), ...versions.keys()])].filter((id) => before.get(id) !== versions.get(id));
    const overrun = versions.size === windowSize && [...versions].every(([id, version]) => before.get(id) !== version);
    if (changed.length > 0) this.listener(overrun ? 'any' : (changed as TenantId[]));
  }
}
