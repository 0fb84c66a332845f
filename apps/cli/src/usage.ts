import { InvalidArgumentError, type Command } from 'commander';
import type { TenantId } from '@rockpool/contracts';
import { onInstance, type InstanceOptions } from './instance.js';

/** What `rockpool usage` was asked for. */
export interface UsageOptions extends InstanceOptions {
  readonly days: number;
}

const mostDays = 800;

/** `rockpool usage`: turns, jobs, tokens and money by day. */
export function registerUsage(program: Command): void {
  const command = program
    .command('usage [tenant]')
    .description('turns, jobs, tokens and money: of one tenant by day, else the sums of all')
    .option('--days <n>', 'the latest days on which anything was used', daysOf, 31);
  onInstance(command, ['rockpool usage', 'rockpool usage alice --days 7', 'rockpool usage alice --json']).action(
    async (tenant: TenantId | undefined, options: UsageOptions) => {
      const { showUsage } = await import('./show-usage.js');
      await showUsage(tenant, options);
    },
  );
}

function daysOf(value: string): number {
  const days = Number(value);
  if (!Number.isInteger(days) || days < 1 || days > mostDays)
    throw new InvalidArgumentError(`It has to be a whole number from 1 to ${mostDays}.`);
  return days;
}
