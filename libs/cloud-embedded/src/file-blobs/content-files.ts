import { randomUUID } from 'node:crypto';
import { mkdir, open, opendir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { RockpoolError } from '@rockpool/contracts';
import { syncFolder } from '../private-file.js';

/** Longer than any write may pause between two chunks, or between its last chunk and its row. */
const abandonedAfterMs = 3_600_000;

const storageFaults = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EACCES', 'EMFILE', 'ENFILE']);

/**
 * Files of bytes under random names. `incoming/` holds what is being written, `content/<first two letters>/` what is whole and on disk.
 */
export class ContentFiles {
  readonly #incoming: string;
  readonly #content: string;
  readonly #shards = new Set<string>();

  private constructor(folder: string) {
    this.#incoming = join(folder, 'incoming');
    this.#content = join(folder, 'content');
  }

  static async open(folder: string): Promise<ContentFiles> {
    const files = new ContentFiles(folder);
    await mkdir(files.#incoming, { recursive: true, mode: 0o700 });
    await mkdir(files.#content, { recursive: true, mode: 0o700 });
    await syncFolder(folder);
    return files;
  }

  /** Resolves with the new file's name once its content and its name are durable. Leaves nothing behind when it rejects. */
  async create(content: Uint8Array | Readable): Promise<{ file: string; sizeBytes: number }> {
    const file = randomUUID();
    const temporary = join(this.#incoming, file);
    const handle = await open(temporary, 'wx', 0o600);
    try {
      let sizeBytes: number;
      try {
        await handle.writeFile(content);
        await handle.sync();
        ({ size: sizeBytes } = await handle.stat());
      } finally {
        await handle.close();
      }
      const shard = await this.#shardOf(file);
      await rename(temporary, join(shard, file));
      await syncFolder(shard);
      return { file, sizeBytes };
    } catch (error) {
      await rm(temporary, { force: true });
      throw translated(error);
    }
  }

  /** The content, opened: it stays readable when the file is removed. `undefined` when there is no such file. */
  async read(file: string): Promise<Readable | undefined> {
    try {
      return (await open(this.#path(file), 'r')).createReadStream();
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async remove(file: string): Promise<void> {
    try {
      await rm(this.#path(file), { force: true });
    } catch (error) {
      // No key means it any more, so the caller's work is done; a file that is held open (Windows) or read-only is for the next sweep.
      if (!['EBUSY', 'EPERM', 'EACCES', 'EROFS'].includes(codeOf(error))) throw error;
    }
  }

  /** Removes what `isMeant` disowns and nobody has touched for an hour. */
  async sweep(isMeant: (file: string) => boolean): Promise<number> {
    let removed = 0;
    for await (const { name, parentPath } of await opendir(this.#incoming)) removed += await removeAbandoned(join(parentPath, name));
    for await (const entry of await opendir(this.#content, { recursive: true })) {
      if (entry.isFile() && !isMeant(entry.name)) removed += await removeAbandoned(join(entry.parentPath, entry.name));
    }
    return removed;
  }

  #path(file: string): string {
    return join(this.#content, file.slice(0, 2), file);
  }

  async #shardOf(file: string): Promise<string> {
    const shard = join(this.#content, file.slice(0, 2));
    if (!this.#shards.has(shard)) {
      await mkdir(shard, { recursive: true, mode: 0o700 });
      await syncFolder(this.#content);
      this.#shards.add(shard);
    }
    return shard;
  }
}

async function removeAbandoned(path: string): Promise<number> {
  try {
    if (Date.now() - (await stat(path)).mtimeMs < abandonedAfterMs) return 0;
    await rm(path);
    return 1;
  } catch (error) {
    // Its writer was faster: it gave the file its place, or removed it.
    if (codeOf(error) === 'ENOENT') return 0;
    throw error;
  }
}

/** Faults of the disk become ours; errors of the stream that was to be stored stay what they are. */
function translated(error: unknown): unknown {
  if (!storageFaults.has(codeOf(error))) return error;
  return new RockpoolError('unavailable', `the content cannot be stored: ${(error as Error).message}`, { cause: error });
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException | undefined)?.code);
}
