import { randomUUID } from 'node:crypto';
import type { ScheduleAction, ScheduleDetails } from '@rockpool/console';
import { conversationId, platformOwner, type ScheduleId, type TenantId } from '@rockpool/contracts';
import { quietText, type QuietHours } from '@rockpool/jobs';
import type { TenantSchedule } from '@rockpool/tenancy';
import { parseScheduleOwner, parseTenantId } from './arguments.js';
import { CommandFailure, exitCodes } from './exit-codes.js';
import { withInstance, type Connection, type InstanceOptions } from './instance.js';
import { color, print, printable, printJson, table } from './output.js';

export interface ListOptions extends InstanceOptions {
  readonly limit: number;
  readonly cursor?: string;
}

/** Times of day. */
export type Quiet = Pick<QuietHours, 'from' | 'to'>;

export interface AddOptions extends InstanceOptions {
  readonly conversation: string;
  readonly cron?: string;
  readonly at?: string;
  readonly timeZone?: string;
  readonly prompt?: string;
  readonly heartbeat?: string;
  readonly missed: TenantSchedule['missed'];
  readonly quiet?: Quiet;
  readonly quietThen?: QuietHours['then'];
}

const heads = ['NO', 'TITLE', 'STATE', 'NEXT', 'WHEN', 'CONVERSATION', 'FIRED'];

/** Prints the schedules of a tenant or, without one, those of all by when they come. */
export async function listSchedules(tenant: string | undefined, { limit, cursor, ...options }: ListOptions): Promise<void> {
  if (tenant !== undefined) {
    const items = await withInstance(options, ({ controlPlane }) => controlPlane.schedules(parseScheduleOwner(tenant)));
    if (options.json) return printJson({ items });
    return print(items.length === 0 ? 'Nothing is planned.' : table(heads, items.map(rowOf)));
  }
  const page = await withInstance(options, ({ controlPlane }) =>
    controlPlane.allSchedules({ limit, ...(cursor !== undefined && { cursor }) }),
  );
  if (options.json) return printJson(page);
  if (page.items.length === 0) return print('Nothing is planned.');
  print(
    table(
      ['TENANT', ...heads],
      page.items.map((schedule) => [ownerOf(schedule), ...rowOf(schedule)]),
    ),
  );
  if (page.nextCursor !== undefined) print(color('dim', `There is more: --cursor ${page.nextCursor}`));
}

/** Prints one schedule, with its next times in its own time zone. */
export async function showSchedule(tenant: string, name: string, options: InstanceOptions): Promise<void> {
  await withOne(tenant, name, options, async (_, __, schedule) => {
    if (options.json) return printJson(schedule);
    for (const [fact, value] of factsOf(schedule)) print(`${fact.padEnd(14)}${printable(value)}`);
  });
}

/** Makes a schedule. */
export async function addSchedule(tenant: string, title: string, options: AddOptions): Promise<void> {
  const { cron, at, timeZone, prompt, heartbeat, missed, quiet, quietThen } = options;
  const conversation = conversationId.safeParse(options.conversation);
  if (!conversation.success)
    throw new CommandFailure(exitCodes.usage, `${options.conversation} is no conversation; rockpool inbox show prints them`);
  if (cron === undefined && at === undefined) throw new CommandFailure(exitCodes.usage, 'say when: --cron or --at');
  if (prompt === undefined && heartbeat === undefined) throw new CommandFailure(exitCodes.usage, 'say what: --prompt or --heartbeat');
  if (quietThen !== undefined && quiet === undefined)
    throw new CommandFailure(exitCodes.usage, 'say when it is quiet: --quiet 22:00-07:00');
  const schedule: TenantSchedule = {
    conversation: conversation.data,
    missed,
    ...(cron !== undefined && { cron }),
    ...(at !== undefined && { at }),
    ...(timeZone !== undefined && { timeZone }),
    ...(prompt !== undefined && { prompt }),
    ...(heartbeat !== undefined && { heartbeat }),
    ...(quiet && { quietHours: { ...quiet, then: quietThen ?? 'skip' } }),
  };
  const id = `cli:${randomUUID()}` as ScheduleId;
  show(await withInstance(options, ({ controlPlane }) => controlPlane.putSchedule(parseTenantId(tenant), id, title, schedule)), options);
}

/** Pauses or resumes a schedule. */
export async function changeSchedule(tenant: string, name: string, action: ScheduleAction, options: InstanceOptions): Promise<void> {
  await withOne(tenant, name, options, async ({ controlPlane }, owner, { scheduleId }) =>
    show(await controlPlane.changeSchedule(owner, scheduleId, action), options),
  );
}

/** Has a schedule do now what it does at its times. */
export async function runSchedule(tenant: string, name: string, options: InstanceOptions): Promise<void> {
  await withOne(tenant, name, options, async ({ controlPlane }, owner, { scheduleId, number, effect }) => {
    const eventId = await controlPlane.runSchedule(owner, scheduleId, randomUUID());
    if (options.json) printJson({ eventId });
    else if (effect.kind === 'upkeep') print(`It begins now. What came of it: rockpool schedules show ${tenant} ${number}`);
    else print(`It is in the inbox: rockpool inbox show ${owner}/${eventId}`);
  });
}

/** Deletes a schedule. */
export async function deleteSchedule(tenant: string, name: string, options: InstanceOptions): Promise<void> {
  await withOne(tenant, name, options, async ({ controlPlane }, owner, { scheduleId, title }) => {
    await controlPlane.removeSchedule(owner, scheduleId);
    if (options.json) printJson({ deleted: scheduleId });
    else print(`Deleted: ${printable(title)}`);
  });
}

/** Works on the schedule that has this number or id. */
async function withOne(
  tenant: string,
  name: string,
  options: InstanceOptions,
  work: (connection: Connection, owner: TenantId, schedule: ScheduleDetails) => Promise<void>,
): Promise<void> {
  const owner = parseScheduleOwner(tenant);
  await withInstance(options, async (connection) => {
    const all = await connection.controlPlane.schedules(owner);
    const schedule = all.find(({ number, scheduleId }) => String(number) === name || scheduleId === name);
    if (!schedule)
      throw new CommandFailure(exitCodes.problem, `${tenant} has no schedule ${name}; rockpool schedules list ${tenant} shows them.`);
    await work(connection, owner, schedule);
  });
}

function show(schedule: ScheduleDetails, options: InstanceOptions): void {
  if (options.json) return printJson(schedule);
  const next = schedule.nextRuns.map((at) => new Date(at).toISOString());
  const quiet = schedule.quiet ? ` (${quietText(schedule.quiet)})` : '';
  print(`Schedule ${schedule.number}, ${printable(schedule.title)}: ${next.join(', ') || schedule.state}${quiet}`);
}

function rowOf(schedule: ScheduleDetails): string[] {
  const { number, title, state, nextRuns, effect } = schedule;
  const [next] = nextRuns;
  return [
    String(number),
    title,
    state,
    next === undefined ? '' : new Date(next).toISOString(),
    whenText(schedule),
    'conversationId' in effect ? effect.conversationId : effect.name,
    firedText(schedule),
  ];
}

function factsOf(schedule: ScheduleDetails): [string, string][] {
  const { number, title, state, effect, missed, last, nextRuns, createdBy, createdAt } = schedule;
  const moment = momentsOf(schedule);
  const facts: [string, string][] = [
    ['schedule', `${ownerOf(schedule)} ${number}`],
    ['title', title],
    ['state', state],
    ['when', whenText(schedule)],
    ['does', effect.kind === 'upkeep' ? `upkeep ${effect.name}` : `${effect.kind} in ${effect.conversationId}: ${effect.text}`],
    ['missed', missed === 'skip' ? 'left out' : 'once, late'],
    ['made by', `${createdBy}, ${moment(createdAt)}`],
    ['fired', firedText(schedule)],
    ['last', last ? `${moment(last.plannedAt)}: ${last.outcome}${last.reason === undefined ? '' : `, ${last.reason}`}` : 'never'],
  ];
  return [...facts, ...nextRuns.map((at, index): [string, string] => [index === 0 ? 'next' : '', moment(at)])];
}

/** Speaks of times in the zone of the schedule; one that comes once has none of its own. */
function momentsOf({ when, quiet }: ScheduleDetails): (at: number) => string {
  const timeZone = when.kind === 'cron' ? when.timeZone : (quiet?.timeZone ?? 'UTC');
  const format = new Intl.DateTimeFormat('en-GB', {
    ...{ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' },
    ...{ timeZone, timeZoneName: 'short' },
  });
  return (at) => format.format(at);
}

function whenText({ when, quiet }: ScheduleDetails): string {
  return `${when.kind === 'cron' ? `${when.expression} (${when.timeZone})` : 'once'}${quiet ? `, ${quietText(quiet)}` : ''}`;
}

function firedText({ fired, skipped }: ScheduleDetails): string {
  return `${fired}${skipped > 0 ? `, ${skipped} not` : ''}`;
}

/** As commands take it. */
function ownerOf({ tenantId }: ScheduleDetails): string {
  return tenantId === platformOwner ? 'platform' : tenantId;
}
