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

/** Ends processes of the product and starts them again. */
export class Endings {
  readonly all: ProcessEnding[] = [];
  /** Ends that nobody asked for. */
  readonly unasked: string[] = [];
  private readonly asked = new Set<RunningProcess>();

  /** Once `signal` aborts, nothing is started again. */
  constructor(
    private readonly processes: readonly RunningProcess[],
    private readonly signal: AbortSignal | undefined,
  ) {
    for (const process of processes) this.watch(process);
  }

  /** SIGKILL at once; sometimes once more while it starts. Resolves when it is ready again, with how many kills that took. */
  async kill(random: Random, most: number): Promise<number> {
    const process = this.oneOf(random);
    let kills = 1;
    await this.end(process, 'SIGKILL', false);
    while (kills < most && random.chance(0.15)) {
      this.signal?.throwIfAborted();
      const starting = process.start().then(
        () => true,
        () => false, // killed before it was ready, as intended
      );
      await pause(random.integer(0, startTakesMs));
      await this.end(process, 'SIGKILL', true);
      await starting;
      kills++;
    }
    await this.start(process);
    return kills;
  }

  /** SIGTERM, and a start once it has ended. */
  async terminate(random: Random): Promise<void> {
    const process = this.oneOf(random);
    await this.end(process, 'SIGTERM', false);
    await this.start(process);
  }

  private oneOf(random: Random): RunningProcess {
    return this.processes.length === 1 ? this.processes[0]! : random.pick(this.processes);
  }

  private async end(process: RunningProcess, signal: ProcessEnding['signal'], duringStart: boolean): Promise<void> {
    this.asked.add(process);
    const at = Date.now();
    const { code } = await process.kill(signal);
    this.all.push({ signal, duringStart, at, gone: Date.now(), exitCode: code });
  }

  private async start(process: RunningProcess): Promise<void> {
    this.signal?.throwIfAborted();
    await process.start();
    this.asked.delete(process);
    this.watch(process);
  }

  private watch(process: RunningProcess): void {
    void process.exited.then(({ code, signal }) => {
      if (!this.asked.has(process)) this.unasked.push(`ended by itself with ${signal ?? code}: ${process.lines.slice(-5).join(' | ')}`);
    });
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
