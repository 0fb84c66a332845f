import { spawn } from 'node:child_process';
import { RockpoolError } from '@rockpool/contracts';

/** A program that ended with something else than 0. */
export class CommandFailed extends RockpoolError {
  constructor(
    line: string,
    readonly exitCode: number | null,
    readonly stderr: string,
  ) {
    super('internal', `\`${line}\` failed${exitCode === null ? '' : ` with exit code ${exitCode}`}${stderr ? `:\n${stderr}` : ''}`);
  }
}

/** Somebody pressed Ctrl-C. */
export class Interrupted extends RockpoolError {
  constructor() {
    super('unavailable', 'interrupted');
  }
}

export interface CommandsOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Where programs run. */
  readonly folder: string;
  /** Called with each line that a program that is watched writes. */
  readonly onLine: (line: string) => void;
}

/** Where to get programs that a deployment cannot do without. */
const sources: Readonly<Record<string, string>> = {
  gcloud: 'install the Google Cloud CLI: https://cloud.google.com/sdk/docs/install',
  docker: 'install Docker, or deploy an image that exists with --image',
  git: 'install git, or name the version with --image-tag',
};

/** Runs programs by name, as they are found on the PATH. No shell takes part. */
export class Commands {
  constructor(private readonly options: CommandsOptions) {}

  /**
   * Resolves with what the program wrote to stdout, once it ended with 0. Rejects with {@link CommandFailed} when it did not, with `not_found` when there is no such
   * program, with {@link Interrupted} when the signal aborted; the program is told to stop then.
   */
  async run(
    program: string,
    args: readonly string[],
    { signal, watch = false }: { signal?: AbortSignal; watch?: boolean } = {},
  ): Promise<string> {
    if (signal?.aborted) throw new Interrupted();
    const child = spawn(program, args, {
      cwd: this.options.folder,
      env: this.options.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Without a signal it has to come to its end: Ctrl-C in a terminal reaches every program of the group.
      detached: signal === undefined,
    });
    const stop = () => child.kill('SIGINT');
    signal?.addEventListener('abort', stop, { once: true });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (watch) this.tell(text);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      if (watch) this.tell(text);
    });
    try {
      const exitCode = await new Promise<number | null>((resolve, reject) => {
        child.on('error', reject);
        child.on('close', resolve);
      });
      if (signal?.aborted) throw new Interrupted();
      if (exitCode !== 0) throw new CommandFailed(commandLine(program, args), exitCode, stderr.trim());
      return stdout;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new RockpoolError('not_found', `${program} is not on the PATH; ${sources[program] ?? 'install it'}`, { cause: error });
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  private tell(text: string): void {
    for (const line of text.split(/\r?\n|\r/)) if (line.trim() !== '') this.options.onLine(line);
  }
}

/** As one would type it. */
export function commandLine(program: string, args: readonly string[]): string {
  return [program, ...args.map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`))].join(' ');
}
