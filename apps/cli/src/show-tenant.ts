import type { TenantId } from '@rockpool/contracts';
import { settingsText } from '@rockpool/tenancy';
import { exitCodes } from './exit-codes.js';
import { withInstance, type InstanceOptions } from './instance.js';
import { color, print, printJson, table } from './output.js';

/** Prints one tenant; the command ends with 1 when its audit log was tampered with. */
export async function showTenant(id: TenantId, options: InstanceOptions): Promise<void> {
  await withInstance(options, async ({ controlPlane, url }) => {
    const tenant = await controlPlane.tenant(id);
    if (!tenant.auditIntact) process.exitCode = exitCodes.problem;
    if (options.json) return printJson(tenant);
    const { publicUrl } = await controlPlane.status();
    const addresses = tenant.endpoints.map(({ channel, path }) => [channel, `${publicUrl ?? url ?? ''}${path}`]);
    const secrets = tenant.secrets.map(({ field, version, storedAt }) => [
      field,
      version === 0 ? 'disabled' : `version ${version}`,
      storedAt ?? '',
    ]);
    const audit = tenant.audit.map(({ at, actor, action, subjects }) => [at, actor, action, subjects.join(', ')]);
    print(color('bold', tenant.id));
    print(settingsText(tenant.spec));
    if (addresses.length > 0) print(`${table(['CHANNEL', 'ADDRESS'], addresses)}\n`);
    if (secrets.length > 0) print(`${table(['SECRET', 'STATE', 'STORED'], secrets)}\n`);
    print(table(['WHEN', 'WHO', 'DID', 'WHAT'], audit));
    if (!tenant.auditIntact) {
      print(color('red', 'The audit log does not add up: an entry was changed, taken out or put in from outside.'));
    }
  });
}
