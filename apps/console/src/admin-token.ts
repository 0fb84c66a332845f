import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RockpoolError } from '@rockpool/contracts';

const fileName = 'admin-token';

/** The token of this installation's operators: 256 random bits at `<dataDir>/admin-token`, readable by this user alone. Made at the first call. */
export async function adminToken(dataDir: string): Promise<string> {
  const known = await readAdminToken(dataDir);
  if (known !== undefined) return known;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const draft = join(dataDir, `${fileName}.${randomBytes(6).toString('hex')}`);
  await writeFile(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  try {
    // A link appears with its whole content, or not at all when somebody else was first.
    await link(draft, join(dataDir, fileName));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft);
  }
  const token = await readAdminToken(dataDir);
  if (token === undefined) throw new RockpoolError('unavailable', `${join(dataDir, fileName)} is empty: remove it and start again`);
  return token;
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
