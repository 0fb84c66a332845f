import type { InboundMessage } from '@rockpool/contracts';
import { MoreCommands } from '@rockpool/conversations';
import { isJobCommand, JobCommands, ScheduleCommands, systemClock, type Jobs, type Schedules } from '@rockpool/jobs';
import type { Tenant } from '@rockpool/tenancy';

/** The commands that concern long work and what is planned. */
export class ChatCommands extends MoreCommands {
  override readonly names = {
    jobs: 'shows the work that goes on in the background',
    job: 'with a number shows one piece of it, or answers what it asks',
    cancel: 'with a number ends one',
    schedules: 'shows what is planned, and plans more',
  };
  private readonly jobs: JobCommands;
  private readonly schedules: ScheduleCommands;

  constructor(jobs: Jobs, schedules: Schedules) {
    super();
    this.jobs = new JobCommands(jobs, systemClock);
    this.schedules = new ScheduleCommands(schedules, systemClock);
  }

  override answer({ id, spec }: Tenant, message: InboundMessage, name: string, words: string): Promise<string> {
    const { conversationId, eventId, sender } = message;
    if (isJobCommand(name)) return this.jobs.answer(id, conversationId, { name, words });
    const context = { tenantId: id, conversationId, eventId, senderId: sender.id, timeZone: spec.timeZone ?? 'UTC' };
    return this.schedules.answer(context, words);
  }
}
