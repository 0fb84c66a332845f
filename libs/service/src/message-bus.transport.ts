import { Server } from '@nestjs/microservices';
import { SpanKind } from '@opentelemetry/api';
import type { Delivery, MessageBus, Subscription, Verdict } from '@rockpool/cloud';
import { decodeEvent, outcomeOf, TerminalError, type Outcome, type SubscriptionSpec } from '@rockpool/contracts';
import { isObservable, lastValueFrom } from 'rxjs';
import type { Logger } from './log.js';
import { messageBusTransport, type EventBinding, type EventDelivery } from './on-event.js';
import { extractContext, failSpan, withSpan } from './tracing.js';

type Handler = (data: unknown, delivery: EventDelivery) => Promise<unknown>;

interface Consumer {
  readonly spec: SubscriptionSpec;
  /** By CloudEvents type. */
  readonly handlers: Map<string, { binding: EventBinding; handler: Handler }>;
}

/**
 * Nest's transport over our MessageBus: one bus subscription for each `SubscriptionSpec` that handlers name with `@OnEvent`.
 *
 * Nest's own `Server.handleEvent` acknowledges a handler that fails, and acknowledges before the handler is done once an interceptor is registered. So deliveries go
 * straight to the handler chain here: its stream is awaited, and what it throws decides the verdict. The application's filter must re-throw the error itself
 * (`ProblemFilter` does), else Nest replaces it by a bare object and its kind is lost.
 */
export class MessageBusServer extends Server {
  override readonly transportId = messageBusTransport;
  override readonly propagatesEventHandlerErrors = true;
  readonly #bus: MessageBus;
  readonly #log: Logger;
  #subscriptions: Subscription[] = [];

  constructor(bus: MessageBus, log: Logger) {
    super();
    this.#bus = bus;
    this.#log = log;
  }

  /** Begins to deliver. Called by Nest, whose callback takes the error. */
  override listen(callback: (error?: unknown) => void): void {
    this.#subscribe().then(() => callback(), callback);
  }

  /** Stops taking messages and waits up to `drainMs` for those being handled; unfinished ones are redelivered. */
  override async close(drainMs?: number): Promise<void> {
    const subscriptions = this.#subscriptions.splice(0);
    await Promise.all(subscriptions.map((subscription) => subscription.close(drainMs)));
  }

  /** There are no transport events to listen to. */
  override on(): void {
    throw new Error('the message bus has no events of its own');
  }

  override unwrap<T>(): T {
    return this.#bus as T;
  }

  async #subscribe(): Promise<void> {
    for (const consumer of this.#consumers()) {
      this.#subscriptions.push(await this.#bus.subscribe(consumer.spec, (delivery) => this.#receive(consumer, delivery)));
    }
  }

  #consumers(): Iterable<Consumer> {
    const consumers = new Map<string, Consumer>();
    for (const [pattern, registered] of this.getHandlers()) {
      const binding = registered.extras as EventBinding | undefined;
      if (!binding?.subscription) throw new Error(`the handler of ${pattern} is not declared with @OnEvent`);
      // Nest would run both and acknowledge when either is done.
      if (registered.next) throw new Error(`${binding.definition.type} has two handlers in the subscription ${binding.subscription.name}`);
      const { name } = binding.subscription;
      const consumer = consumers.get(name) ?? { spec: binding.subscription, handlers: new Map() };
      consumers.set(name, consumer);
      consumer.handlers.set(binding.definition.type, { binding, handler: registered as Handler });
    }
    return consumers.values();
  }

  async #receive(consumer: Consumer, delivery: Delivery): Promise<Verdict> {
    const eventId = delivery.attributes['ce-id'] ?? delivery.messageId;
    const tenantId = delivery.attributes['ce-tenantid'];
    const attributes = {
      'messaging.system': 'rockpool',
      'messaging.operation.type': 'process',
      'messaging.destination.name': consumer.spec.topic,
      'messaging.destination.subscription.name': consumer.spec.name,
      'messaging.message.id': delivery.messageId,
      'rockpool.event.id': eventId,
      'rockpool.attempt': delivery.attempt,
      'rockpool.queue_wait_ms': Math.max(0, Date.now() - delivery.publishedAt.getTime()),
      ...(tenantId !== undefined && { 'rockpool.tenant.id': tenantId }),
    };
    const parent = extractContext(delivery.attributes);
    return withSpan(`process ${consumer.spec.name}`, { kind: SpanKind.CONSUMER, attributes, parent }, async (span) => {
      try {
        await handle(consumer, delivery, eventId, tenantId);
        return { kind: 'ack' };
      } catch (error) {
        failSpan(span, error);
        const outcome = outcomeOf(error);
        this.#logFailure(outcome, error, { subscription: consumer.spec.name, eventId, tenantId, attempt: delivery.attempt });
        return verdictOf(outcome);
      }
    });
  }

  #logFailure(outcome: Outcome, error: unknown, fields: object): void {
    const { code } = outcome;
    if (outcome.kind === 'discard') this.#log.error({ ...fields, code, error }, 'event can never be handled: dead letter');
    // Being asked to wait is no fault; a fault of ours is.
    else if (outcome.afterMs !== undefined)
      this.#log.info({ ...fields, code, afterMs: outcome.afterMs, reason: outcome.reason }, 'event comes back later');
    else this.#log.warn({ ...fields, code, error }, 'event failed and comes back');
  }
}

async function handle(consumer: Consumer, delivery: Delivery, eventId: string, tenantId: string | undefined): Promise<void> {
  const type = delivery.attributes['ce-type'];
  const found = consumer.handlers.get(type ?? '');
  if (!found) throw new TerminalError(`${consumer.spec.name} has no handler for ${type ?? 'a message without ce-type'}`);
  const data = decodeEvent(found.binding.definition, delivery);
  const { messageId, attempt, publishedAt, signal, attributes, orderingKey } = delivery;
  const result = await found.handler(data, {
    ...{ eventId, messageId, attempt, publishedAt, signal, attributes },
    ...(tenantId !== undefined && { tenantId }),
    ...(orderingKey !== undefined && { orderingKey }),
  });
  if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
}

function verdictOf(outcome: Outcome): Verdict {
  if (outcome.kind === 'discard') return { kind: 'dead-letter', reason: `${outcome.code}: ${outcome.reason}` };
  return { kind: 'retry', reason: outcome.reason, ...(outcome.afterMs !== undefined && { afterMs: outcome.afterMs }) };
}
