import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const instance = z.object({ url: z.string(), pid: z.number().int(), startedAt: z.string() });

/** The running process of a data folder, as it says of itself. */
export type Instance = z.infer<typeof instance>;

const fileOf = (dataDir: string) => join(dataDir, 'instance.json');

/** Leaves word of this process for other commands on this machine. */
export async function announceInstance(dataDir: string, url: string): Promise<void> {
  const value: Instance = { url, pid: process.pid, startedAt: new Date().toISOString() };
  await writeFile(fileOf(dataDir), JSON.stringify(value), { mode: 0o600 });
}

/** Takes the word back. */
export async function retractInstance(dataDir: string): Promise<void> {
  await rm(fileOf(dataDir), { force: true });
}

/** Who runs on this data folder, or ran when its machine died: whether it still answers is the caller's to find out. */
export async function readInstance(dataDir: string): Promise<Instance | undefined> {
  try {
    return instance.parse(JSON.parse(await readFile(fileOf(dataDir), 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}
