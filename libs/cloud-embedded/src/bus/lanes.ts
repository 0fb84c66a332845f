import { steadyNow } from '@rockpool/contracts';
import { clearTimeout, setTimeout } from 'node:timers';
import { Fifo } from './fifo.js';

const longestTimerMs = 2 ** 31 - 1;

/**
 * The line of one ordering key, or of one message without key. `head` is the position being delivered or next to be; the line is in one
 * place at a time: among the ready ones, with a consumer, or resting until its head may be tried again.
 */
export interface Lane {
  readonly key: string | undefined;
  head: number;
  /** Failed deliveries of the head, once this process has seen one: what is stored may lag behind. */
  attempts: number | undefined;
  rest: Fifo<number> | undefined;
}

/**
 * Positions waiting in memory, by ordering key. Lines take turns: each gives one message and goes to the back, so that a flood under one
 * key costs the others nothing. A position takes eight bytes; the messages themselves stay on disk.
 */
export class Lanes {
  readonly #byKey = new Map<string, Lane>();
  readonly #ready = new Fifo<Lane>();
  readonly #resting = new Map<Lane, NodeJS.Timeout>();
  #closed = false;

  /** `onReady` is called when a line has rested long enough. */
  constructor(private readonly onReady: () => void) {}

  /** How many messages could be delivered at this moment. */
  get readyCount(): number {
    return this.#ready.length;
  }

  /** Adds a position behind the others of its key. If it is the first of them, it is held until `notBefore`. */
  add(position: number, key: string | undefined, notBefore: number): void {
    const lane = key === undefined ? undefined : this.#byKey.get(key);
    if (lane !== undefined) {
      lane.rest ??= new Fifo();
      lane.rest.push(position);
      return;
    }
    const created: Lane = { key, head: position, attempts: undefined, rest: undefined };
    if (key !== undefined) this.#byKey.set(key, created);
    if (notBefore > Date.now()) this.hold(created, notBefore);
    else this.#ready.push(created);
  }

  /** The line whose turn it is. The taker gives it back with {@link advance} or {@link hold}. */
  take(): Lane | undefined {
    return this.#ready.shift();
  }

  /** The head is done with: the next of its line queues up, or the line ends. */
  advance(lane: Lane): void {
    const next = lane.rest?.shift();
    if (next === undefined) {
      if (lane.key !== undefined) this.#byKey.delete(lane.key);
      return;
    }
    lane.head = next;
    lane.attempts = undefined;
    this.#ready.push(lane);
  }

  /** The head comes again, not before that time; the others of its key wait behind it. */
  hold(lane: Lane, notBefore: number): void {
    this.#rest(lane, steadyNow() + notBefore - Date.now());
  }

  /** Until then by a clock that does not step: a retry must not come hours late because the machine's clock was set back. */
  #rest(lane: Lane, until: number): void {
    if (this.#closed) return;
    const delayMs = until - steadyNow();
    if (delayMs <= 0) {
      this.#ready.push(lane);
      return;
    }
    // Timers may fire up to a millisecond early.
    const timer = setTimeout(
      () => {
        this.#resting.delete(lane);
        this.#rest(lane, until);
        this.onReady();
      },
      Math.min(delayMs + 1, longestTimerMs),
    );
    this.#resting.set(lane, timer);
  }

  /** Stops the timers; what rests stays where it is. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#resting.values()) clearTimeout(timer);
    this.#resting.clear();
  }
}
