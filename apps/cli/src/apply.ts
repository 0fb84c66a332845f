import type { Command } from 'commander';
import { onInstance, type InstanceOptions } from './instance.js';

export interface ApplyOptions extends InstanceOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly setWebhooks?: boolean;
}

/** `rockpool apply`: makes the tenants be what the file says. */
export function registerApply(program: Command): void {
  const command = program
    .command('apply <file>')
    .description('make the tenants be what tenants.yaml says: shows the plan, asks, applies')
    .option('--dry-run', 'show the plan only')
    .option('--yes', 'do not ask (it does not ask either when this is no terminal)')
    .option('--set-webhooks', 'tell Telegram where each bot’s updates go, below ROCKPOOL_PUBLIC_URL');
  onInstance(command, [
    'rockpool apply tenants.yaml --dry-run',
    'ALICE_TELEGRAM_BOT_TOKEN=… rockpool apply tenants.yaml',
    'rockpool apply tenants.yaml --yes --set-webhooks',
  ]).action(async (file: string, options: ApplyOptions) => {
    const { runApply } = await import('./run-apply.js');
    await runApply(file, options);
  });
}
