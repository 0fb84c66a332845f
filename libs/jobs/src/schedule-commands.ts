import { codeOf, type ConversationId, type TenantId } from '@rockpool/contracts';
import { quietText } from './occurrences.js';
import { plain } from './plain.js';
import { fromFile, type ScheduleRecord } from './schedule-records.js';
import type { Schedules } from './schedules.js';

const runsShown = 3;
const verbs = ['pause', 'resume', 'delete'] as const;
const usage = '`/schedules pause 2`, `/schedules resume 2` and `/schedules delete 2` change one.';

/**
 * Answers `/schedules`, in Markdown. A conversation sees and changes what is its own: schedules of the tenant's other conversations do not exist here. A schedule keeps its
 * number, so a command that comes twice means the same one.
 */
export class ScheduleCommands {
  constructor(private readonly schedules: Schedules) {}

  /** `words` is what follows the command; `timeZone` the zone to speak of times in. A second call for the same message does no more than the first. */
  async answer(tenantId: TenantId, conversationId: ConversationId, words: string, timeZone: string): Promise<string> {
    const [verb = '', number = ''] = words.trim().toLowerCase().split(/\s+/);
    const own = await this.schedules.ofConversation(tenantId, conversationId);
    if (verb === '') {
      if (own.length === 0) return 'Nothing is scheduled.';
      return [...own.map((schedule) => `- ${this.lineOf(schedule, timeZone)}`), '', usage].join('\n');
    }
    const known = verbs.find((one) => one === verb);
    if (!known) return `I do not know \`${plain(verb).slice(0, 20)}\`. ${usage}`;
    const schedule = own.find((one) => String(one.number) === number.replace(/^#/, ''));
    if (!schedule) return `There is no schedule ${plain(number).slice(0, 20)} here. /schedules lists them.`;
    return this.change(known, schedule, timeZone);
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
