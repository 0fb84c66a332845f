import { eventId, jobName, platformOwner, tenantId, type EventId, type TenantId } from '@rockpool/contracts';
import type { TurnState } from '@rockpool/conversations';
import { InvalidArgumentError } from 'commander';
import { CommandFailure, exitCodes } from './exit-codes.js';

/** A tenant's id as an argument. Ends the command with the usage code when it cannot be one. */
export function parseTenantId(text: string): TenantId {
  const result = tenantId.safeParse(text);
  if (!result.success) throw new CommandFailure(exitCodes.usage, `${text}: ${result.error.issues[0]?.message}`);
  return result.data;
}

/** Whose turns are meant: a tenant's, or under `_unrouted` nobody's. */
export function parseInboxOwner(text: string): TenantId {
  return text === '_unrouted' ? (text as TenantId) : parseTenantId(text);
}

/** An event as `tenant/event`, the way `inbox list` prints it, or as two arguments. */
export function parseEvent(first: string, second: string | undefined): { tenantId: TenantId; eventId: EventId } {
  const separator = first.indexOf('/');
  const [tenant, event] = second !== undefined ? [first, second] : [first.slice(0, Math.max(0, separator)), first.slice(separator + 1)];
  const id = eventId.safeParse(event);
  if (tenant === '' || !id.success)
    throw new CommandFailure(exitCodes.usage, 'name the event as rockpool inbox prints it: <tenant>/<event>');
  return { tenantId: parseInboxOwner(tenant), eventId: id.data };
}

/** A job as `tenant/job`, the way `jobs list` prints it, or as two arguments. The job is a number, a builder's `12/research`, or an id. */
export function parseJob(first: string, second?: string): { tenantId: TenantId; job: string } {
  const separator = first.indexOf('/');
  const [tenant, name] = second !== undefined ? [first, second] : [first.slice(0, Math.max(0, separator)), first.slice(separator + 1)];
  const job = jobName.safeParse(name);
  if (tenant === '' || !job.success)
    throw new CommandFailure(exitCodes.usage, 'name the job as rockpool jobs prints it: <tenant>/<job>, such as alice/12');
  return { tenantId: parseTenantId(tenant), job: job.data };
}

/** Whose schedules are meant: a tenant's, or under `platform` the platform's own. */
export function parseScheduleOwner(text: string): TenantId {
  return text === 'platform' ? platformOwner : parseTenantId(text);
}

/** For commander: a whole number within bounds. */
export function wholeNumber(text: string, from: number, to: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < from || value > to) throw new InvalidArgumentError(`a whole number from ${from} to ${to}`);
  return value;
}

const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** For commander: an age as `30s`, `10m`, `1h` or `2d`, in milliseconds. A number alone is minutes. */
export function age(text: string): number {
  const [, digits, unit = 'm'] = /^(\d{1,6})([smhd])?$/.exec(text) ?? [];
  if (digits === undefined) throw new InvalidArgumentError('an age is written as 30s, 10m, 1h or 2d');
  return Number(digits) * unitsMs[unit]!;
}

/** Every state of a turn, for `--state`. */
export const turnStates: readonly TurnState[] = [
  'pending',
  'running',
  'answered',
  'done',
  'failed',
  'cancelled',
  'quarantined',
  'discarded',
  'dropped',
  'recorded',
];
