import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A command to run as a user would. */
export interface ProcessOptions {
  readonly command: string;
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** Added to the bare minimum of this process's environment; nothing else of it is passed on. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ready once this answers 2xx. */
  readonly readyUrl?: string;
  /** Ready once a line of its output matches. With neither, ready as soon as it runs. */
  readonly readyLine?: RegExp;
  /** How long it may take to be ready; a minute when absent. */
  readonly timeoutMs?: number;
  /** Its data folder, passed as `ROCKPOOL_DATA_DIR`. A new one, which {@link RunningProcess.stop} removes, when absent. */
  readonly dataDir?: string;
  /** Told each line of its output, both streams. */
  readonly onLine?: (line: string) => void;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

// What a program needs to run at all; settings of the test run itself (NODE_OPTIONS and the like) stay out.
const inherited = ['PATH', 'HOME', 'USER', 'LANG', 'TMPDIR', 'TZ', 'SystemRoot'];
/** Where programs that are started again and again keep what Node compiled of them: `NODE_COMPILE_CACHE`. Node's own place for it. */
export const compileCache = join(tmpdir(), 'node-compile-cache');
const pollMs = 25;
const patienceMs = 60_000;
const keptLines = 5_000;

// What is started ends even when this process is killed without a word: the pipe on its standard input ends then, which a shell waits for whose place the command itself took.
// Windows has no such shell.
const hasShell = process.platform !== 'win32';
const endingWithParent = 'exec 3<&0; (cat >/dev/null; kill -9 0) <&3 >/dev/null 2>&1 & exec 3<&- </dev/null; exec "$@"';

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) killGroup(child, 'SIGKILL');
});

/** Starts a command in a data folder of its own and waits until it is ready. Rejects with the end of its output when it is not in time, or ends before. */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const own = options.dataDir === undefined;
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'rockpool-')));
  const started = new RunningProcess(options, dataDir, own);
  try {
    await started.start();
  } catch (error) {
    await started.stop();
    throw error;
  }
  return started;
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A process that was started; it and what it started in turn end with {@link stop}, and at the latest with this process, whatever becomes of that. */
export class RunningProcess {
  /** The last lines of its output, both streams, over all restarts. */
  readonly lines: string[] = [];
  private child: ChildProcess | undefined;
  private exit: Promise<Exit> = Promise.resolve({ code: null, signal: null });
  private readonly lineListeners = new Set<(line: string) => void>();
  private readonly options: ProcessOptions;
  readonly dataDir: string;
  private readonly ownsDataDir: boolean;

  // Written out so that Node can run this file as it is: its test starts a launcher that is killed.
  constructor(options: ProcessOptions, dataDir: string, ownsDataDir: boolean) {
    this.options = options;
    this.dataDir = dataDir;
    this.ownsDataDir = ownsDataDir;
  }

  /** The process id; undefined once it ended. */
  get pid(): number | undefined {
    return this.isRunning ? this.child?.pid : undefined;
  }

  get isRunning(): boolean {
    return this.child?.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Resolves when the process that runs now has ended, and how. */
  get exited(): Promise<Exit> {
    return this.exit;
  }

  /** Runs the command, on the same data, and waits until it is ready. Throws when it still runs. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    if (this.isRunning) throw new Error('it runs already');
    const { cwd, readyLine } = this.options;
    const [command, ...args] = this.commandLine();
    const lineSeen = readyLine && this.nextLine(readyLine);
    // A group of its own, so that a wrapper (npm, a shell) cannot leave its child behind.
    const child = spawn(command, args, {
      cwd,
      env: this.environment(env),
      stdio: [hasShell ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.child = child;
    running.add(child);
    const failed = new Promise<never>((_, reject) => child.once('error', reject));
    const spawned = new Promise<void>((resolve) => child.once('spawn', () => resolve()));
    this.exit = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal }));
      child.once('error', () => child.pid === undefined && resolve({ code: null, signal: null }));
    });
    void this.exit.then(() => running.delete(child));
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.take(line));
    }
    await this.ready([spawned, lineSeen], failed);
  }

  /** Sends a signal and resolves when the process has ended. SIGKILL goes to everything it started, other signals to it alone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    if (this.child && this.isRunning) {
      if (signal === 'SIGKILL') killGroup(this.child, signal);
      else this.child.kill(signal);
    }
    return this.exit;
  }

  /** Sends a signal and does not wait: SIGSTOP, SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  /** Kills it, runs it again on the same data and waits until it is ready. */
  async restart(signal: NodeJS.Signals = 'SIGKILL', env: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.kill(signal);
    await this.start(env);
  }

  /** Kills it and removes its data folder, unless that was given. */
  async stop(): Promise<void> {
    await this.kill('SIGKILL');
    if (this.ownsDataDir) await rm(this.dataDir, { recursive: true, force: true });
  }

  /** The first line of its output that matches, already there or within the time. */
  async waitForLine(pattern: RegExp, timeoutMs = patienceMs): Promise<string> {
    const already = this.lines.find((line) => pattern.test(line));
    return already ?? this.within(this.nextLine(pattern), timeoutMs, `no line like ${pattern}`);
  }

  private commandLine(): [string, ...string[]] {
    const { command, args = [] } = this.options;
    return hasShell ? ['sh', '-c', endingWithParent, 'sh', command, ...args] : [command, ...args];
  }

  private async ready(signs: readonly unknown[], failed: Promise<never>): Promise<void> {
    const { readyUrl, timeoutMs = patienceMs } = this.options;
    const ended = this.exit.then(({ code, signal }) => {
      throw new Error(`it ended with ${signal ?? code} before it was ready${this.tail()}`);
    });
    for (const later of [ended, failed]) later.catch(() => undefined); // once it is ready, its end is told by `exited`
    const all = Promise.all([...signs, readyUrl && this.answers(readyUrl)]);
    await this.within(Promise.race([failed, all, ended]), timeoutMs, 'not ready');
  }

  private async answers(url: string): Promise<void> {
    const child = this.child;
    while (this.child === child && this.isRunning) {
      const status = await fetch(url).then(
        (response) => response.body?.cancel().then(() => response.status),
        () => undefined, // nobody listens yet
      );
      if (status !== undefined && status >= 200 && status <= 299) return;
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  private environment(env: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
    const bare = Object.fromEntries(inherited.map((name) => [name, process.env[name]]).filter(([, value]) => value !== undefined));
    return { ...bare, ROCKPOOL_DATA_DIR: this.dataDir, ...this.options.env, ...env };
  }

  private take(line: string): void {
    this.lines.push(line);
    if (this.lines.length > keptLines) this.lines.shift();
    this.options.onLine?.(line);
    for (const listener of this.lineListeners) listener(line);
  }

  private nextLine(pattern: RegExp): Promise<string> {
    return new Promise((resolve) => {
      const listener = (line: string): void => {
        if (!pattern.test(line)) return;
        this.lineListeners.delete(listener);
        resolve(line);
      };
      this.lineListeners.add(listener);
    });
  }

  private async within<Value>(promise: Promise<Value>, timeoutMs: number, problem: string): Promise<Value> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${problem} within ${timeoutMs} ms${this.tail()}`)), timeoutMs);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  }

  private tail(): string {
    return this.lines.length === 0 ? '; it printed nothing' : `; its last lines:\n${this.lines.slice(-20).join('\n')}`;
  }
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    // The group is gone already; Windows has no groups, where the child itself is all there is to kill.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') child.kill(signal);
  }
}
