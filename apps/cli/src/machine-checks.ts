import type { Stats } from 'node:fs';
import { access, constants, stat, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, relative } from 'node:path';
import { inspectDatabase } from '@rockpool/cloud-embedded';
import type { Check } from '@rockpool/console';
import type { PlatformConfig } from '@rockpool/service';
import type { Instance } from './instance-file.js';

const oldestNode = 24;
const scarceBytes = 1024 ** 3;
const tooLittleBytes = 100 * 1024 ** 2;
const clockToleranceMs = 60_000;

/** This Node is one the platform runs on. */
export function nodeCheck(version = process.versions.node): Check {
  const name = 'node';
  if (Number(version.split('.')[0]) >= oldestNode) return { name, state: 'ok', detail: version };
  return { name, state: 'fail', detail: `${version} is too old`, remedy: 'run it through npm (npx rockpool), which brings its own' };
}

/** The data folder is there, ours to write, and has room. */
export async function dataFolderChecks({ ROCKPOOL_DATA_DIR: folder }: PlatformConfig): Promise<Check[]> {
  const name = 'data folder';
  const info = await statOrCode(folder);
  if (typeof info === 'string') {
    return info === 'ENOENT'
      ? [{ name, state: 'warn', detail: `${folder} does not exist yet`, remedy: 'it is made at the first start: npm start' }]
      : [{ name, state: 'fail', detail: `${folder}: ${info}`, remedy: 'give this user access to it, or set ROCKPOOL_DATA_DIR' }];
  }
  if (!info.isDirectory()) return [{ name, state: 'fail', detail: `${folder} is no folder`, remedy: 'set ROCKPOOL_DATA_DIR to a folder' }];
  const writable = await access(folder, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!writable)
    return [{ name, state: 'fail', detail: `${folder} cannot be written`, remedy: 'give it to this user, or set ROCKPOOL_DATA_DIR' }];
  const open = (info.mode & 0o077) !== 0;
  const folderCheck: Check = open
    ? { name, state: 'warn', detail: `${folder} can be read by other users of this machine`, remedy: `chmod 700 ${folder}` }
    : { name, state: 'ok', detail: folder };
  return [folderCheck, await spaceCheck(folder)];
}

/** Reads every page of a database that nobody uses now. */
export function databaseCheck({ ROCKPOOL_DATA_DIR: folder }: PlatformConfig): Check {
  const name = 'database';
  try {
    inspectDatabase(join(folder, 'rockpool.db'), { thorough: true });
    return { name, state: 'ok', detail: 'no damage found' };
  } catch (error) {
    return { name, state: 'fail', detail: (error as Error).message, remedy: 'docs/runbooks/storage.md says how' };
  }
}

async function spaceCheck(folder: string): Promise<Check> {
  const { bavail, bsize } = await statfs(folder);
  const bytes = bavail * bsize;
  const detail = `${(bytes / 1024 ** 3).toFixed(1)} GiB free`;
  if (bytes >= scarceBytes) return { name: 'disk', state: 'ok', detail };
  const remedy = 'make room: messages are refused with 503 when nothing can be stored';
  return { name: 'disk', state: bytes < tooLittleBytes ? 'fail' : 'warn', detail, remedy };
}

/** The key that opens the secrets is there, this user's alone, and not inside the data folder. */
export async function keyFileCheck(
  { ROCKPOOL_KEY_FILE: file, ROCKPOOL_DATA_DIR: folder }: PlatformConfig,
  dataExists: boolean,
): Promise<Check> {
  const name = 'key file';
  const info = await statOrCode(file);
  if (typeof info === 'string') {
    if (info !== 'ENOENT') return { name, state: 'fail', detail: `${file}: ${info}`, remedy: 'give this user access to it' };
    return dataExists
      ? {
          name,
          state: 'fail',
          detail: `${file} is missing: stored secrets cannot be opened`,
          remedy: 'bring it back from a backup, or set ROCKPOOL_KEY_FILE',
        }
      : { name, state: 'ok', detail: `${file} is made at the first start` };
  }
  if ((info.mode & 0o077) !== 0) return { name, state: 'fail', detail: `${file} can be read by others`, remedy: `chmod 600 ${file}` };
  const inside = !relative(folder, file).startsWith('..');
  if (!inside) return { name, state: 'ok', detail: file };
  return {
    name,
    state: 'warn',
    detail: `${file} lies in the data folder`,
    remedy: 'move it out and set ROCKPOOL_KEY_FILE: a copy of the folder must not open it',
  };
}

/** Somebody can listen at the port: we do, or nobody does. */
export async function portCheck({ PORT: port, ROCKPOOL_HOST: host }: PlatformConfig, running: Instance | undefined): Promise<Check> {
  const name = 'port';
  if (running) return { name, state: 'ok', detail: `${running.url}, process ${running.pid}, since ${running.startedAt}` };
  if (port === 0) return { name, state: 'ok', detail: 'any free one' };
  const problem = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    const server = createServer().once('error', resolve);
    server.listen({ port, host }, () => server.close(() => resolve(undefined)));
  });
  if (!problem) return { name, state: 'ok', detail: `${host}:${port} is free; no instance runs` };
  const remedy = 'stop what uses it, or set PORT (and ROCKPOOL_HOST) to something else';
  return { name, state: 'fail', detail: `${host}:${port}: ${problem.code ?? problem.message}, and it is not this installation`, remedy };
}

/**
 * The clock of this machine against the `Date` of somebody else's answer (a second's resolution). Webhook signatures are refused when it is five minutes off.
 * Nobody to ask is no fault.
 */
export async function clockCheck(url: string): Promise<Check> {
  const name = 'clock';
  const askedAt = Date.now();
  const date = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(5_000) }).then(
    (response) => Date.parse(response.headers.get('date') ?? ''),
    () => Number.NaN,
  );
  if (Number.isNaN(date)) return { name, state: 'ok', detail: `not compared: ${new URL(url).host} did not answer` };
  const offMs = Math.abs(date - (askedAt + Date.now()) / 2);
  if (offMs <= clockToleranceMs) return { name, state: 'ok', detail: `as ${new URL(url).host} has it` };
  const detail = `${Math.round(offMs / 1000)} s off ${new URL(url).host}`;
  return { name, state: 'fail', detail, remedy: 'set the clock (NTP): signed webhooks are refused when it is wrong' };
}

/** What is at the path, or the system's code for why nobody can say. */
async function statOrCode(path: string): Promise<Stats | string> {
  return stat(path).catch((error: NodeJS.ErrnoException) => error.code ?? error.message);
}
