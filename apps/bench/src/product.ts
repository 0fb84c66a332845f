import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort, startProcess, type RunningProcess } from '@rockpool/testkit';

const command = fileURLToPath(new URL('../../cli/bin/rockpool.mjs', import.meta.url));

/** The product as a user starts it, in a folder of its own. */
export interface Product {
  readonly url: string;
  readonly process: RunningProcess;
  /** Milliseconds from the start of the process to the first 200 of /readyz. */
  readonly readyMs: number;
  rockpool(...args: string[]): Promise<void>;
  /** Resident memory of the process, MiB. */
  residentMiB(): Promise<number>;
  /** Processor time the process has used so far, milliseconds: of all figures the one that a busy machine changes least. */
  cpuMs(): Promise<number>;
  close(): Promise<void>;
}

/** Starts it with these variables and applies the tenants file, whose `env://` secrets are looked up in them. */
export async function startProduct(environment: Record<string, string>, tenants?: string): Promise<Product> {
  const folder = await mkdtemp(join(tmpdir(), 'rockpool-bench-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = {
    PORT: String(port),
    ROCKPOOL_DATA_DIR: join(folder, 'data'),
    ROCKPOOL_KEY_FILE: join(folder, 'keys', 'master.key'),
    ROCKPOOL_LOG_FORMAT: 'json',
    ROCKPOOL_LOG_LEVEL: 'warn',
    ...environment,
  };
  const began = performance.now();
  const product = await startProcess({
    command: process.execPath,
    args: [command, 'start'],
    env,
    dataDir: env.ROCKPOOL_DATA_DIR,
    readyUrl: `${url}/readyz`,
  });
  const readyMs = performance.now() - began;
  const rockpool = async (...args: string[]) => {
    await promisify(execFile)(process.execPath, [command, ...args], { env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 });
  };
  if (tenants !== undefined) {
    const file = join(folder, 'tenants.yaml');
    await writeFile(file, tenants);
    await rockpool('apply', file, '--yes');
  }
  return {
    url,
    process: product,
    readyMs,
    rockpool,
    async residentMiB() {
      const status = await readFile(`/proc/${product.pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
    },
    async cpuMs() {
      // Fields 14 and 15, counted behind the command's name, are user and system time in ticks, which Linux shows as hundredths of a second.
      const fields = (await readFile(`/proc/${product.pid}/stat`, 'utf8')).split(') ')[1]!.split(' ');
      return (Number(fields[11]) + Number(fields[12])) * 10;
    },
    async close() {
      await product.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
