import { z } from 'zod';

/**
 * Ids are parts of document paths, so none may contain `/`, and every provider-made part is escaped with {@link idPart}.
 * Brands exist only at compile time: an event id cannot be passed where a conversation id is asked for.
 */

/** Lower-case letters, digits and dashes, 1–40 long: it is also a URL segment, a folder and a service-account suffix. */
export const tenantId = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/, 'a tenant id has 1 to 40 of a-z, 0-9 and -, and neither begins nor ends with -')
  .brand<'TenantId'>();
export type TenantId = z.infer<typeof tenantId>;

const pathSafe = z
  .string()
  .min(1)
  .max(600)
  .regex(/^[^/\p{Cc}]+$/u, 'no slash and no control character');

/** `<channel>:<account>:<chat>[:<thread>]`, a pure function of what the provider sent. Unique within a tenant. */
export const conversationId = pathSafe.brand<'ConversationId'>();
export type ConversationId = z.infer<typeof conversationId>;

/** A pure function of the provider's bytes, so that a second delivery of one event has the same id, across restarts and instances. */
export const eventId = pathSafe.brand<'EventId'>();
export type EventId = z.infer<typeof eventId>;

/** Escapes one provider-made part of an id: what is not a letter, digit or one of `-_.@+=` becomes `%XX` of its UTF-8 bytes. */
export function idPart(value: string | number): string {
  return String(value)
    .toWellFormed()
    .replace(/[^A-Za-z0-9\-_.@+=]/gu, (character) =>
      [...new TextEncoder().encode(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
    );
}

/** Joins the parts of an id with `:`, each escaped. */
export function joinId(...parts: (string | number)[]): string {
  return parts.map(idPart).join(':');
}
