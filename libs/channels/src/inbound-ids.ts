import { InvalidInput, conversationId, eventId, joinId, type ConversationId, type EventId } from '@rockpool/contracts';

/** An event id of provider-made parts. Throws `InvalidInput` when they are too long for an id. */
export function makeEventId(...parts: (string | number)[]): EventId {
  const id = eventId.safeParse(joinId(...parts));
  if (!id.success) throw new InvalidInput('the id of the event is too long');
  return id.data;
}

/** A conversation id of provider-made parts; an `undefined` one (no thread) is left out. Throws `InvalidInput` when they are too long for an id. */
export function makeConversationId(...parts: (string | number | undefined)[]): ConversationId {
  const id = conversationId.safeParse(joinId(...parts.filter((part) => part !== undefined)));
  if (!id.success) throw new InvalidInput('the id of the conversation is too long');
  return id.data;
}

/** ISO 8601 of a provider's Unix seconds; the fallback when there are none or no calendar has such a day. */
export function isoOfSeconds(seconds: number | undefined, fallback: Date): string {
  const date = new Date((seconds ?? Number.NaN) * 1000);
  return Number.isNaN(date.getTime()) ? fallback.toISOString() : date.toISOString();
}
