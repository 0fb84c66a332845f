import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ConversationId, EventId, ScheduleId, TenantId } from '@rockpool/contracts';
import type { QuietHours } from './occurrences.js';
import { ScheduleCommands } from './schedule-commands.js';
import { schedulePlatform, type SchedulePlatform } from './schedule-platform.js';
import { fromFile } from './schedule-records.js';
import { ScheduleTasks } from './schedule-tasks.js';
import { openTestEngine, type TestEngine } from './testing/engine.js';
import { NotedPrompts } from './testing/schedule-bench.js';

const alice = 'alice' as TenantId;
const here = 'web:alice:1' as ConversationId;
const elsewhere = 'web:alice:2' as ConversationId;

let engine: TestEngine;
let platform: SchedulePlatform;
let commands: ScheduleCommands;
beforeEach(async () => {
  engine = await openTestEngine(async () => ({ status: 200 }));
  const { documents, tasks, clock, receiver } = engine;
  platform = schedulePlatform({
    documents,
    tasks: new ScheduleTasks(tasks, { url: `${receiver.url}/fire`, audience: 'scheduler' }),
    prompts: new NotedPrompts(clock.now),
    clock,
    onWarning: () => undefined,
  });
  commands = new ScheduleCommands(platform.schedules, engine.clock);
});
afterEach(() => engine.close());

const say = (words = '', conversationId = here, eventId = 'web:alice:1:m') =>
  commands.answer({ tenantId: alice, conversationId, eventId: eventId as EventId, senderId: 'ann', timeZone: 'Europe/Berlin' }, words);

const put = (
  id: string,
  expression: string,
  { conversationId = here, createdBy = 'test', quiet }: { conversationId?: ConversationId; createdBy?: string; quiet?: QuietHours } = {},
) =>
  platform.schedules.put(alice, id as ScheduleId, {
    title: id,
    when: { kind: 'cron', expression, timeZone: 'Europe/Berlin' },
    effect: { kind: 'prompt', conversationId, text: id },
    createdBy,
    ...(quiet && { quiet }),
  });

describe('/schedules', () => {
  it('lists those of the conversation by when they come, with their next times in the zone of the tenant', async () => {
    expect(await say()).toMatch(/^Nothing is scheduled\. These make something: /);
    await put('water', '0 9 * * *');
    await put('feed', '0 18 * * *');
    await put('secret', '0 9 * * *', { conversationId: elsewhere });
    await put('sleep', '0 22 * * *');
    await platform.schedules.pause(alice, 'sleep' as ScheduleId);
    expect((await say()).split('\n').slice(0, 3)).toEqual([
      '- **2** feed: 1 Mar 2030, 18:00; 2 Mar 2030, 18:00; 3 Mar 2030, 18:00 (`0 18 * * *`, Europe/Berlin)',
      '- **1** water: 2 Mar 2030, 09:00; 3 Mar 2030, 09:00; 4 Mar 2030, 09:00 (`0 9 * * *`, Europe/Berlin)',
      '- **4** sleep: paused (`0 22 * * *`, Europe/Berlin)',
    ]);
  });

  it('says when they are quiet', async () => {
    const nightly = (then: 'skip' | 'later') => ({ from: '22:00', to: '07:00', timeZone: 'Europe/Berlin', then });
    await put('water', '0 9 * * *', { quiet: nightly('skip') });
    await put('feed', '0 18 * * *', { quiet: nightly('later') });
    const [feed, water] = (await say()).split('\n');
    expect(feed).toMatch(/ \(`0 18 \* \* \*`, Europe\/Berlin, from 22:00 to 07:00 it waits\)$/);
    expect(water).toMatch(/ \(`0 9 \* \* \*`, Europe\/Berlin, not from 22:00 to 07:00\)$/);
  });

  it('pauses, resumes and deletes by a number that stays with its schedule', async () => {
    await put('water', '0 9 * * *');
    await put('feed', '0 18 * * *');
    expect(await say('delete 1')).toBe('🗑 Schedule 1 (water) is deleted.');
    expect(await say('delete 1')).toBe('There is no schedule 1 here. /schedules lists them.');
    expect(await say('pause #2')).toBe('⏸ Schedule 2 (feed) is paused.');
    expect(await say('resume 2')).toBe('▶️ Schedule 2 (feed) goes on: 1 Mar 2030, 18:00.');
    expect((await put('sing', '0 12 * * *')).number).toBe(3);
  });

  it('leaves alone what belongs to another conversation, and what the operator set up', async () => {
    await put('secret', '0 9 * * *', { conversationId: elsewhere });
    await put('news', '0 8 * * *', { createdBy: fromFile });
    expect(await say('delete 1')).toBe('There is no schedule 1 here. /schedules lists them.');
    expect(await say('delete 2')).toMatch(/^Schedule 2 \(news\) was set up by the operator/);
    expect(await say('burn 2')).toMatch(/^I do not know `burn`\./);
    expect((await platform.schedules.list(alice)).items).toHaveLength(2);
  });
});

describe('/schedules add', () => {
  const planned = async () => (await platform.schedules.ofConversation(alice, here)).map(({ title, when, effect, createdBy }) => ({ title, when, text: 'text' in effect && effect.text, createdBy })); // prettier-ignore

  it.each([
    ['in 10 minutes water the *plants*', { kind: 'once', at: Date.parse('2030-03-01T12:10:00Z') }, 'water the *plants*'],
    ['in 2h rest', { kind: 'once', at: Date.parse('2030-03-01T14:00:00Z') }, 'rest'],
    ['2030-03-02 09:00 feed the cat', { kind: 'once', at: Date.parse('2030-03-02T08:00:00Z') }, 'feed the cat'],
    ['0 9 * * 1-5 what is on today?', { kind: 'cron', expression: '0 9 * * 1-5', timeZone: 'Europe/Berlin' }, 'what is on today?'],
    ['"*/30 8-18 * * MON,FRI" stand up', { kind: 'cron', expression: '*/30 8-18 * * MON,FRI', timeZone: 'Europe/Berlin' }, 'stand up'],
  ])('%s', async (words, when, text) => {
    expect(await say(`add ${words}`)).toMatch(/^🗓 Planned: \*\*1\*\* /);
    expect(await planned()).toEqual([{ title: text.replaceAll('*', ''), when, text, createdBy: 'ann' }]);
  });

  it('makes one for one message, however often it comes', async () => {
    const first = await say('add 0 9 * * * water the plants');
    expect(await say('add 0 9 * * * water the plants')).toBe(first);
    await say('add 0 9 * * * water the plants', here, 'web:alice:1:n');
    expect(await planned()).toHaveLength(2);
    const soon = await say('add in 10 minutes rest', here, 'web:alice:1:o');
    engine.clock.advance(60_000);
    expect(await say('add in 10 minutes rest', here, 'web:alice:1:o')).toBe(soon);
  });

  it.each([
    ['', 'say when and what'],
    ['tomorrow', 'say when and what'],
    ['61 9 * * * water', 'minute'],
    ['2030-02-31 09:00 water', 'is not a date and time that exists'],
    ['2020-01-01 09:00 water', 'never comes, or is over'],
  ])('says what is wrong with “%s”, and plans nothing', async (words, problem) => {
    const answer = await say(`add ${words}`);
    expect(answer).toMatch(/^I did not plan that: .*It works like this: /);
    expect(answer).toContain(problem);
    expect(await planned()).toEqual([]);
  });
});
