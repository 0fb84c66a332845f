import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { InvalidInput, NotFound, type ScheduleId } from '@rockpool/contracts';
import { fromFile, momentOf, quietText, type QuietHours, type ScheduleRecord, type Schedules, type When } from '@rockpool/jobs';
import { z } from 'zod';
import { defineTool, type AgentTool, type ToolContext } from '../tool.js';

const runsShown = 3;
const longestWaitMinutes = 5 * 366 * 24 * 60;

const planned = z.object({
  title: z.string().min(1).max(200).describe('A few words that the person knows it by'),
  prompt: z
    .string()
    .min(1)
    .max(5_000)
    .describe('What you will be told at that time, written so that it can be understood alone: “Remind Ann to call her mother.”'),
  at: z.string().max(40).optional().describe('Once: local date and time such as 2026-11-21T09:00'),
  inMinutes: z.number().positive().max(longestWaitMinutes).optional().describe('Once: so many minutes from now; 0.5 is 30 seconds'),
  cron: z.string().max(200).optional().describe('Again and again: five fields of cron, “0 9 * * 1-5” is 9:00 on workdays'),
  timeZone: z.string().max(60).optional().describe('IANA time zone of these times, when the person means another than their own'),
  quietFrom: z.string().max(5).optional().describe('With quietTo: a time of day such as 22:00 from which this must not disturb'),
  quietTo: z.string().max(5).optional().describe('When it may come again, such as 07:00'),
  quietThen: z
    .enum(['skip', 'later'])
    .optional()
    .describe('What falls into the quiet hours is left out (skip, the default), or comes once when they are over (later)'),
});
type Planned = z.output<typeof planned>;

/** Plans something for later, in the conversation that it is asked for in. */
export function schedule(schedules: Schedules): AgentTool {
  return defineTool({
    name: 'schedule',
    description:
      'Reminds the person later, or does something at a time or again and again. Give exactly one of at, inMinutes and cron. At each time you are told the prompt in this conversation, and what you answer is sent. Use it only when the person asks for it.',
    repeat: 'keyed',
    input: planned,
    async run({ title, prompt, ...times }, context) {
      const { tenantId, conversationId, senderId, idempotencyKey } = context;
      // The same when the call is made again: then the schedule is changed, not doubled.
      const id = createHash('sha256').update(idempotencyKey).digest('hex').slice(0, 24) as ScheduleId;
      const effect = { kind: 'prompt', conversationId, text: prompt } as const;
      const earlier = times.inMinutes === undefined ? undefined : await schedules.find(tenantId, id);
      // “In ten minutes” was said when the call was first made. They may be over, and the schedule with them.
      const isSame = earlier?.title === title && isDeepStrictEqual(earlier.effect, effect);
      const when = isSame ? earlier.when : whenOf(times, context);
      const quiet = quietOf(times, context);
      const record = await schedules.put(tenantId, id, { title, when, ...(quiet && { quiet }), effect, createdBy: senderId });
      return `Planned: ${lineOf(record, schedules, context)}`;
    },
  });
}

/** Shows what is planned in the conversation. */
export function listSchedules(schedules: Schedules): AgentTool {
  return defineTool({
    name: 'list_schedules',
    description: 'Shows the reminders and schedules of this conversation with their numbers and next times.',
    repeat: 'safe',
    input: z.object({}),
    async run(_, context) {
      const own = await schedules.ofConversation(context.tenantId, context.conversationId);
      return own.length > 0 ? own.map((record) => `- ${lineOf(record, schedules, context)}`).join('\n') : 'Nothing is scheduled.';
    },
  });
}

/** Cancels what is planned in the conversation. */
export function cancelSchedule(schedules: Schedules): AgentTool {
  return defineTool({
    name: 'cancel_schedule',
    description: 'Cancels a reminder or schedule of this conversation, by its number. Use it only when the person asks for it.',
    repeat: 'safe',
    input: z.object({ number: z.int().positive().describe('As list_schedules shows it') }),
    async run({ number }, { tenantId, conversationId }) {
      const own = await schedules.ofConversation(tenantId, conversationId);
      const record = own.find((one) => one.number === number);
      if (!record) throw new NotFound(`there is no schedule ${number} in this conversation`);
      if (record.createdBy === fromFile)
        throw new InvalidInput(`schedule ${number} was set up by the operator; the person can pause it with /schedules pause ${number}`);
      await schedules.remove(tenantId, record.scheduleId);
      return `Cancelled: ${record.title}`;
    },
  });
}

function whenOf(
  { at, inMinutes, cron, timeZone }: Pick<Planned, 'at' | 'inMinutes' | 'cron' | 'timeZone'>,
  { timeZone: own, now }: ToolContext,
): When {
  if ([at, inMinutes, cron].filter((given) => given !== undefined).length !== 1)
    throw new InvalidInput('give exactly one of at, inMinutes and cron');
  if (cron !== undefined) return { kind: 'cron', expression: cron, timeZone: timeZone ?? own };
  return { kind: 'once', at: at === undefined ? now.getTime() + Math.round(inMinutes! * 60_000) : momentOf(at, timeZone ?? own) };
}

function quietOf(
  { quietFrom: from, quietTo: to, quietThen: then = 'skip', timeZone }: Pick<Planned, 'quietFrom' | 'quietTo' | 'quietThen' | 'timeZone'>,
  { timeZone: own }: ToolContext,
): QuietHours | undefined {
  if (from === undefined && to === undefined) return undefined;
  if (from === undefined || to === undefined) throw new InvalidInput('give quietFrom and quietTo together, or neither');
  return { from, to, then, timeZone: timeZone ?? own };
}

function lineOf(record: ScheduleRecord, schedules: Schedules, { timeZone }: ToolContext): string {
  const format = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'short', timeZone });
  const runs = schedules.nextRuns(record, record.when.kind === 'cron' ? runsShown : 1).map((at) => format.format(at));
  const pattern = record.when.kind === 'cron' ? `, ${record.when.expression} in ${record.when.timeZone}` : '';
  const quiet = record.quiet ? `, ${quietText(record.quiet)}` : '';
  return `schedule ${record.number}, ${record.title}: ${runs.join('; ') || record.state} (${timeZone}${pattern}${quiet})`;
}
