import type { Documents } from '@rockpool/cloud';
import { hostPaths, type HostRecord, type HostWork } from './host-record.js';

/** A host that is not heard of for longer is forgotten. */
const keptMs = 86_400_000;

export interface HostHeartbeatOptions extends Pick<HostRecord, 'id' | 'version' | 'everyMs' | 'isSteady' | 'isSupervised'> {
  readonly memory: () => Pick<HostRecord, 'rssBytes' | 'memoryLimitBytes'>;
  readonly now?: () => number;
  /** Called once, when the watchdog asked this host to finish and end. Only one that is supervised is asked. */
  readonly onDrainAsked: () => void;
  readonly onWarning: (message: string, error: unknown) => void;
}

/**
 * A host's signs of life. Where it shares its process with everything else it gives one at a time, always. Where it may be put to sleep it gives one when it first has work, and
 * then only while work lasts: a request is under way meanwhile, so its process has a processor and the timer runs; the last one, that nothing is being done any more, is written
 * before that request is answered. A host that sleeps says nothing and costs nothing. Work never fails or waits for a sign of life, but for that last one.
 */
export class HostHeartbeat {
  readonly #startedAt: number;
  readonly #work = { conversations: 0, slices: 0 };
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> = Promise.resolve();
  #saidWork: boolean | undefined;
  #isAsked = false;
  #isOver = false;

  constructor(
    private readonly documents: Documents,
    private readonly options: HostHeartbeatOptions,
  ) {
    this.#startedAt = this.#now();
  }

  /** Begins, for a host that gives signs without work, too. */
  async start(): Promise<void> {
    if (!this.options.isSteady || this.#isOver) return;
    this.#keepOn();
    await this.beat();
  }

  /** Counts the work in. Resolves or rejects as it does. */
  async during<Result>(sort: keyof HostWork, work: () => Promise<Result>): Promise<Result> {
    this.#work[sort]++;
    this.#keepOn();
    if (this.#saidWork === undefined) void this.beat();
    try {
      return await work();
    } finally {
      this.#work[sort]--;
      if (!this.#hasWork && !this.options.isSteady) await this.#rest();
    }
  }

  /** Says how it is, after what is being said already. Never rejects. */
  beat(): Promise<void> {
    // Set at once, so that a second piece of work does not say the same.
    this.#saidWork ??= true;
    return (this.#beating = this.#beating.then(() => this.#say()));
  }

  /** Takes the sign of life back, if one was given: this was an orderly end. */
  async stop(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#timer);
    await this.#beating;
    if (this.#saidWork === undefined) return;
    await this.documents.delete(hostPaths.host(this.options.id));
  }

  get #hasWork(): boolean {
    return this.#work.conversations + this.#work.slices > 0;
  }

  async #rest(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#beating;
    // Unless work came meanwhile, or what is on record says so already.
    if (this.#saidWork && !this.#hasWork) await this.beat();
  }

  #keepOn(): void {
    if (this.#timer || this.#isOver) return;
    this.#timer = setInterval(() => void this.beat(), this.options.everyMs);
    this.#timer.unref();
  }

  async #say(): Promise<void> {
    if (this.#isOver) return;
    const { id, version, everyMs, isSteady, isSupervised, memory } = this.options;
    const path = hostPaths.host(id);
    const now = this.#now();
    const own: HostRecord = {
      id,
      version,
      startedAt: this.#startedAt,
      seenAt: now,
      ...memory(),
      work: { ...this.#work },
      everyMs,
      isSteady,
      isSupervised,
    };
    try {
      const asked = await this.documents.transaction(async (transaction) => {
        const before = (await transaction.get<HostRecord>(path))?.data;
        const { drainAskedAt, fullChecks } = before ?? {};
        const kept = { ...(drainAskedAt !== undefined && { drainAskedAt }), ...(fullChecks !== undefined && { fullChecks }) };
        transaction.set(path, { ...own, ...kept } satisfies HostRecord, { expireAt: new Date(now + keptMs) });
        return drainAskedAt !== undefined;
      });
      this.#saidWork = own.work.conversations + own.work.slices > 0;
      if (!asked || this.#isAsked || !isSupervised) return;
      this.#isAsked = true;
      this.options.onDrainAsked();
    } catch (error) {
      this.options.onWarning('the sign of life could not be written', error);
    }
  }

  #now(): number {
    return this.options.now?.() ?? Date.now();
  }
}
