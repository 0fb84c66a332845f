import type { Random, RunningProcess } from '@rockpool/testkit';
import type { Ending } from './model-runs.js';

/** A SIGKILL, or a SIGTERM and how the process ended. */
export interface ProcessEnding extends Ending {
  readonly signal: 'SIGKILL' | 'SIGTERM';
  /** Killed while it was starting. */
  readonly duringStart: boolean;
  readonly exitCode: number | null;
}

const startTakesMs = 1_500;

/** Ends the product and starts it again. */
export class Endings {
  readonly all: ProcessEnding[] = [];
  /** Ends that nobody asked for. */
  readonly unasked: string[] = [];
  private asked = false;

  /** Once `signal` aborts, nothing is started again. */
  constructor(
    private readonly product: RunningProcess,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.watch();
  }

  /** SIGKILL at once; sometimes once more while it starts. Resolves when it is ready again, with how many kills that took. */
  async kill(random: Random, most: number): Promise<number> {
    let kills = 1;
    await this.end('SIGKILL', false);
    while (kills < most && random.chance(0.15)) {
      this.signal?.throwIfAborted();
      const starting = this.product.start().then(
        () => true,
        () => false, // killed before it was ready, as intended
      );
      await pause(random.integer(0, startTakesMs));
      await this.end('SIGKILL', true);
      await starting;
      kills++;
    }
    await this.start();
    return kills;
  }

  /** SIGTERM, and a start once it has ended. */
  async terminate(): Promise<void> {
    await this.end('SIGTERM', false);
    await this.start();
  }

  private async end(signal: ProcessEnding['signal'], duringStart: boolean): Promise<void> {
    this.asked = true;
    const at = Date.now();
    const { code } = await this.product.kill(signal);
    this.all.push({ signal, duringStart, at, gone: Date.now(), exitCode: code });
  }

  private async start(): Promise<void> {
    this.signal?.throwIfAborted();
    await this.product.start();
    this.asked = false;
    this.watch();
  }

  private watch(): void {
    void this.product.exited.then(({ code, signal }) => {
      if (!this.asked) this.unasked.push(`ended by itself with ${signal ?? code}: ${this.product.lines.slice(-5).join(' | ')}`);
    });
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
