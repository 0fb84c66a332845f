import { Memory } from './memory.js';

/** How many messages wait or are being handled, and how long the oldest does, in milliseconds. */
export interface BacklogFigures {
  backlog: number;
  oldestAgeMs: number;
}

/** Tells the backlog of a subscription from outside; `undefined` when there is nothing to tell yet. */
export interface BacklogMonitor {
  figures(subscription: string): Promise<BacklogFigures | undefined>;
}

/** A message published here counts as waiting until it is done with here, or for so long: then it is somebody else's. */
const ownMs = 60_000;
const mostOwn = 100_000;

/**
 * What this process knows of the backlog of one subscription without asking: what it has in hand, and what it published a moment ago. For emulators, where
 * nobody else counts.
 */
export class KnownBacklog {
  readonly #published = new Map<string, number>();
  /** A message may be handled before its publisher is told that it was published. */
  readonly #done = new Memory(10_000, ownMs);

  published(messageId: string, publishedAtMs: number): void {
    if (this.#done.has(messageId)) return;
    this.#published.set(messageId, publishedAtMs);
    if (this.#published.size > mostOwn) this.#published.delete(this.#published.keys().next().value!);
  }

  done(messageId: string): void {
    if (!this.#published.delete(messageId)) this.#done.add(messageId);
  }

  figures(inHand: Iterable<[messageId: string, publishedAtMs: number]>, now = Date.now()): BacklogFigures {
    for (const [messageId, publishedAtMs] of this.#published) {
      if (now - publishedAtMs < ownMs) break;
      this.#published.delete(messageId);
    }
    const all = new Map([...this.#published, ...inHand]);
    let oldest = now;
    for (const publishedAtMs of all.values()) oldest = Math.min(oldest, publishedAtMs);
    return { backlog: all.size, oldestAgeMs: now - oldest };
  }
}
