import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  compileCache,
  GoogleStack,
  imagesOf,
  Random,
  stackApps,
  startProcess,
  type RunningProcess,
  type StackApp,
} from '@rockpool/testkit';
import type { EngineName } from '../installation.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../../..', import.meta.url));
const crashPoints = join(root, 'apps/e2e/dist/chaos/crash-points.js');
/** Where several processes may hold a conversation, one that was killed is waited for so long. */
const leaseMs = 10_000;

/** What the product is told about the world around it. */
export interface ProductOptions {
  readonly engine?: EngineName;
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

/** One process of the product, and which app it is: `rockpool` is all of them in one. */
export interface ProductProcess {
  readonly app: StackApp | 'rockpool';
  readonly running: RunningProcess;
}

interface Running {
  readonly processes: readonly ProductProcess[];
  /** What the command line needs to find it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Has the front of its app give this process nothing more. */
  leaveOut?(process: RunningProcess): void;
  stop(): Promise<void>;
}

/**
 * The product as its images hold it, with tenants applied: one process on one data folder, or on the Google engine two of each app and one console. Its processes can be killed, frozen and started again any
 * number of times.
 */
export class InstalledProduct {
  private constructor(
    private readonly running: Running,
    private readonly command: string,
    private readonly options: ProductOptions,
  ) {}

  static async start(options: ProductOptions): Promise<InstalledProduct> {
    if (!existsSync(crashPoints)) throw new Error(`${crashPoints} is missing: npm run build`);
    const programs = await imagesOf(root);
    const command = join(programs, 'apps/rockpool/dist/main.js');
    const running = await (options.engine === 'google' ? startStack(options, programs) : startEmbedded(options, command));
    const installed = new InstalledProduct(running, command, options);
    await writeFile(join(options.folder, 'tenants.yaml'), options.tenantsFile);
    await installed.rockpool('apply', join(options.folder, 'tenants.yaml'), '--yes');
    return installed;
  }

  get processes(): readonly ProductProcess[] {
    return this.running.processes;
  }

  /** The processes of one app. */
  copiesOf(app: ProductProcess['app']): readonly RunningProcess[] {
    return this.processes.filter((process) => process.app === app).map(({ running }) => running);
  }

  /** The one process of the embedded engine. */
  get process(): RunningProcess {
    return this.processes[0]!.running;
  }

  /** What its processes printed last, each in its order. */
  get lines(): string[] {
    return this.processes.flatMap(({ running }) => running.lines);
  }

  /** Where an app has several processes: this one, which hangs, is given nothing more. */
  leaveOut(process: RunningProcess): void {
    this.running.leaveOut?.(process);
  }

  /** Runs a command of the product and resolves with what it printed on stdout. */
  async rockpool(...args: string[]): Promise<string> {
    const { PATH, HOME } = process.env;
    const env = { PATH, HOME, ...this.running.environment, ...this.options.secrets };
    const { stdout } = await run(process.execPath, [this.command, ...args], { env, maxBuffer: 64 * 2 ** 20 });
    return stdout;
  }

  /** From now on the n-th passing of the crash point is the last thing the process does; with an empty text, none is. */
  arm(order: string): Promise<void> {
    return writeFile(crashFile(this.options), order);
  }

  /** What it said that it should not have said: errors that nobody caught. */
  get faults(): string[] {
    return this.lines.filter((line) => /nobody caught this error|"severity":"(?:CRITICAL|ALERT|EMERGENCY)"/.test(line));
  }

  /** Ends it for good. */
  stop(): Promise<void> {
    return this.running.stop();
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

async function startEmbedded(options: ProductOptions, command: string): Promise<Running> {
  const environment = {
    ...environmentOf(options),
    PORT: String(options.port),
    ROCKPOOL_DATA_DIR: join(options.folder, 'data'),
    ROCKPOOL_KEY_FILE: join(options.folder, 'master.key'),
    // As in its image: a restart need not compile everything anew.
    NODE_COMPILE_CACHE: compileCache,
  };
  const product = await startProcess({
    command: process.execPath,
    args: [...nodeArgsOf(options), command, 'start'],
    env: environment,
    dataDir: environment.ROCKPOOL_DATA_DIR,
    readyUrl: `http://127.0.0.1:${options.port}/readyz`,
  });
  return { processes: [{ app: 'rockpool', running: product }], environment, stop: () => product.stop() };
}

async function startStack(options: ProductOptions, programs: string): Promise<Running> {
  const stack = await GoogleStack.start({
    root,
    programs,
    copies: { console: 1 },
    // Processes are killed one at a time, which the emulator of Pub/Sub does not notice.
    delivery: 'pull-strict',
    env: { ROCKPOOL_LEASE_MS: String(leaseMs), ...environmentOf(options) },
    ports: { ingress: options.port },
    nodeArgs: nodeArgsOf(options),
  });
  const processes = stackApps.flatMap((app) => stack.apps[app].copies.map((running) => ({ app, running })));
  const leaveOut = (process: RunningProcess) =>
    Object.values(stack.apps)
      .find(({ copies }) => copies.includes(process))
      ?.leaveOut(process);
  return { processes, environment: stack.environment, leaveOut, stop: () => stack.stop() };
}

function nodeArgsOf({ withCrashPoints }: ProductOptions): string[] {
  return withCrashPoints ? ['--import', crashPoints] : [];
}

function environmentOf(options: ProductOptions): Record<string, string> {
  return {
    ...options.environment,
    ROCKPOOL_LOG_FORMAT: 'json',
    ...(options.withCrashPoints && { ROCKPOOL_CRASH_AT: `@${crashFile(options)}` }),
  };
}

function crashFile(options: ProductOptions): string {
  return join(options.folder, 'crash-at');
}
