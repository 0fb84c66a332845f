import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Tasks, type TaskRequest } from '@rockpool/cloud';
import { openTestDocuments, type TestDocuments } from '@rockpool/cloud-embedded/testing';
import type { ConversationId, ScheduleId, TenantId } from '@rockpool/contracts';
import { Inbox, Wakes } from '@rockpool/conversations';
import {
  ConversationInbox,
  fromFile,
  InboxSchedulePrompts,
  scheduleIndexes,
  schedulePlatform,
  ScheduleTasks,
  systemClock,
  type ScheduleFiring,
  type Schedules,
} from '@rockpool/jobs';
import type { AgentTool, ToolContext } from './tool.js';
import { cancelSchedule, listSchedules, schedule } from './tools/schedules.js';

/** Tasks that are only noted: what they fire is the scheduler's matter. */
class NotedTasks extends Tasks {
  readonly made: TaskRequest[] = [];
  override async create(task: TaskRequest): Promise<string> {
    this.made.push(task);
    return task.name ?? '';
  }
  override async cancel(): Promise<boolean> {
    return false;
  }
  override async stats() {
    return { pending: this.made.length, oldestLateMs: 0 };
  }
  override async close(): Promise<void> {}
}

class NoWakes extends Wakes {
  override async wake(): Promise<void> {}
}

const now = new Date('2030-03-01T12:00:00Z');
const context: ToolContext = {
  tenantId: 'alice' as TenantId,
  conversationId: 'telegram:1:2' as ConversationId,
  senderId: '12345',
  timeZone: 'Europe/Paris',
  now,
  idempotencyKey: 'telegram:1:3#schedule.0',
  signal: new AbortController().signal,
};

let store: TestDocuments;
let schedules: Schedules;
let firing: ScheduleFiring;
let tasks: NotedTasks;
let later: number;
beforeEach(async () => {
  later = 0;
  store = await openTestDocuments(scheduleIndexes);
  tasks = new NotedTasks();
  const { documents } = store;
  ({ schedules, firing } = schedulePlatform({
    documents,
    tasks: new ScheduleTasks(tasks, { url: 'http://127.0.0.1/fire', audience: 'scheduler' }),
    prompts: new InboxSchedulePrompts(new ConversationInbox(documents, new Inbox(documents), new NoWakes(), systemClock)),
    clock: { ...systemClock, now: () => now.getTime() + later },
    onWarning: () => undefined,
  }));
});
afterEach(() => store.close());

const call = (tool: (over: Schedules) => AgentTool, input: object, more: Partial<ToolContext> = {}) => {
  const it = tool(schedules);
  return it.run(it.input.parse(input), { ...context, ...more });
};
const dentist = { title: 'dentist', prompt: 'Remind Ann of the dentist.' };

describe('the agent’s schedules', () => {
  it('understand local times in the zone of the tenant, and fire in the conversation they are asked for in', async () => {
    expect(await call(schedule, { ...dentist, at: '2030-03-02T09:00' })).toBe(
      'Planned: schedule 1, dentist: Saturday, 2 March 2030 at 09:00 (Europe/Paris)',
    );
    const [record] = await schedules.ofConversation(context.tenantId, context.conversationId);
    expect(record).toMatchObject({
      nextAt: Date.parse('2030-03-02T08:00:00Z'),
      effect: { kind: 'prompt', conversationId: context.conversationId, text: dentist.prompt },
      createdBy: '12345',
    });
    expect(tasks.made.map(({ scheduleAt }) => scheduleAt?.toISOString())).toEqual(['2030-03-02T08:00:00.000Z']);
  });

  it('count from now, and come again and again in another zone when that is meant', async () => {
    expect(await call(schedule, { ...dentist, inMinutes: 0.5 })).toContain('Friday, 1 March 2030 at 13:00');
    const daily = { ...dentist, cron: '0 9 * * *', timeZone: 'Asia/Tokyo' };
    expect(await call(schedule, daily, { idempotencyKey: 'telegram:1:3#schedule.1' })).toBe(
      'Planned: schedule 2, dentist: Saturday, 2 March 2030 at 01:00; Sunday, 3 March 2030 at 01:00; Monday, 4 March 2030 at 01:00 (Europe/Paris, 0 9 * * * in Asia/Tokyo)',
    );
  });

  it('are quiet when the person wants that, and say so', async () => {
    const often = { ...dentist, cron: '*/30 * * * *', quietFrom: '12:00', quietTo: '15:00' };
    expect(await call(schedule, often)).toContain('at 15:00; Friday, 1 March 2030 at 15:30;');
    expect(await call(listSchedules, {})).toMatch(/\(Europe\/Paris, \*\/30 \* \* \* \* in Europe\/Paris, not from 12:00 to 15:00\)$/);
    expect(
      await call(schedule, { ...often, quietThen: 'later', timeZone: 'UTC' }, { idempotencyKey: 'telegram:1:3#schedule.1' }),
    ).toContain('from 12:00 to 15:00 it waits');
    const second = (await schedules.ofConversation(context.tenantId, context.conversationId)).find(({ number }) => number === 2);
    expect(second?.quiet).toEqual({ from: '12:00', to: '15:00', then: 'later', timeZone: 'UTC' });
    await expect(call(schedule, { ...often, quietTo: undefined }, { idempotencyKey: 'telegram:1:3#schedule.2' })).rejects.toThrow(
      'quietFrom and quietTo together',
    );
    await expect(call(schedule, { ...often, quietTo: '25:00' }, { idempotencyKey: 'telegram:1:3#schedule.2' })).rejects.toThrow(
      'quiet hours are given as',
    );
  });

  it('are not doubled by a turn that runs again', async () => {
    await call(schedule, { ...dentist, inMinutes: 5 });
    await call(schedule, { ...dentist, prompt: 'The dentist waits.', inMinutes: 6 });
    const own = await schedules.ofConversation(context.tenantId, context.conversationId);
    expect(own).toMatchObject([{ number: 1, effect: { text: 'The dentist waits.' } }]);
  });

  it('that were to come some minutes after a call, and came, do not come again when their turn runs again', async () => {
    await call(schedule, { ...dentist, inMinutes: 5 });
    const [own] = await schedules.ofConversation(context.tenantId, context.conversationId);
    const task = { tenantId: context.tenantId, scheduleId: own!.scheduleId, plannedAt: own!.nextAt!, hop: own!.hop };
    await store.documents.set('tenants/alice/conversations/telegram:1:2', {
      tenantId: 'alice',
      conversationId: 'telegram:1:2',
      target: { channel: 'telegram', account: '1', chatId: '2', shared: false },
    });
    later = 5 * 60_000;
    expect(await firing.fire(task, new AbortController().signal)).toMatchObject({ kind: 'fired' });
    expect(await call(schedule, { ...dentist, inMinutes: 5 }, { now: new Date(now.getTime() + later + 1_000) })).toContain('ended');
    expect(await schedules.get(context.tenantId, own!.scheduleId)).toMatchObject({ state: 'ended', fired: 1 });
  });

  it('refuse what is over, what never comes and what is said twice, in words for the model', async () => {
    await expect(call(schedule, { ...dentist, at: '2030-03-01T09:00' })).rejects.toThrow('is over');
    await expect(call(schedule, { ...dentist, cron: '0 9 * *' })).rejects.toThrow('0 9 * *');
    await expect(call(schedule, { ...dentist, cron: '0 9 * * *', inMinutes: 1 })).rejects.toThrow('exactly one of');
  });

  it('are shown and cancelled in their own conversation only, and not when the operator set them up', async () => {
    await call(schedule, { ...dentist, inMinutes: 5 });
    const elsewhere = { conversationId: 'telegram:1:9' as ConversationId };
    expect(await call(listSchedules, {}, elsewhere)).toBe('Nothing is scheduled.');
    await expect(call(cancelSchedule, { number: 1 }, elsewhere)).rejects.toThrow('no schedule 1 in this conversation');
    const { tenantId, conversationId } = context;
    await schedules.put(tenantId, 'file:news' as ScheduleId, {
      title: 'news',
      when: { kind: 'cron', expression: '0 8 * * *', timeZone: 'UTC' },
      effect: { kind: 'prompt', conversationId, text: 'What is new?' },
      createdBy: fromFile,
    });
    await expect(call(cancelSchedule, { number: 2 })).rejects.toThrow('set up by the operator');
    expect(await call(cancelSchedule, { number: 1 })).toBe('Cancelled: dentist');
    expect((await call(listSchedules, {})).split('\n')).toHaveLength(1);
  });
});
