import type { z } from 'zod';
import { TerminalError } from './errors.js';
import type { EventData, EventDefinition } from './event.js';

/**
 * CloudEvents 1.0, binary mode: the context attributes travel as `ce-*` message attributes, the body is the JSON of the data.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#31-binary-content-mode
 */
export interface EncodedEvent {
  topic: EventDefinition['topic'];
  body: Uint8Array;
  attributes: Record<string, string>;
  orderingKey?: string;
}

/** Context attributes of an event that its data does not give. `tenantId` becomes the extension `tenantid`, required once the tenant is known. */
export interface EventContext {
  id: string;
  /** URI reference of the sender: `/ingress/telegram/123`. */
  source: string;
  /** ISO 8601; when the fact happened. */
  time: string;
  tenantId?: string;
  subject?: string;
}

/** Validates the data and encodes the event. Throws a zod error when the data breaks the schema: a sender's bug, not a message. */
export function encodeEvent<Schema extends z.ZodType>(
  definition: EventDefinition<Schema>,
  data: z.input<Schema>,
  context: EventContext,
): EncodedEvent {
  const parsed = definition.data.parse(data);
  const orderingKey = definition.orderingKey?.(parsed);
  return {
    topic: definition.topic,
    body: new TextEncoder().encode(JSON.stringify(parsed)),
    attributes: {
      'ce-specversion': '1.0',
      'ce-id': context.id,
      'ce-source': context.source,
      'ce-type': definition.type,
      'ce-time': context.time,
      'content-type': 'application/json',
      ...(context.tenantId !== undefined && { 'ce-tenantid': context.tenantId }),
      ...(context.subject !== undefined && { 'ce-subject': context.subject }),
    },
    ...(orderingKey !== undefined && { orderingKey }),
  };
}

/** Decodes and validates what {@link encodeEvent} made. Throws {@link TerminalError} when it is another event or does not fit the schema. */
export function decodeEvent<Definition extends EventDefinition>(
  definition: Definition,
  message: { body: Uint8Array; attributes: Readonly<Record<string, string>> },
): EventData<Definition> {
  const type = message.attributes['ce-type'];
  if (type !== definition.type) throw new TerminalError(`expected an event of type ${definition.type}, got ${type ?? 'none'}`);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(message.body));
  } catch (cause) {
    throw new TerminalError(`the body of ${definition.type} is not JSON`, { cause });
  }
  const result = definition.data.safeParse(json);
  if (!result.success) throw new TerminalError(`the data of ${definition.type} does not fit its schema`, { cause: result.error });
  return result.data as EventData<Definition>;
}
