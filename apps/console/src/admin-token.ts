import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const fileName = 'admin-token';

/** The token of this installation's operators: 256 random bits at `<dataDir>/admin-token`, readable by this user alone. Made at the first call. */
export async function adminToken(dataDir: string): Promise<string> {
  const known = await readAdminToken(dataDir);
  if (known !== undefined) return known;
  const token = randomBytes(32).toString('base64url');
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  try {
    await writeFile(join(dataDir, fileName), `${token}\n`, { mode: 0o600, flag: 'wx' });
    return token;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    // Somebody else was first.
    return (await readAdminToken(dataDir)) ?? token;
  }
}

/** The token of an installation that was started before; `undefined` when there is none. */
export async function readAdminToken(dataDir: string): Promise<string | undefined> {
  try {
    return (await readFile(join(dataDir, fileName), 'utf8')).trim() || undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
