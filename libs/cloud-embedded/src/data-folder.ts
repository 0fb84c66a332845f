import { RockpoolError } from '@rockpool/contracts';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Database } from './database.js';
import { inspectDatabase, remedyFor } from './storage-faults.js';

/** Changes a database from one format to the next. Runs in a transaction; what it throws leaves the database as it was. */
export type Migration = (db: DatabaseSync) => void;

/** The first of these leads from format 1 to 2, and so on. Tables that are new need none: every driver creates what it lacks. */
const migrations: readonly Migration[] = [];

/** SQLITE_BUSY: https://www.sqlite.org/rescode.html#busy */
const busy = 5;

/**
 * The folder in which the embedded engine keeps everything but its keys, held by one process at a time.
 *
 * The lock is an open exclusive transaction on `lock.db`. The operating system ends it with the process, however that dies, so no lock is
 * ever stale. Reading `lock.db` as a file from within the holding process would lose the lock (that is how POSIX locks are); nothing needs
 * to.
 */
export class DataFolder {
  private constructor(
    readonly path: string,
    /** The one database of the engine, at the present format. */
    readonly database: Database,
    private readonly lock: DatabaseSync,
  ) {}

  /**
   * Makes the folder if need be (readable by its owner only), takes the lock and opens the database, changing it to the present format.
   * Rejects with `unavailable` when another process holds the folder, when a newer version of Rockpool has written it, or when its database
   * is damaged or gone: then nothing has been touched.
   */
  static async open(folder: string, steps: readonly Migration[] = migrations): Promise<DataFolder> {
    const path = resolve(folder);
    try {
      await mkdir(path, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw new RockpoolError('unavailable', `cannot make the data folder ${path}: ${(cause as Error).message}`, { cause });
    }
    const lock = await lockFolder(path);
    try {
      await writeFile(holderFile(path), `${process.pid}\n`);
      const file = join(path, 'rockpool.db');
      inspectDatabase(file);
      refuseNewerFormat(file, steps.length + 1);
      const database = Database.open(file);
      try {
        await migrate(database, steps);
      } catch (error) {
        await database.close();
        throw error;
      }
      return new DataFolder(path, database, lock);
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  /** Closes the database, then lets go of the folder. */
  async close(): Promise<void> {
    if (!this.lock.isOpen) return;
    try {
      await this.database.close();
      await rm(holderFile(this.path), { force: true });
    } finally {
      this.lock.close();
    }
  }
}

/** Who holds the folder, for the message to the others. Only the lock decides. */
function holderFile(path: string): string {
  return join(path, 'lock.pid');
}

async function lockFolder(path: string): Promise<DatabaseSync> {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(path, 'lock.db'), { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (cause) {
    lock?.close();
    if ((cause as { errcode?: number }).errcode !== busy) {
      throw new RockpoolError('unavailable', `cannot lock the data folder ${path}: ${(cause as Error).message}; ${remedyFor(cause)}`, {
        cause,
      });
    }
    throw new RockpoolError(
      'unavailable',
      `the data folder ${path} is held by ${await holderOf(path)}: stop that one, or give this one another folder with ROCKPOOL_DATA_DIR`,
    );
  }
}

async function holderOf(path: string): Promise<string> {
  try {
    return `process ${(await readFile(holderFile(path), 'utf8')).trim()}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'another process';
    throw error;
  }
}

function refuseNewerFormat(file: string, known: number): void {
  if (!existsSync(file)) return;
  using db = new DatabaseSync(file, { readOnly: true });
  const format = formatOf(db);
  if (format > known) {
    throw new RockpoolError(
      'unavailable',
      `${file} was written by a newer version of Rockpool (its format is ${format}, this version knows up to ${known}): ` +
        'run that version, or restore a backup made before it ran',
    );
  }
}

/** A database without a format is a new one: the drivers are about to create their tables as they are now. */
async function migrate(database: Database, steps: readonly Migration[]): Promise<void> {
  const present = steps.length + 1;
  await database.write((db) => {
    const format = formatOf(db);
    if (format > 0) for (const step of steps.slice(format - 1)) step(db);
    db.exec(`PRAGMA user_version = ${present}`);
  });
}

function formatOf(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
}
