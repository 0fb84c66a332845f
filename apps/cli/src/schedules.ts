import { InvalidArgumentError, Option, type Command } from 'commander';
import { wholeNumber } from './arguments.js';
import { onInstance, type InstanceOptions } from './instance.js';
import type { AddOptions, ListOptions, Quiet } from './run-schedules.js';

/** `rockpool schedules`: what is planned for conversations, and the platform's own upkeep. */
export function registerSchedules(program: Command): void {
  const schedules = program.command('schedules').description('what is planned: list, show, add, pause, resume, run now, delete');
  const run = () => import('./run-schedules.js');
  onInstance(
    schedules
      .command('list [tenant]', { isDefault: true })
      .description('the schedules of a tenant with their next times, or those of all by when they come; platform: its own upkeep'),
    ['rockpool schedules', 'rockpool schedules list alice', 'rockpool schedules list platform --json'],
  )
    .option('--limit <n>', 'of all: at most so many', (text) => wholeNumber(text, 1, 1000), 100)
    .option('--cursor <cursor>', 'of all: go on where an earlier list ended')
    .action(async (tenant: string | undefined, options: ListOptions) => (await run()).listSchedules(tenant, options));
  onInstance(
    schedules.command('show <tenant> <schedule>').description('one schedule, by number or id: its next times, and what came of the last'),
    ['rockpool schedules show alice 3', 'rockpool schedules show platform 1'],
  ).action(async (tenant: string, name: string, options: InstanceOptions) => (await run()).showSchedule(tenant, name, options));
  onInstance(schedules.command('add <tenant> <title>').description('plan a prompt for a conversation'), [
    'rockpool schedules add alice "morning news" --conversation telegram:110201543:12345 --cron "0 8 * * 1-5" --prompt "What is new?"',
    'rockpool schedules add alice dentist --conversation telegram:110201543:12345 --at 2026-11-21T09:00 --prompt "Remind Alice of the dentist."',
    'rockpool schedules add alice parcel --conversation telegram:110201543:12345 --cron "*/30 * * * *" --heartbeat "Has it come?" --quiet 22:00-07:00',
  ])
    .requiredOption('--conversation <id>', 'where, as rockpool inbox show prints it')
    .addOption(new Option('--cron <pattern>', 'again and again: five fields').conflicts('at'))
    .option('--at <time>', 'once: a local date and time')
    .option('--time-zone <zone>', 'IANA name (default: the tenant’s)')
    .addOption(new Option('--prompt <text>', 'what the agent is asked').conflicts('heartbeat'))
    .option('--heartbeat <text>', 'the same, but the agent may find that there is nothing to say')
    .addOption(
      new Option('--missed <what>', 'what becomes of one that could not come in time').choices(['fire-late', 'skip']).default('fire-late'),
    )
    .option('--quiet <from-to>', 'times of day at which it does not come', parseQuiet)
    .addOption(new Option('--quiet-then <what>', 'what becomes of one that falls into them (default: skip)').choices(['later', 'skip']))
    .action(async (tenant: string, title: string, options: AddOptions) => (await run()).addSchedule(tenant, title, options));
  for (const action of ['pause', 'resume'] as const)
    onInstance(schedules.command(`${action} <tenant> <schedule>`).description(`${action} a schedule, by number or id`), [
      `rockpool schedules ${action} alice 3`,
      `rockpool schedules ${action} platform 1`,
    ]).action(async (tenant: string, name: string, options: InstanceOptions) =>
      (await run()).changeSchedule(tenant, name, action, options),
    );
  onInstance(schedules.command('run <tenant> <schedule>').description('do now what it does at its times'), [
    'rockpool schedules run alice 3',
    'rockpool schedules run platform 1',
  ]).action(async (tenant: string, name: string, options: InstanceOptions) => (await run()).runSchedule(tenant, name, options));
  onInstance(
    schedules.command('delete <tenant> <schedule>').description('delete a schedule; one of tenants.yaml comes back with the next apply'),
    ['rockpool schedules delete alice 3'],
  ).action(async (tenant: string, name: string, options: InstanceOptions) => (await run()).deleteSchedule(tenant, name, options));
}

function parseQuiet(text: string): Quiet {
  const [, from, to] = /^(\d{2}:\d{2})-(\d{2}:\d{2})$/.exec(text) ?? [];
  if (from === undefined || to === undefined) throw new InvalidArgumentError('quiet hours are written as 22:00-07:00');
  return { from, to };
}
