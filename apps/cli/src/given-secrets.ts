import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import {
  alertSecretSlots,
  secretSlots,
  sharedSecretSlots,
  type SecretSlot,
  type SettingsProblem,
  type TenantsFile,
  type TenantSpec,
} from '@rockpool/tenancy';
import type { TenantId } from '@rockpool/contracts';

/** The values of the secrets a file refers to with `env://` and `file://`, by `owner/field`, and what could not be read. */
export interface GivenSecrets {
  readonly values: Readonly<Record<string, string>>;
  readonly problems: readonly SettingsProblem[];
}

/**
 * Reads `env://` from this environment and `file://` from this machine's files, relative to the folder of the tenants file. One line break at the end is not
 * part of a secret. No value is part of a problem.
 */
export async function readGivenSecrets(
  file: TenantsFile,
  fileName: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<GivenSecrets> {
  const values: Record<string, string> = {};
  const problems: SettingsProblem[] = [];
  const take = async ({ path, ref, name }: SecretSlot, at: readonly string[]) => {
    const read = await valueOf(ref, dirname(fileName), environment);
    if ('problem' in read) problems.push({ path: [...at, ...path], message: read.problem });
    else if (read.value !== undefined) values[`${name.tenant}/${name.field}`] = read.value;
  };
  for (const slot of sharedSecretSlots(file.shared)) await take(slot, ['shared']);
  for (const slot of alertSecretSlots(file.alerts)) await take(slot, ['alerts']);
  for (const [id, spec] of Object.entries(file.tenants) as [TenantId, TenantSpec][]) {
    for (const slot of secretSlots(id, spec)) await take(slot, ['tenants', id]);
  }
  return { values, problems };
}

async function valueOf(
  ref: string,
  folder: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<{ value: string | undefined } | { problem: string }> {
  const [, scheme, rest = ''] = /^(env|file):\/\/(.+)$/s.exec(ref) ?? [];
  if (scheme === 'env') {
    const value = environment[rest]?.replace(/\r?\n$/, '');
    return value ? { value } : { problem: `the environment variable ${rest} is not set` };
  }
  if (scheme !== 'file') return { value: undefined };
  try {
    return { value: (await readFile(resolve(folder, rest), 'utf8')).replace(/\r?\n$/, '') };
  } catch (error) {
    return { problem: `the file ${rest} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown reason'})` };
  }
}
