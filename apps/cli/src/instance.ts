import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import type { ControlPlane } from '@rockpool/console';
import type { PlatformConfig } from '@rockpool/service';
import { CommandFailure, exitCodes, exitCodesHelp } from './exit-codes.js';
import { readInstance, type Instance } from './instance-file.js';

/** Options of every command that works on an installation. */
export interface InstanceOptions {
  readonly url?: string;
  readonly dataDir?: string;
  readonly json?: boolean;
}

/** An installation to work on. Close it when done. */
export interface Connection {
  readonly controlPlane: ControlPlane;
  /** Where the instance answers; absent when the engine was opened instead: none runs, or it is Google's. */
  readonly url?: string;
  readonly config: PlatformConfig;
  close(): Promise<void>;
}

/** Adds the options, and to the help the exit codes and these examples. */
export function onInstance(command: Command, examples: readonly string[]): Command {
  return command
    .option('--json', 'print JSON')
    .option(
      '--url <url>',
      'work on the instance at this address (default: the one that runs on this data folder; with the google engine, the engine itself)',
    )
    .option('--data-dir <folder>', 'data folder of the installation (default: $ROCKPOOL_DATA_DIR, else ./.rockpool)')
    .addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}\n${exitCodesHelp}`);
}

/** The configuration as the environment and `--data-dir` say. Ends the process with 78 when it is wrong. */
export async function configOf(options: InstanceOptions): Promise<PlatformConfig> {
  const { configuration } = await import('./configuration.js');
  return configuration(options.dataDir);
}

/**
 * Reaches the instance that `--url` names, else the one that runs on the data folder; when none runs, opens the data folder in this process. `create`
 * allows for a data folder that does not exist yet. The google engine is always opened, with the rights of whoever asks, unless `--url` names its console.
 */
export async function connect(options: InstanceOptions, { create = false } = {}): Promise<Connection> {
  const config = await configOf(options);
  const dataDir = config.ROCKPOOL_DATA_DIR;
  const isEmbedded = config.ROCKPOOL_ENGINE === 'embedded';
  const url = urlOf(options) ?? (isEmbedded ? (await runningInstance(dataDir))?.url : undefined);
  if (url !== undefined) {
    const [{ HttpControlPlane }, { operatorToken }] = await Promise.all([import('./http-control-plane.js'), import('./operator-token.js')]);
    return { controlPlane: new HttpControlPlane(url, await operatorToken(dataDir)), url, config, close: async () => undefined };
  }
  if (isEmbedded && !create && !(await exists(dataDir))) {
    throw new CommandFailure(
      exitCodes.unavailable,
      `There is nothing at ${dataDir} yet. Start it (npm start), or apply tenants: rockpool apply tenants.yaml`,
    );
  }
  const { openPlatform } = await import('./compose.js');
  const platform = await openPlatform(config, 'cli');
  return { controlPlane: platform.controlPlane, config, close: () => platform.close() };
}

/** Where the instance is that `--url` names. */
export function urlOf({ url }: InstanceOptions): string | undefined {
  return url?.replace(/\/+$/, '');
}

/** What addresses of this installation begin with, for a person to read. */
export function addressOf({ config, url }: Connection, publicUrl: string | undefined): string {
  const elsewhere = config.ROCKPOOL_ENGINE === 'google' ? '<URL of the ingress>' : `http://127.0.0.1:${config.PORT}`;
  return publicUrl ?? url ?? elsewhere;
}

/** Does `work` on the installation and closes it, whatever happens. */
export async function withInstance<Result>(
  options: InstanceOptions,
  work: (connection: Connection) => Promise<Result>,
  how: { create?: boolean } = {},
): Promise<Result> {
  const connection = await connect(options, how);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

/** The instance that runs on this data folder; `undefined` when none answers. */
export async function runningInstance(dataDir: string): Promise<Instance | undefined> {
  const instance = await readInstance(dataDir);
  if (!instance) return undefined;
  const alive = await fetch(`${instance.url}/healthz`, { signal: AbortSignal.timeout(2_000) }).then(
    (response) => response.ok,
    // It ended without taking its file along. Whether another process holds the folder shows when it is opened.
    () => false,
  );
  return alive ? instance : undefined;
}

/** True when there is something at the path. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
