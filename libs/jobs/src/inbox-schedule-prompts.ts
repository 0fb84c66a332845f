import { type ConversationInbox, platformMessages } from './conversation-inbox.js';
import { SchedulePrompts, type Occurrence } from './schedule-firing.js';
import type { ScheduleEffect } from './schedule-records.js';

/** Puts the prompts of schedules into their conversations' inboxes. One that comes late says for when it was meant. */
export class InboxSchedulePrompts extends SchedulePrompts {
  constructor(private readonly inbox: ConversationInbox) {
    super();
  }

  async put(occurrence: Occurrence, effect: Extract<ScheduleEffect, { kind: 'prompt' | 'heartbeat' }>): Promise<void> {
    const { tenantId, eventId, plannedAt, late } = occurrence;
    const planned = new Date(plannedAt).toISOString();
    await this.inbox.put({
      tenantId,
      conversationId: effect.conversationId,
      eventId,
      type: effect.kind === 'heartbeat' ? platformMessages.heartbeat : platformMessages.prompt,
      text: late ? `${effect.text}\n\n[This was planned for ${planned} and comes late.]` : effect.text,
      ...(effect.target && { target: effect.target }),
      at: plannedAt,
    });
  }
}
