import { eventually } from '@rockpool/testkit';
import type { House, TenantName } from './house.js';

/** Everything of a tenant that its people, its model and an operator can see, but for times and for numbers that a channel gives out in the order of sending. */
export interface View {
  readonly screens: unknown;
  readonly turns: readonly unknown[];
  readonly asked: readonly string[];
}

const passing = new Set([
  ...['receivedAt', 'startedAt', 'finishedAt', 'sentAt', 'updatedAt', 'quietUntil'],
  ...['traceparent', 'receipt', 'messageId'],
]);
const dates = /\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}Z)?/g;
/** As the prompt says it for people: `Friday, 20 November 2026 at 18:38`. */
const localTime = /\w+day, \d{1,2} \w+ \d{4} at \d\d:\d\d/g;

export async function viewOf(house: House, tenant: TenantName): Promise<View> {
  const turns = await house.turns(tenant);
  const numbers = updateNumbers(turns.map(({ eventId }) => eventId));
  const plain = (value: unknown): unknown => {
    const text = JSON.stringify(value, (key, field: unknown) => (passing.has(key) ? undefined : field));
    return JSON.parse(text.replaceAll(/telegram:(\d+):(\d+)/g, (id, bot: string) => `telegram:${bot}:${numbers.get(id) ?? id}`));
  };
  const details = await Promise.all(turns.map(({ eventId }) => house.turn(tenant, eventId)));
  return {
    screens: house.screens(tenant),
    turns: details.map(plain).sort(byText),
    asked: house
      .asked(tenant)
      .map(({ messages, tools }) => JSON.stringify({ messages, tools }).replaceAll(dates, 'a date').replaceAll(localTime, 'some time'))
      .sort(),
  };
}

/** The tenants that the traces of a tenant's events name. Rejects when one of them was not traced. */
export async function tenantsInTraces(house: House, tenant: TenantName): Promise<string[]> {
  const named = new Set<string>();
  for (const { eventId } of await house.turns(tenant)) {
    await eventually(`${eventId} is traced`, async () => {
      const found = (await house.spans(eventId)).flatMap(({ attributes }) => attributes['rockpool.tenant.id'] ?? []);
      for (const name of found) named.add(String(name));
      return found.length > 0;
    });
  }
  return [...named];
}

/** Updates by their place among the tenant's own: on a shared bot the others' count too. */
function updateNumbers(eventIds: readonly string[]): Map<string, string> {
  const updates = eventIds.filter((id) => id.startsWith('telegram:')).sort((a, b) => numberOf(a) - numberOf(b));
  return new Map(updates.map((id, index) => [id, `update-${index}`]));
}

function numberOf(eventId: string): number {
  return Number(eventId.split(':').at(-1));
}

function byText(one: unknown, other: unknown): number {
  return JSON.stringify(one) < JSON.stringify(other) ? -1 : 1;
}
