import { SpanKind } from '@opentelemetry/api';
import type { MessageBus } from '@rockpool/cloud';
import { encodeEvent, type EventContext, type EventDefinition } from '@rockpool/contracts';
import type { z } from 'zod';
import { injectContext, withSpan } from './tracing.js';

/** Publishes events, with the trace they belong to. */
export class EventPublisher {
  readonly #bus: MessageBus;

  constructor(bus: MessageBus) {
    this.#bus = bus;
  }

  /**
   * Resolves with the message id once the event is durable. Rejects with `unavailable` when the bus cannot make it so: nothing was published then. Data that does
   * not fit the definition's schema throws a zod error.
   */
  async publish<Schema extends z.ZodType>(
    definition: EventDefinition<Schema>,
    data: z.input<Schema>,
    context: EventContext,
  ): Promise<string> {
    const event = encodeEvent(definition, data, context);
    const attributes = {
      'messaging.system': 'rockpool',
      'messaging.operation.type': 'send',
      'messaging.destination.name': event.topic,
      'rockpool.event.id': context.id,
      ...(context.tenantId !== undefined && { 'rockpool.tenant.id': context.tenantId }),
    };
    return withSpan(`send ${event.topic}`, { kind: SpanKind.PRODUCER, attributes }, async (span) => {
      const carrier = { ...event.attributes };
      injectContext(carrier);
      const messageId = await this.#bus.publish({ ...event, attributes: carrier });
      span.setAttribute('messaging.message.id', messageId);
      return messageId;
    });
  }
}
