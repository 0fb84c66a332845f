import { randomUUID } from 'node:crypto';
import { DriveConversation, type ConversationId, type TenantId } from '@rockpool/contracts';
import { Wakes } from '@rockpool/conversations';
import type { EventPublisher } from '@rockpool/service';

/** Wakes over the bus. */
export class BusWakes extends Wakes {
  constructor(
    private readonly publisher: EventPublisher,
    /** URI reference of the app that wakes. */
    private readonly source: string,
  ) {
    super();
  }

  override async wake(tenantId: TenantId, conversationId: ConversationId): Promise<void> {
    const time = new Date().toISOString();
    const id = `wake:${randomUUID()}`;
    await this.publisher.publish(DriveConversation, { tenantId, conversationId }, { id, source: this.source, time, tenantId });
  }
}
