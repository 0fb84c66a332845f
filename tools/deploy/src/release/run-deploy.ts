import { codeOf } from '@rockpool/contracts';
import { repositoryFolder } from '../repository.js';
import { Commands, Interrupted } from './commands.js';
import { deploy, planOf } from './deployment.js';
import { requestOf, usage } from './options.js';
import { usualPatience, type Patience } from './smoke-test.js';

export interface RunDeployOptions {
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
  /** Aborted by Ctrl-C: what is being done is stopped, and the traffic is brought back. */
  readonly signal: AbortSignal;
  readonly patience?: Patience;
}

/** sysexits.h, and what shells say of a program that Ctrl-C ended. */
const exitCodes = { done: 0, failed: 1, usage: 64, unavailable: 69, interrupted: 130 };

/** The command. Resolves with the exit code: 0, 64 when it was called wrongly, 69 when something it needs is not there, 130 after Ctrl-C, else 1. */
export async function runDeploy({ argv, env, write, writeError, signal, patience = usualPatience }: RunDeployOptions): Promise<number> {
  const tell = (line: string) => write(`${line}\n`);
  const commands = new Commands({ env, folder: repositoryFolder, onLine: (line) => write(`  ${line}\n`) });
  try {
    const request = await requestOf(argv, env, commands, signal);
    if (!request) {
      write(usage);
      return exitCodes.done;
    }
    if (request.isDryRun) {
      tell(`${request.deployment.app}: would run`);
      for (const line of planOf(request.deployment)) tell(`  ${line}`);
      return exitCodes.done;
    }
    const startedAt = performance.now();
    await deploy(request.deployment, { commands, patience, signal, tell });
    tell(`${request.deployment.app}: deployed in ${Math.round((performance.now() - startedAt) / 1000)} s`);
    return exitCodes.done;
  } catch (error) {
    writeError(`${error instanceof Error ? error.message : String(error)}\n`);
    if (signal.aborted || error instanceof Interrupted) return exitCodes.interrupted;
    const code = codeOf(error);
    if (code === 'invalid') {
      writeError(`\n${usage}`);
      return exitCodes.usage;
    }
    return code === 'not_found' || code === 'unauthenticated' ? exitCodes.unavailable : exitCodes.failed;
  }
}
