import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InvalidInput } from '@rockpool/contracts';

/** Windows has no permission bits to look at: there the user's profile folder is what protects a key. */
const hasModes = process.platform !== 'win32';

/**
 * Reads a file that holds keys; `undefined` when there is none. Rejects with `invalid` when others than its owner may read it or could replace it.
 */
export async function readPrivateFile(file: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  await refuseLoose(file, 0o077, `${file} holds keys, but others than its owner may read it; run: chmod 600 ${file}`);
  await refuseLoose(
    dirname(file),
    0o022,
    `others may replace files in ${dirname(file)}, which holds keys; run: chmod 700 ${dirname(file)}`,
  );
  return text;
}

/** Creates the file, whole, durable and readable by its owner alone. False when there is one already, which stays as it is. */
export async function createPrivateFile(file: string, text: string): Promise<boolean> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  return withTemporary(file, text, async (temporary) => {
    try {
      // A link fails where a rename would replace: two processes that start at once agree on one key.
      await link(temporary, file);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  });
}

/** Replaces the file: after a crash there is the old text or the new one. */
export async function replacePrivateFile(file: string, text: string): Promise<void> {
  await withTemporary(file, text, (temporary) => rename(temporary, file));
}

async function withTemporary<T>(file: string, text: string, publish: (temporary: string) => Promise<T>): Promise<T> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    const result = await publish(temporary);
    await syncFolder(dirname(file));
    return result;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Makes names that were added to or removed from a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder; its file systems journal names by themselves.
  if (!hasModes) return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function refuseLoose(path: string, forbidden: number, message: string): Promise<void> {
  if (hasModes && ((await stat(path)).mode & forbidden) !== 0) throw new InvalidInput(message);
}
