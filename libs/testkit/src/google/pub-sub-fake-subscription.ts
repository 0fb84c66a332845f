import type { PublishedMessage, SubscriptionRules } from './pub-sub-fake-rules.js';

/** A message on its way to one subscriber. */
export interface Handed {
  readonly ackId: string;
  readonly message: PublishedMessage;
  /** 0 without a dead-letter policy, as the service leaves it out then. */
  readonly deliveryAttempt: number;
}

/** Somebody who takes messages: a stream, or the pusher. */
export interface Taker {
  /** How many more it takes now. */
  readonly room: number;
  /** How many it holds at most without having answered. */
  readonly mostHeld: number;
  /** Messages of one key are given one at a time only. */
  readonly oneOfAKey: boolean;
  readonly leaseMs: number;
  take(handed: Handed[]): void;
}

interface Entry {
  readonly message: PublishedMessage;
  state: 'available' | 'leased' | 'acked';
  /** Deliveries that ended badly. */
  failures: number;
  notBeforeMs: number;
  ackId: string;
  taker: Taker | undefined;
  lease: NodeJS.Timeout | undefined;
}

/** What may go out, who has the earlier ones of its key, and to whom the key goes. */
interface Due {
  readonly entry: Entry;
  readonly holder: Taker | undefined;
  readonly owner: Taker | undefined;
}

/**
 * One subscription of the fake. Of a key, messages go out in order and to one taker at a time, several at once; when one comes back, all later ones that had gone out go
 * out again, those acknowledged already too, as the service documents. https://cloud.google.com/pubsub/docs/ordering
 */
export class FakeSubscription {
  readonly #takers = new Set<Taker>();
  /** A key stays with the taker it went to first, as long as that one is there. */
  readonly #owners = new Map<string, Taker>();
  /** Oldest first; what is acknowledged stays while an earlier message of its key is not. */
  #entries: Entry[] = [];
  #ackNumber = 0;
  #wake: NodeJS.Timeout | undefined;
  #scheduled = false;
  #nextTaker = 0;

  constructor(
    readonly rules: SubscriptionRules,
    private readonly bury: (message: PublishedMessage, deliveries: number) => void,
  ) {}

  get unacked(): PublishedMessage[] {
    return this.#entries.filter(({ state }) => state !== 'acked').map(({ message }) => message);
  }

  offer(message: PublishedMessage): void {
    if (!Object.entries(this.rules.filter).every(([name, value]) => message.attributes[name] === value)) return;
    this.#entries.push({ message, state: 'available', failures: 0, notBeforeMs: 0, ackId: '', taker: undefined, lease: undefined });
    this.#schedule();
  }

  join(taker: Taker): () => void {
    this.#takers.add(taker);
    this.#schedule();
    return () => {
      this.#takers.delete(taker);
      for (const [key, owner] of this.#owners) if (owner === taker) this.#owners.delete(key);
      this.#schedule();
    };
  }

  /** What a Pull gets: leased, to nobody in particular. */
  pull(most: number): Handed[] {
    const handed: Handed[] = [];
    const once: Taker = {
      room: most,
      mostHeld: most,
      oneOfAKey: false,
      leaseMs: this.rules.ackDeadlineMs,
      take: (more) => void handed.push(...more),
    };
    this.#handOut(once, this.#due(Date.now()));
    return handed;
  }

  ack(ackId: string): void {
    const entry = this.#leased(ackId);
    if (entry === undefined) return;
    clearTimeout(entry.lease);
    entry.state = 'acked';
    this.#forget();
    this.#schedule();
  }

  modify(ackId: string, deadlineMs: number): void {
    const entry = this.#leased(ackId);
    if (entry === undefined) return;
    if (deadlineMs === 0) this.#fail(entry);
    else this.#lease(entry, deadlineMs);
  }

  /** Ends the lease of a message now, as if its subscriber had been too slow. */
  expire(messageId: string): void {
    const entry = this.#entries.find(({ message, state }) => message.messageId === messageId && state === 'leased');
    if (entry !== undefined) this.#fail(entry);
  }

  /** A taker is free for more. */
  refill(): void {
    this.#schedule();
  }

  close(): void {
    clearTimeout(this.#wake);
    for (const { lease } of this.#entries) clearTimeout(lease);
    this.#entries = [];
    this.#takers.clear();
  }

  #leased(ackId: string): Entry | undefined {
    return this.#entries.find((entry) => entry.ackId === ackId && entry.state === 'leased');
  }

  #lease(entry: Entry, forMs: number): void {
    clearTimeout(entry.lease);
    entry.lease = setTimeout(() => this.#fail(entry), forMs).unref();
  }

  #fail(entry: Entry): void {
    clearTimeout(entry.lease);
    entry.failures += 1;
    const { retry, dead } = this.rules;
    if (dead !== undefined && entry.failures >= dead.maxDeliveryAttempts) {
      entry.state = 'acked';
      this.bury(entry.message, entry.failures);
    } else {
      entry.state = 'available';
      entry.notBeforeMs = retry === undefined ? 0 : Date.now() + Math.min(retry.maximumMs, retry.minimumMs * 2 ** (entry.failures - 1));
      for (const later of this.#behind(entry)) {
        clearTimeout(later.lease);
        later.state = 'available';
      }
    }
    this.#forget();
    this.#schedule();
  }

  /** Later messages of its key. */
  #behind(entry: Entry): Entry[] {
    const key = this.#keyOf(entry);
    if (key === undefined) return [];
    return this.#entries.slice(this.#entries.indexOf(entry) + 1).filter((other) => this.#keyOf(other) === key);
  }

  #keyOf({ message }: Entry): string | undefined {
    return this.rules.ordered && message.orderingKey !== '' ? message.orderingKey : undefined;
  }

  #forget(): void {
    const open = new Set<string>();
    this.#entries = this.#entries.filter((entry) => {
      const key = this.#keyOf(entry);
      if (entry.state !== 'acked' && key !== undefined) open.add(key);
      return entry.state !== 'acked' || (key !== undefined && open.has(key));
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    clearTimeout(this.#wake);
    // One moment for both: what becomes due between two looks at the clock would never be looked at again.
    const now = Date.now();
    const takers = [...this.#takers];
    for (let turn = 0; turn < takers.length; turn += 1) this.#handOut(takers[(this.#nextTaker + turn) % takers.length]!, this.#due(now));
    this.#nextTaker += 1;
    const later = this.#entries
      .filter(({ state, notBeforeMs }) => state === 'available' && notBeforeMs > now)
      .map(({ notBeforeMs }) => notBeforeMs);
    if (later.length > 0) this.#wake = setTimeout(() => this.#deliver(), Math.min(...later) - now).unref();
  }

  /** What may go out now, each with who has the earlier ones of its key. */
  #due(now: number): Due[] {
    const blocked = new Set<string>();
    const holders = new Map<string, Taker>();
    const due: Due[] = [];
    for (const entry of this.#entries) {
      const key = this.#keyOf(entry);
      if (entry.state === 'leased' && key !== undefined && entry.taker) holders.set(key, entry.taker);
      if (entry.state !== 'available' || (key !== undefined && blocked.has(key))) continue;
      if (entry.notBeforeMs > now) {
        if (key !== undefined) blocked.add(key);
        continue;
      }
      due.push({
        entry,
        holder: key === undefined ? undefined : holders.get(key),
        owner: key === undefined ? undefined : this.#owners.get(key),
      });
    }
    return due;
  }

  #handOut(taker: Taker, due: readonly Due[]): void {
    const handed: Handed[] = [];
    const passed = new Set<string>();
    const held = this.#entries.filter((entry) => entry.state === 'leased' && entry.taker === taker).length;
    const room = Math.min(taker.room, taker.mostHeld - held);
    for (const { entry, holder, owner } of due) {
      if (handed.length >= room) break;
      const key = this.#keyOf(entry);
      const elsewhere = (holder !== undefined && (holder !== taker || taker.oneOfAKey)) || (owner !== undefined && owner !== taker);
      if (key !== undefined && (passed.has(key) || elsewhere)) {
        passed.add(key);
        continue;
      }
      if (key !== undefined && taker.oneOfAKey) passed.add(key);
      if (key !== undefined && this.#takers.has(taker)) this.#owners.set(key, taker);
      entry.state = 'leased';
      entry.taker = taker;
      entry.ackId = `${this.rules.name}#${++this.#ackNumber}`;
      this.#lease(entry, taker.leaseMs);
      handed.push({ ackId: entry.ackId, message: entry.message, deliveryAttempt: this.rules.dead ? entry.failures + 1 : 0 });
    }
    if (handed.length > 0) taker.take(handed);
  }
}
