import { randomUUID } from 'node:crypto';
import type { ScheduleDetails } from '@rockpool/console';
import { conversationId, type ScheduleId, type TenantId } from '@rockpool/contracts';
import type { TenantSchedule } from '@rockpool/tenancy';
import { Option, type Command } from 'commander';
import { parseTenantId } from './arguments.js';
import { CommandFailure, exitCodes } from './exit-codes.js';
import { onInstance, withInstance, type Connection, type InstanceOptions } from './instance.js';
import { print, printable, printJson, table } from './output.js';

interface AddOptions extends InstanceOptions {
  readonly conversation: string;
  readonly cron?: string;
  readonly at?: string;
  readonly timeZone?: string;
  readonly prompt?: string;
  readonly heartbeat?: string;
  readonly missed: TenantSchedule['missed'];
}

/** `rockpool schedules`: what is planned for a tenant's conversations. */
export function registerSchedules(program: Command): void {
  const schedules = program.command('schedules').description('what is planned: list, add, pause, resume, run now, delete');
  onInstance(schedules.command('list <tenant>', { isDefault: true }).description('the schedules of a tenant with their next times'), [
    'rockpool schedules list alice',
    'rockpool schedules list alice --json',
  ]).action(list);
  onInstance(schedules.command('add <tenant> <title>').description('plan a prompt for a conversation'), [
    'rockpool schedules add alice "morning news" --conversation telegram:110201543:12345 --cron "0 8 * * 1-5" --prompt "What is new?"',
    'rockpool schedules add alice dentist --conversation telegram:110201543:12345 --at 2026-11-21T09:00 --prompt "Remind Alice of the dentist."',
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
    .action(add);
  for (const action of ['pause', 'resume'] as const)
    onInstance(schedules.command(`${action} <tenant> <schedule>`).description(`${action} a schedule, by number or id`), [
      `rockpool schedules ${action} alice 3`,
    ]).action((tenant: string, name: string, options: InstanceOptions) =>
      withOne(tenant, name, options, async ({ controlPlane }, id, schedule) =>
        show(await controlPlane.changeSchedule(id, schedule.scheduleId, action), options),
      ),
    );
  onInstance(schedules.command('run <tenant> <schedule>').description('do now what it does at its times'), [
    'rockpool schedules run alice 3',
  ]).action((tenant: string, name: string, options: InstanceOptions) =>
    withOne(tenant, name, options, async ({ controlPlane }, id, { scheduleId }) => {
      const eventId = await controlPlane.runSchedule(id, scheduleId, randomUUID());
      if (options.json) printJson({ eventId });
      else print(`It is in the inbox: rockpool inbox show ${id}/${eventId}`);
    }),
  );
  onInstance(
    schedules.command('delete <tenant> <schedule>').description('delete a schedule; one of tenants.yaml comes back with the next apply'),
    ['rockpool schedules delete alice 3'],
  ).action((tenant: string, name: string, options: InstanceOptions) =>
    withOne(tenant, name, options, async ({ controlPlane }, id, { scheduleId, title }) => {
      await controlPlane.removeSchedule(id, scheduleId);
      if (options.json) printJson({ deleted: scheduleId });
      else print(`Deleted: ${printable(title)}`);
    }),
  );
}

async function list(tenant: string, options: InstanceOptions): Promise<void> {
  const items = await withInstance(options, ({ controlPlane }) => controlPlane.schedules(parseTenantId(tenant)));
  if (options.json) return printJson({ items });
  if (items.length === 0) return print('Nothing is planned.');
  print(table(['NO', 'TITLE', 'STATE', 'NEXT', 'WHEN', 'CONVERSATION', 'FIRED'], items.map(rowOf)));
}

async function add(tenant: string, title: string, options: AddOptions): Promise<void> {
  const { cron, at, timeZone, prompt, heartbeat, missed } = options;
  const conversation = conversationId.safeParse(options.conversation);
  if (!conversation.success)
    throw new CommandFailure(exitCodes.usage, `${options.conversation} is no conversation; rockpool inbox show prints them`);
  if (cron === undefined && at === undefined) throw new CommandFailure(exitCodes.usage, 'say when: --cron or --at');
  if (prompt === undefined && heartbeat === undefined) throw new CommandFailure(exitCodes.usage, 'say what: --prompt or --heartbeat');
  const schedule: TenantSchedule = {
    conversation: conversation.data,
    missed,
    ...(cron !== undefined && { cron }),
    ...(at !== undefined && { at }),
    ...(timeZone !== undefined && { timeZone }),
    ...(prompt !== undefined && { prompt }),
    ...(heartbeat !== undefined && { heartbeat }),
  };
  const id = `cli:${randomUUID()}` as ScheduleId;
  show(await withInstance(options, ({ controlPlane }) => controlPlane.putSchedule(parseTenantId(tenant), id, title, schedule)), options);
}

/** Works on the schedule that has this number or id. */
async function withOne(
  tenant: string,
  name: string,
  options: InstanceOptions,
  work: (connection: Connection, tenantId: TenantId, schedule: ScheduleDetails) => Promise<void>,
): Promise<void> {
  const tenantId = parseTenantId(tenant);
  await withInstance(options, async (connection) => {
    const all = await connection.controlPlane.schedules(tenantId);
    const schedule = all.find(({ number, scheduleId }) => String(number) === name || scheduleId === name);
    if (!schedule)
      throw new CommandFailure(exitCodes.problem, `${tenant} has no schedule ${name}; rockpool schedules list ${tenant} shows them.`);
    await work(connection, tenantId, schedule);
  });
}

function show(schedule: ScheduleDetails, options: InstanceOptions): void {
  if (options.json) return printJson(schedule);
  const next = schedule.nextRuns.map((at) => new Date(at).toISOString());
  print(`Schedule ${schedule.number}, ${printable(schedule.title)}: ${next.join(', ') || schedule.state}`);
}

function rowOf({ number, title, state, nextRuns, when, effect, fired, skipped }: ScheduleDetails): string[] {
  const [next] = nextRuns;
  return [
    String(number),
    title,
    state,
    next === undefined ? '' : new Date(next).toISOString(),
    when.kind === 'cron' ? `${when.expression} (${when.timeZone})` : 'once',
    'conversationId' in effect ? effect.conversationId : effect.name,
    `${fired}${skipped > 0 ? `, ${skipped} not` : ''}`,
  ];
}
