import { codeOf, inboundMessage, MessageReceived, type InboundMessage } from '@rockpool/contracts';
import type { EventPublisher } from '@rockpool/service';
import { z } from 'zod';
import type { EventSpool } from './event-spool.js';

const spooled = z.object({ message: inboundMessage, source: z.string() });

/**
 * Makes verified messages durable: on the bus, or, for senders that may never try again, in the spool until the bus takes them. While some wait there, later ones of
 * such senders queue up behind them.
 */
export class InboundPublisher {
  constructor(
    private readonly publisher: EventPublisher,
    private readonly spool: EventSpool | undefined,
  ) {}

  /** Resolves when the message is durable. Rejects with `unavailable` when it cannot be made so: the sender has to be told. */
  async publish(message: InboundMessage, source: string, { senderRetries }: { senderRetries: boolean }): Promise<void> {
    const spool = senderRetries ? undefined : this.spool;
    if (spool && !spool.isEmpty) return spool.add(JSON.stringify({ message, source }));
    try {
      await publishMessage(this.publisher, message, source);
    } catch (error) {
      if (!spool || codeOf(error) !== 'unavailable') throw error;
      await spool.add(JSON.stringify({ message, source }));
    }
  }
}

/** Publishes a line of the spool. */
export async function publishSpooled(publisher: EventPublisher, line: string): Promise<void> {
  const { message, source } = spooled.parse(JSON.parse(line));
  await publishMessage(publisher, message, source);
}

async function publishMessage(publisher: EventPublisher, message: InboundMessage, source: string): Promise<void> {
  await publisher.publish(MessageReceived, message, {
    id: message.eventId,
    source,
    time: message.sentAt,
    ...(message.tenantId && { tenantId: message.tenantId }),
    subject: message.conversationId,
  });
}
