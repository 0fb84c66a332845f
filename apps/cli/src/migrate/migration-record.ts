import { randomUUID } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const record = z.object({
  id: z.string(),
  /** What it goes to, in words that tell one target from another. */
  target: z.string(),
  startedAt: z.string(),
  /** By what is moved: after which path, key or cursor it goes on. */
  positions: z.record(z.string(), z.string()),
  /** Those that are through. */
  done: z.array(z.string()),
  /** When everything was there and had been compared. */
  movedAt: z.string().optional(),
});

/** How far the migration of a data folder is. */
export type MigrationState = z.infer<typeof record>;

/** Where it is kept, and what an operator removes who wants to go on with the data folder. */
export const migrationFile = (dataDir: string): string => join(dataDir, 'migration.json');

/** The migration of this folder; `undefined` when there was none. Throws when the file is none of ours. */
export async function readMigration(dataDir: string): Promise<MigrationState | undefined> {
  try {
    return record.parse(JSON.parse(await readFile(migrationFile(dataDir), 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A migration that begins now. */
export function newMigration(target: string): MigrationState {
  return { id: randomUUID(), target, startedAt: new Date().toISOString(), positions: {}, done: [] };
}

/** After a crash there is the state before or this one. */
export async function writeMigration(dataDir: string, state: MigrationState): Promise<void> {
  const temporary = `${migrationFile(dataDir)}.tmp`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(state, undefined, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, migrationFile(dataDir));
}

/** Why nothing may be started on this folder, and what to do; `undefined` when it may. */
export async function whyNotToStart(dataDir: string): Promise<string | undefined> {
  const migration = await readMigration(dataDir);
  if (migration === undefined) return undefined;
  const { target, movedAt } = migration;
  const rollBack = `remove ${migrationFile(dataDir)} to go on here; what was said over there meanwhile stays there`;
  return movedAt === undefined
    ? `The data folder ${dataDir} is being moved to ${target}. Finish that with rockpool migrate, or ${rollBack}.`
    : `The data folder ${dataDir} was moved to ${target} on ${movedAt}: it answers there. To roll back, ${rollBack}.`;
}
