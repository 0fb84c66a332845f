import { randomBytes } from 'node:crypto';
import type { Cloud } from '@rockpool/cloud';
import { TenantDirectory, tenantsFile } from '@rockpool/tenancy';

/** The tenant of an installation that has none yet. */
export const demoTenant = 'demo';

/**
 * Makes the demo tenant when no tenant was ever applied: a public web chat, and Standard Webhooks under a secret of its own. Resolves with true when it was
 * made just now.
 */
export async function ensureDemoTenant({ documents, secrets }: Pick<Cloud, 'documents' | 'secrets'>): Promise<boolean> {
  const directory = new TenantDirectory(documents, secrets);
  if (!(await directory.isEmpty())) return false;
  const file = tenantsFile.parse({
    tenants: {
      [demoTenant]: {
        displayName: 'Rockpool demo',
        agent: { instructions: 'You are the demo assistant of a fresh Rockpool installation. Be brief and friendly.' },
        channels: { web: { access: 'public' }, http: { secret: `secret://${demoTenant}/http-secret` } },
      },
    },
  });
  const plan = await directory.plan(file, { [`${demoTenant}/http-secret`]: `whsec_${randomBytes(32).toString('base64')}` });
  await directory.apply(plan, 'start');
  return true;
}
