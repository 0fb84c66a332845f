import { RockpoolError } from '@rockpool/contracts';
import { existsSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** SQLite's primary result codes that say "the disk or the file, not the statement", and what helps: https://www.sqlite.org/rescode.html */
const remedies: ReadonlyMap<number, string> = new Map([
  [5, 'another program holds a lock on the database: close it'],
  [6, 'another program holds a lock on the database: close it'],
  [7, 'this machine is out of memory: give it more'],
  [8, 'the data folder cannot be written: give this user write access, or mount its disk for writing'],
  [10, 'the disk failed: look at its health and at the system log'],
  [11, 'the database is damaged: stop, keep a copy of the data folder, and restore a backup of it'],
  [13, 'the disk is full: make room, and everything goes on by itself'],
  [14, 'the database cannot be opened: see that the data folder is there and this user may use it'],
  [15, 'another program holds a lock on the database: close it'],
  [26, 'the database is damaged: stop, keep a copy of the data folder, and restore a backup of it'],
]);

const busy = 5;
const damages = new Set([11, 26]);

/** Looking through a database takes about a millisecond for each MiB: a larger one would make every start wait. */
const lookedThroughBytes = 256 * 2 ** 20;

function codeOf(error: unknown): number | undefined {
  const { errcode, cause } = (error ?? {}) as { errcode?: unknown; cause?: unknown };
  if (typeof errcode === 'number') return errcode & 0xff;
  return cause === undefined ? undefined : codeOf(cause);
}

/** True for what SQLite says of the disk or the file; what it says of a statement is a fault of ours. */
export function isStorageFault(error: unknown): boolean {
  return remedies.has(codeOf(error) ?? -1);
}

/** True when another connection holds the lock: it may be free in a moment. */
export function isBusy(error: unknown): boolean {
  return codeOf(error) === busy;
}

/** True when what is in the file is not what was written to it: no waiting helps. */
export function isDamage(error: unknown): boolean {
  return damages.has(codeOf(error) ?? -1);
}

/** What the operator can do about it. */
export function remedyFor(error: unknown): string {
  return remedies.get(codeOf(error) ?? -1) ?? 'see that the disk of the data folder has room and is well';
}

/**
 * Looks at a database file without changing it, and throws `unavailable` with what to do when it must not be used: it is no database, it is damaged, or
 * it is gone while its write-ahead log, which may hold everything, is still there (SQLite would throw that away). A file that is absent, with its
 * log, is well: it is about to be made. With `thorough` every page is read, whatever the size.
 */
export function inspectDatabase(file: string, { thorough = false } = {}): void {
  const logBytes = sizeOf(`${file}-wal`);
  if (sizeOf(file) === 0) {
    if (logBytes > 0)
      throw unusable(file, 'is empty or gone, but its write-ahead log is there', `bring back ${file} from where it was moved`);
    return;
  }
  let found: unknown;
  try {
    using db = new DatabaseSync(file, { readOnly: true, timeout: 2_000 });
    // Reads the schema at least.
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    if (thorough || sizeOf(file) + logBytes <= lookedThroughBytes) found = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
  } catch (cause) {
    const words = `cannot be read: ${(cause as Error).message}`;
    throw isDamage(cause)
      ? unusable(file, words, undefined, cause)
      : new RockpoolError('unavailable', `${file} ${words}; ${remedyFor(cause)}`, { cause });
  }
  if (found !== undefined && found !== 'ok') throw unusable(file, `is damaged: ${String(found).split('\n').at(-1)}`);
}

function unusable(file: string, what: string, first?: string, cause?: unknown): RockpoolError {
  const restore = `restore a backup of the data folder, or move ${file}, ${file}-wal and ${file}-shm aside together to begin anew`;
  const remedy = first === undefined ? restore : `${first}, ${restore}`;
  return new RockpoolError('unavailable', `${file} ${what}. Nothing was changed. Keep a copy, then ${remedy}.`, { cause });
}

function sizeOf(file: string): number {
  return existsSync(file) ? statSync(file).size : 0;
}
