import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import type { Delivery } from '@rockpool/cloud';
import type { EventData, EventDefinition, SubscriptionSpec } from '@rockpool/contracts';

/** Names our transport to Nest, so that handlers of other transports are left alone. */
export const messageBusTransport = Symbol('rockpool.message-bus');

/** What {@link OnEvent} leaves at a handler for the transport. */
export interface EventBinding {
  readonly definition: EventDefinition;
  readonly subscription: SubscriptionSpec;
}

/** What a handler may want to know of a delivery besides the event's data. */
export interface EventDelivery extends Pick<Delivery, 'messageId' | 'attempt' | 'publishedAt' | 'signal' | 'attributes' | 'orderingKey'> {
  /** The event's own id, the same on every redelivery and every second publish. */
  readonly eventId: string;
  readonly tenantId?: string;
}

type EventMethod<Definition extends EventDefinition> = (data: EventData<Definition>, delivery: EventDelivery) => Promise<void> | void;

/**
 * Makes a controller's method the handler of one event type in one subscription. It is called with the decoded data and the {@link EventDelivery}. Returning
 * acknowledges; a `TerminalError` makes a dead letter; `RetryLater` and anything else thrown bring the message back.
 */
export function OnEvent<Definition extends EventDefinition>(definition: Definition, subscription: SubscriptionSpec) {
  return <Method extends EventMethod<Definition>>(target: object, method: string, descriptor: TypedPropertyDescriptor<Method>): void => {
    if (definition.topic !== subscription.topic) {
      throw new Error(`${subscription.name} consumes ${subscription.topic}, but ${definition.type} is published to ${definition.topic}`);
    }
    Payload()(target, method, 0);
    Ctx()(target, method, 1);
    const binding: EventBinding = { definition, subscription };
    EventPattern<string>(`${subscription.name}/${definition.type}`, messageBusTransport, { ...binding })(
      target,
      method,
      descriptor as TypedPropertyDescriptor<unknown>,
    );
  };
}
