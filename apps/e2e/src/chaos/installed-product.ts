import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Random, startProcess, type RunningProcess } from '@rockpool/testkit';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../../..', import.meta.url));
const command = join(root, 'apps/cli/dist/main.js');
const crashPoints = join(root, 'apps/e2e/dist/chaos/crash-points.js');

/** What the product is told about the world around it. */
export interface ProductOptions {
  /** Holds its data, its key and its tenants file. */
  readonly folder: string;
  readonly tenantsFile: string;
  /** Values of the `env://` names in the tenants file. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly port: number;
  readonly environment: Readonly<Record<string, string>>;
  /** Loads the crash points, which `arm` sets. */
  readonly withCrashPoints?: boolean;
}

/** The built product as one process on one data folder, with tenants applied. It can be killed, frozen and started again any number of times. */
export class InstalledProduct {
  private constructor(
    readonly process: RunningProcess,
    private readonly options: ProductOptions,
  ) {}

  static async start(options: ProductOptions): Promise<InstalledProduct> {
    for (const file of [command, crashPoints]) if (!existsSync(file)) throw new Error(`${file} is missing: npm run build`);
    const product = await startProcess({
      command: process.execPath,
      args: [...(options.withCrashPoints ? ['--import', crashPoints] : []), command, 'start'],
      env: environmentOf(options),
      dataDir: join(options.folder, 'data'),
      readyUrl: `http://127.0.0.1:${options.port}/readyz`,
      timeoutMs: 60_000,
    });
    const installed = new InstalledProduct(product, options);
    await writeFile(join(options.folder, 'tenants.yaml'), options.tenantsFile);
    await installed.rockpool('apply', join(options.folder, 'tenants.yaml'), '--yes');
    return installed;
  }

  /** Runs a command of the product and resolves with what it printed on stdout. */
  async rockpool(...args: string[]): Promise<string> {
    const { PATH, HOME } = process.env;
    const env = { PATH, HOME, ...environmentOf(this.options), ...this.options.secrets };
    const { stdout } = await run(process.execPath, [command, ...args], { env, maxBuffer: 64 * 2 ** 20 });
    return stdout;
  }

  /** From now on the n-th passing of the crash point is the last thing the process does; with an empty text, none is. */
  arm(order: string): Promise<void> {
    return writeFile(crashFile(this.options), order);
  }

  /** What it said that it should not have said: errors that nobody caught. */
  get faults(): string[] {
    return this.process.lines.filter((line) => /nobody caught this error|"severity":"(?:CRITICAL|ALERT|EMERGENCY)"/.test(line));
  }
}

/**
 * A port that stays ours while the product is down: below the range from which the system takes the near end of outgoing connections, of which a run makes
 * thousands.
 */
export async function steadyPort(seed: string | number): Promise<number> {
  const random = new Random(`${seed}/${process.pid}`);
  for (let tries = 0; tries < 100; tries++) {
    const port = random.integer(20_000, 30_000);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port between 20000 and 30000');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function environmentOf(options: ProductOptions): Record<string, string> {
  return {
    ...options.environment,
    PORT: String(options.port),
    ROCKPOOL_DATA_DIR: join(options.folder, 'data'),
    ROCKPOOL_KEY_FILE: join(options.folder, 'master.key'),
    ROCKPOOL_LOG_FORMAT: 'json',
    // As the command does for itself in a checkout: a restart need not compile everything anew.
    NODE_COMPILE_CACHE: join(options.folder, 'compile-cache'),
    ...(options.withCrashPoints && { ROCKPOOL_CRASH_AT: `@${crashFile(options)}` }),
  };
}

function crashFile(options: ProductOptions): string {
  return join(options.folder, 'crash-at');
}
