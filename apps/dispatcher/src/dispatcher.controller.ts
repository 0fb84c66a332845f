import { Controller } from '@nestjs/common';
import { DriveConversation, MessageReceived, subscriptions, type EventData } from '@rockpool/contracts';
import { Receiver } from '@rockpool/conversations';
import { OnEvent, type EventDelivery } from '@rockpool/service';
import { ConversationDriver } from './conversation-driver.js';

/** The two hops of the bus: receive is short and ordered, drive is long and unordered. */
@Controller()
export class DispatcherController {
  constructor(
    private readonly receiver: Receiver,
    private readonly driver: ConversationDriver,
  ) {}

  @OnEvent(MessageReceived, subscriptions.receive)
  async receive(message: EventData<typeof MessageReceived>): Promise<void> {
    await this.receiver.receive(message);
  }

  @OnEvent(DriveConversation, subscriptions.drive)
  async drive({ tenantId, conversationId }: EventData<typeof DriveConversation>, delivery: EventDelivery): Promise<void> {
    await this.driver.drive({ tenantId, conversationId, wakeId: delivery.messageId }, delivery);
  }
}
