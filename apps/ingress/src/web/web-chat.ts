import { parseWebMessage, webInboundMessage, type WebFeed } from '@rockpool/channels';
import { MessageReceived } from '@rockpool/contracts';
import type { EventPublisher } from '@rockpool/service';
import type { Visit } from './web-access.js';

/** Takes a visitor's message into the platform. */
export class WebChat {
  constructor(
    private readonly publisher: EventPublisher,
    private readonly feed: WebFeed,
    private readonly now: () => number = Date.now,
  ) {}

  /**
   * Resolves with the message's id once its event is durable and it stands in the feed. Rejects with `invalid` when it breaks a rule, and with anything
   * else when the sender is to send it again, under the same id: whatever had been done by then is done once.
   */
  async receive({ tenant, session }: Visit, body: unknown): Promise<{ id: string }> {
    const input = parseWebMessage(body);
    const receivedAt = new Date(this.now());
    const message = webInboundMessage(tenant.id, session.visitorId, input, receivedAt);
    await this.publisher.publish(MessageReceived, message, {
      id: message.eventId,
      source: `/ingress/web/${tenant.id}`,
      time: message.receivedAt,
      tenantId: tenant.id,
    });
    await this.feed.show(tenant.id, message.conversationId, { id: input.id, text: input.text, receivedAt });
    return { id: input.id };
  }
}
