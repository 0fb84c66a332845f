import { createHash } from 'node:crypto';
import { codeOf, type ConversationId, type EventId, type ScheduleId, type TenantId } from '@rockpool/contracts';
import type { Clock } from './clock.js';
import { quietText } from './occurrences.js';
import { plain } from './plain.js';
import { fromFile, type ScheduleRecord } from './schedule-records.js';
import { scheduleOf, wordsUsage } from './schedule-words.js';
import type { Schedules } from './schedules.js';

const runsShown = 3;
const verbs = ['pause', 'resume', 'delete'] as const;
const usage = `\`/schedules pause 2\`, \`/schedules resume 2\` and \`/schedules delete 2\` change one; these make one: ${wordsUsage}.`;
const titleLength = 60;

/** Who writes where. */
export interface ScheduleCommandContext {
  readonly tenantId: TenantId;
  readonly conversationId: ConversationId;
  /** Of the message that is the command. */
  readonly eventId: EventId;
  readonly senderId: string;
  /** The zone to understand and speak of times in. */
  readonly timeZone: string;
}

/**
 * Answers `/schedules`, in Markdown. A conversation sees and changes what is its own: schedules of the tenant's other conversations do not exist here. A schedule keeps its
 * number, so a command that comes twice means the same one.
 */
export class ScheduleCommands {
  constructor(
    private readonly schedules: Schedules,
    private readonly clock: Clock,
  ) {}

  /** `words` is what follows the command. A second call for the same message does no more than the first. */
  async answer(context: ScheduleCommandContext, words: string): Promise<string> {
    const { tenantId, conversationId, timeZone } = context;
    const [verb = '', number = ''] = words.trim().toLowerCase().split(/\s+/);
    if (verb === 'add') return this.add(context, words.trim().replace(/^\S+\s*/, ''));
    const own = await this.schedules.ofConversation(tenantId, conversationId);
    if (verb === '') {
      if (own.length === 0) return `Nothing is scheduled. These make something: ${wordsUsage}.`;
      return [...own.map((schedule) => `- ${this.lineOf(schedule, timeZone)}`), '', usage].join('\n');
    }
    const known = verbs.find((one) => one === verb);
    if (!known) return `I do not know \`${plain(verb).slice(0, 20)}\`. ${usage}`;
    const schedule = own.find((one) => String(one.number) === number.replace(/^#/, ''));
    if (!schedule) return `There is no schedule ${plain(number).slice(0, 20)} here. /schedules lists them.`;
    return this.change(known, schedule, timeZone);
  }

  private async add({ tenantId, conversationId, eventId, senderId, timeZone }: ScheduleCommandContext, words: string): Promise<string> {
    // The same for the same message, which so makes one schedule.
    const id = createHash('sha256').update(eventId).digest('hex').slice(0, 24) as ScheduleId;
    try {
      const planned = scheduleOf(words, timeZone, this.clock.now());
      const { text } = planned;
      // “In ten minutes” was said when the message came first; they may be over.
      const when = (await this.schedules.find(tenantId, id))?.when ?? planned.when;
      const title = plain(text).trim().slice(0, titleLength).toWellFormed();
      const effect = { kind: 'prompt', conversationId, text } as const;
      const made = await this.schedules.put(tenantId, id, { title, when, effect, createdBy: senderId });
      return `🗓 Planned: ${this.lineOf(made, timeZone)}`;
    } catch (error) {
      if (codeOf(error) !== 'invalid') throw error;
      return `I did not plan that: ${(error as Error).message}. It works like this: ${wordsUsage}.`;
    }
  }

  private async change(verb: (typeof verbs)[number], schedule: ScheduleRecord, timeZone: string): Promise<string> {
    const { tenantId, scheduleId, number, title } = schedule;
    const name = `Schedule ${number} (${plain(title)})`;
    if (verb === 'delete') {
      if (schedule.createdBy === fromFile)
        return `${name} was set up by the operator and cannot be deleted here: /schedules pause ${number}.`;
      await this.schedules.remove(tenantId, scheduleId);
      return `🗑 ${name} is deleted.`;
    }
    try {
      const changed = await this.schedules[verb](tenantId, scheduleId);
      return verb === 'pause' ? `⏸ ${name} is paused.` : `▶️ ${name} goes on: ${momentText(changed.nextAt!, timeZone)}.`;
    } catch (error) {
      if (codeOf(error) !== 'conflict') throw error;
      return `${name}: ${(error as Error).message}.`;
    }
  }

  private lineOf(schedule: ScheduleRecord, timeZone: string): string {
    const { number, title, when, quiet, state } = schedule;
    const runs = this.schedules.nextRuns(schedule, when.kind === 'cron' ? runsShown : 1).map((at) => momentText(at, timeZone));
    const pattern = when.kind === 'cron' ? [`\`${when.expression}\``, when.timeZone] : [];
    const details = [...pattern, ...(quiet ? [quietText(quiet)] : [])].join(', ');
    return `**${number}** ${plain(title)}: ${runs.join('; ') || state}${details && ` (${details})`}`;
  }
}

function momentText(at: number, timeZone: string): string {
  return new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short', timeZone }).format(at);
}
