import { readAdminToken } from '@rockpool/console';
import { adminTokenGiven } from './environment.js';
import { CommandFailure, exitCodes } from './exit-codes.js';

/** The token an instance lets operators in with: the one that was given, else the one in its data folder. Ends the command with 78 when there is neither. */
export async function operatorToken(dataDir: string): Promise<string> {
  const token = adminTokenGiven ?? (await readAdminToken(dataDir));
  if (token) return token;
  throw new CommandFailure(
    exitCodes.config,
    `There is no admin token in ${dataDir}. Set ROCKPOOL_ADMIN_TOKEN, or name the data folder: --data-dir`,
  );
}
