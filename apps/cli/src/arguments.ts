import { eventId, tenantId, type EventId, type TenantId } from '@rockpool/contracts';
import { InvalidArgumentError } from 'commander';
import { CommandFailure, exitCodes } from './exit-codes.js';

/** A tenant's id as an argument. Ends the command with the usage code when it cannot be one. */
export function parseTenantId(text: string): TenantId {
  const result = tenantId.safeParse(text);
  if (!result.success) throw new CommandFailure(exitCodes.usage, `${text}: ${result.error.issues[0]?.message}`);
  return result.data;
}

/** An event as `tenant/event`, the way `inbox list` prints it, or as two arguments. */
export function parseEvent(first: string, second: string | undefined): { tenantId: TenantId; eventId: EventId } {
  const separator = first.indexOf('/');
  const [tenant, event] = second !== undefined ? [first, second] : [first.slice(0, Math.max(0, separator)), first.slice(separator + 1)];
  const id = eventId.safeParse(event);
  if (tenant === '' || !id.success)
    throw new CommandFailure(exitCodes.usage, 'name the event as rockpool inbox prints it: <tenant>/<event>');
  // Nobody's events are kept under a name that no tenant can have.
  return { tenantId: tenant === '_unrouted' ? (tenant as TenantId) : parseTenantId(tenant), eventId: id.data };
}

/** For commander: a whole number within bounds. */
export function wholeNumber(text: string, from: number, to: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < from || value > to) throw new InvalidArgumentError(`a whole number from ${from} to ${to}`);
  return value;
}
