import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How a program went from its start to its end. */
export interface ProgramRun {
  /** From the start of the process to the line in which it says that it is ready, milliseconds; absent when it ended before. */
  readonly readyMs?: number;
  /** Processor time it had used by then, milliseconds; absent where there is no `/proc`. */
  readonly readyCpuMs?: number;
  readonly exitCode: number | null;
  /** The last of what it printed. */
  readonly output: string;
}

/** What a bundle is started with. */
export interface ProgramOptions {
  /** The folder with its `main.js`. */
  readonly folder: string;
  /** Added to `PATH`, `HOME`, a free port and a data folder of its own; nothing else is passed on. */
  readonly environment: Readonly<Record<string, string>>;
  /** Options of Node itself. */
  readonly nodeOptions?: readonly string[];
  /** Once it is ready, before it is told to end. */
  readonly whenReady?: (url: string) => Promise<void>;
  readonly timeoutMs?: number;
}

const keptCharacters = 4_000;
const readyLine = /"url":"(http:[^"]+)".*is ready"/;

/**
 * Runs a bundle until it says that it is ready, and ends it with SIGTERM. Resolves also when it ended by itself; rejects when it does neither in time, and when it could not be
 * started.
 */
export async function runProgram({
  folder,
  environment,
  nodeOptions = [],
  whenReady,
  timeoutMs = 60_000,
}: ProgramOptions): Promise<ProgramRun> {
  const data = mkdtempSync(join(tmpdir(), 'rockpool-image-run-'));
  const began = performance.now();
  const program = spawn(process.execPath, [...nodeOptions, join(folder, 'main.js')], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      HOME: data,
      PORT: '0',
      ROCKPOOL_DATA_DIR: join(data, 'data'),
      ROCKPOOL_KEY_FILE: join(data, 'keys', 'secrets.key'),
      ROCKPOOL_LOG_FORMAT: 'json',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  try {
    return await follow(program, began, timeoutMs, whenReady);
  } finally {
    program.kill('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
}

async function follow(
  program: ChildProcess,
  began: number,
  timeoutMs: number,
  whenReady: (url: string) => Promise<void> = () => Promise.resolve(),
): Promise<ProgramRun> {
  let output = '';
  let readyMs: number | undefined;
  let readyCpuMs: number | undefined;
  const { promise: ended, resolve, reject } = Promise.withResolvers<number | null>();
  const late = setTimeout(
    () => reject(new Error(`it was neither ready nor at its end within ${timeoutMs} ms; it printed:\n${output}`)),
    timeoutMs,
  );
  program.once('error', reject);
  program.once('close', resolve);
  for (const stream of [program.stdout, program.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-keptCharacters);
      const url = readyLine.exec(output)?.[1];
      if (url === undefined || readyMs !== undefined) return;
      readyMs = performance.now() - began;
      readyCpuMs = processorTimeMs(program.pid);
      whenReady(url).then(() => program.kill('SIGTERM'), reject);
    });
  }
  try {
    const exitCode = await ended;
    return { exitCode, output, ...(readyMs !== undefined && { readyMs }), ...(readyCpuMs !== undefined && { readyCpuMs }) };
  } finally {
    clearTimeout(late);
  }
}

/** Of all figures the one that a busy machine changes least. */
function processorTimeMs(pid: number | undefined): number | undefined {
  if (process.platform !== 'linux' || pid === undefined) return undefined;
  // Fields 14 and 15, counted behind the command's name, are user and system time in ticks, which Linux shows as hundredths of a second.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
