import { codeOf, isRockpoolError } from '@rockpool/contracts';
import { CommanderError } from 'commander';

/** What the command's end says to a script. 69 and 78 are those of sysexits.h. */
export const exitCodes = {
  ok: 0,
  /** It was done, or looked at, and something is not as it should be: a failed check, a refused change, an id that does not exist. */
  problem: 1,
  /** The command line is wrong. */
  usage: 2,
  /** No instance answers, or the data folder cannot be opened. */
  unavailable: 69,
  /** tenants.yaml, an environment variable or the admin token is wrong. */
  config: 78,
} as const;

/** For the `--help` of every command. */
export const exitCodesHelp = `
Exit codes:
  0   done
  1   done, and there is a problem; or refused
  2   wrong usage
  69  no instance answers, or the engine (its data folder) cannot be opened
  78  wrong configuration: tenants.yaml, an environment variable, the admin token`;

/** Thrown to end a command with a message to the operator and one of the documented codes. */
export class CommandFailure extends Error {
  constructor(
    readonly exitCode: number,
    message: string,
  ) {
    super(message);
    this.name = 'CommandFailure';
  }
}

/** The exit code for whatever a command threw, and what to tell the operator; nothing when it was told already. */
export function endOf(error: unknown): { exitCode: number; message?: string } {
  if (error instanceof CommandFailure) return { exitCode: error.exitCode, message: error.message };
  if (error instanceof CommanderError) return { exitCode: error.exitCode === 0 ? exitCodes.ok : exitCodes.usage };
  if (!isRockpoolError(error))
    return { exitCode: exitCodes.problem, message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  const code = codeOf(error);
  const exitCode = code === 'unavailable' ? exitCodes.unavailable : code === 'unauthenticated' ? exitCodes.config : exitCodes.problem;
  return { exitCode, message: error.message };
}
