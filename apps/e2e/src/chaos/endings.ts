import type { Random } from '@rockpool/testkit';
import type { ProductProcess } from './installed-product.js';
import type { Ending } from './model-runs.js';

/** A SIGKILL, or a SIGTERM and how the process ended. */
export interface ProcessEnding extends Ending {
  /** Which app it was; `rockpool` where one process is all of them. */
  readonly app: ProductProcess['app'];
  readonly signal: 'SIGKILL' | 'SIGTERM';
  /** Killed while it was starting. */
  readonly duringStart: boolean;
  /** When it had exited; what it had asked for may be read later, until `gone`. */
  readonly exitedAt: number;
  readonly exitCode: number | null;
}

const startTakesMs = 1_500;

/** Of apps that are processes of their own, those on the way of a message are ended more often than the others. */
const shares = { 'agent-host': 4, dispatcher: 3, ingress: 2, scheduler: 1, console: 1 };

/** Ends processes of the product and starts them again, beside whatever else is ended meanwhile. */
export class Endings {
  readonly all: ProcessEnding[] = [];
  /** Ends that nobody asked for. */
  readonly unasked: string[] = [];
  private readonly asked = new Set<ProductProcess>();
  private readonly starting = new Map<ProductProcess, Promise<void>>();
  private readonly decks = { SIGKILL: [] as ProductProcess['app'][], SIGTERM: [] as ProductProcess['app'][] };

  /** `caughtUp` resolves when everything that ended processes had asked for is noted. Once `signal` aborts, nothing is started again. */
  constructor(
    private readonly processes: readonly ProductProcess[],
    private readonly caughtUp: () => Promise<void>,
    private readonly signal: AbortSignal | undefined,
  ) {
    for (const process of processes) this.watch(process);
  }

  /** SIGKILL to one; sometimes again while it starts. Resolves when it is dead, with how many kills there will be, and when it is `ready` again. */
  async kill(random: Random, most: number): Promise<{ kills: number; ready: Promise<void> }> {
    const pauses: number[] = [];
    while (pauses.length + 1 < most && random.chance(0.15)) pauses.push(random.integer(0, startTakesMs));
    const process = await this.oneOf('SIGKILL', random);
    await this.end(process, 'SIGKILL', false);
    return { kills: pauses.length + 1, ready: this.startLater(process, pauses) };
  }

  /** SIGTERM to one. Resolves when it has ended, and `ready` when it runs again. */
  async terminate(random: Random): Promise<{ ready: Promise<void> }> {
    const process = await this.oneOf('SIGTERM', random);
    await this.end(process, 'SIGTERM', false);
    return { ready: this.startLater(process, []) };
  }

  /** Resolves when everything that was ended runs again; rejects when something does not start. */
  async settled(): Promise<void> {
    await Promise.all(this.starting.values());
  }

  private async oneOf(signal: ProcessEnding['signal'], random: Random): Promise<ProductProcess> {
    const deck = this.decks[signal];
    if (deck.length === 0) deck.push(...random.shuffle(appsOf(this.processes)));
    const app = deck.pop();
    const copies = random.shuffle(this.processes.filter((process) => process.app === app));
    const process = copies.find((copy) => !this.starting.has(copy)) ?? copies[0]!;
    await this.starting.get(process);
    return process;
  }

  private startLater(process: ProductProcess, killedAfterMs: readonly number[]): Promise<void> {
    const ready = this.startAgain(process, killedAfterMs).then(() => void this.starting.delete(process));
    this.starting.set(process, ready);
    ready.catch(() => undefined); // told by `settled`, and by `ready` to who asks
    return ready;
  }

  private async startAgain(process: ProductProcess, killedAfterMs: readonly number[]): Promise<void> {
    for (const ms of killedAfterMs) {
      this.signal?.throwIfAborted();
      const starting = process.running.start().then(
        () => true,
        () => false, // killed before it was ready, as intended
      );
      await pause(ms);
      await this.end(process, 'SIGKILL', true);
      await starting;
    }
    this.signal?.throwIfAborted();
    await process.running.start();
    this.asked.delete(process);
    this.watch(process);
  }

  private async end(process: ProductProcess, signal: ProcessEnding['signal'], duringStart: boolean): Promise<void> {
    this.asked.add(process);
    const at = Date.now();
    const { code } = await process.running.kill(signal);
    const exitedAt = Date.now();
    await this.caughtUp();
    this.all.push({ app: process.app, signal, duringStart, at, exitedAt, gone: Date.now(), exitCode: code });
  }

  private watch(process: ProductProcess): void {
    const { app, running } = process;
    void running.exited.then(({ code, signal }) => {
      if (!this.asked.has(process))
        this.unasked.push(`${app} ended by itself with ${signal ?? code}: ${running.lines.slice(-5).join(' | ')}`);
    });
  }
}

/** Each app as often as its share says. */
function appsOf(processes: readonly ProductProcess[]): ProductProcess['app'][] {
  const apps = [...new Set(processes.map(({ app }) => app))];
  return apps.flatMap((app) => Array<ProductProcess['app']>(app === 'rockpool' ? 1 : shares[app]).fill(app));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
