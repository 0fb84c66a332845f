import type { InboundMessage } from '@rockpool/contracts';
import { MoreCommands } from '@rockpool/conversations';
import { ScheduleCommands, type Schedules } from '@rockpool/jobs';
import type { Tenant } from '@rockpool/tenancy';

/** The commands that concern what is planned. */
export class ChatCommands extends MoreCommands {
  override readonly names = { schedules: 'shows what is planned' };
  private readonly schedules: ScheduleCommands;

  constructor(schedules: Schedules) {
    super();
    this.schedules = new ScheduleCommands(schedules);
  }

  override answer({ id, spec }: Tenant, { conversationId }: InboundMessage, _name: string, words: string): Promise<string> {
    return this.schedules.answer(id, conversationId, words, spec.timeZone ?? 'UTC');
  }
}
