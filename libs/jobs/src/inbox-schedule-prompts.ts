import { type ConversationInbox, platformMessages } from './conversation-inbox.js';
import { SchedulePrompts, type Occurrence } from './schedule-firing.js';
import type { PromptEffect } from './schedule-records.js';

/** Puts the prompts of schedules into their conversations' inboxes. One that comes late says for when it was meant; a heartbeat is left out while something waits there. */
export class InboxSchedulePrompts extends SchedulePrompts {
  constructor(private readonly inbox: ConversationInbox) {
    super();
  }

  async put(occurrence: Occurrence, effect: PromptEffect): Promise<void> {
    const { tenantId, eventId, plannedAt, late } = occurrence;
    // A heartbeat is for times when nothing happens; while nobody can answer they would pile up.
    if (effect.kind === 'heartbeat' && (await this.inbox.isBusy(tenantId, effect.conversationId))) return;
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
