import type { Command } from 'commander';
import { addressOf, onInstance, withInstance, type InstanceOptions } from './instance.js';
import { color, print, printJson, table } from './output.js';
import { parseTenantId, wholeNumber } from './arguments.js';

/** `rockpool tenants`: who is hosted here. */
export function registerTenants(program: Command): void {
  const tenants = program.command('tenants').description('who is hosted here, and how each is set up');
  onInstance(tenants.command('list', { isDefault: true }).description('all tenants'), [
    'rockpool tenants',
    'rockpool tenants list --json',
  ]).action(async (options: InstanceOptions) => {
    const items = await withInstance(options, ({ controlPlane }) => controlPlane.tenants());
    if (options.json) return printJson(items);
    const rows = items.map((tenant) => [
      tenant.id,
      tenant.displayName ?? '',
      tenant.suspended ? `${tenant.plan}, suspended` : tenant.plan,
      tenant.model,
      tenant.channels.join(' '),
    ]);
    print(
      rows.length > 0
        ? table(['TENANT', 'NAME', 'PLAN', 'MODEL', 'CHANNELS'], rows)
        : 'There is no tenant: rockpool apply tenants.example.yaml',
    );
  });
  onInstance(tenants.command('show <tenant>').description('one tenant: settings, addresses, secrets (never their values), audit log'), [
    'rockpool tenants show alice',
  ]).action(async (id: string, options: InstanceOptions) => {
    const { showTenant } = await import('./show-tenant.js');
    await showTenant(parseTenantId(id), options);
  });
  onInstance(tenants.command('link <tenant>').description('a link that lets whoever has it use the tenant’s web chat'), [
    'rockpool tenants link alice',
    'rockpool tenants link alice --days 1',
  ])
    .option('--days <n>', 'how long it can be opened', parseDays, 7)
    .action(async (id: string, options: InstanceOptions & { days: number }) => {
      const tenantId = parseTenantId(id);
      await withInstance(options, async (connection) => {
        const link = await connection.controlPlane.chatLink(tenantId, { lifetimeMs: options.days * 86_400_000 });
        const { publicUrl } = await connection.controlPlane.status();
        const address = `${addressOf(connection, publicUrl)}${link.path}`;
        if (options.json) return printJson({ ...link, url: address });
        print(address);
        print(color('dim', link.expiresAt ? `Can be opened until ${link.expiresAt}.` : 'The chat is public: this link needs no secret.'));
      });
    });
}

function parseDays(text: string): number {
  return wholeNumber(text, 1, 365);
}
