import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '@rockpool/cloud/testing';
import { codeOf, outcomeOf, type JobId } from '@rockpool/contracts';
import type { AgentEvent, AgentTurn } from '@rockpool/conversations';
import { Models } from '@rockpool/models';
import { BuiltinRuntime, type BuiltinRuntimeLimits } from './builtin-runtime.js';
import { alice, JobDesk } from './testing/job-desk.js';
import type { Reply } from './testing/loopback-provider.js';
import { letTimeBePassed } from './testing/passing-time.js';
import { runTurn, said, turnOf } from './testing/turns.js';
import { currentTime } from './tools/current-time.js';

let desk: JobDesk;
afterEach(async () => {
  jest.useRealTimers();
  await desk.close();
});

const promoteAfterMs = 30_000;

const time: Reply = { call: [{ name: 'current_time', input: {} }] };
const startJob: Reply = { say: ['This takes long.'], call: [{ name: 'start_job', input: { title: 'count the fish' } }] };

async function runtimeWith(replies: readonly Reply[], limits: Partial<BuiltinRuntimeLimits> = {}): Promise<BuiltinRuntime> {
  desk = await JobDesk.open(replies, [currentTime]);
  const profiles = { get: async () => ({ tenantName: 'Alice', settings: { model: 'auto', instructions: 'Be helpful.' }, keys: {} }) };
  const models = new Models({ openaiBaseUrl: desk.provider.url, openaiApiKey: 'sk-test' });
  return new BuiltinRuntime(profiles, models, [currentTime], { backoffMs: 1, attempts: 1, ...limits, jobs: desk.jobs });
}
const promotedIn = (events: readonly AgentEvent[]) => events.find((event) => event.type === 'promoted');
const job = () => desk.jobs.find(alice, 'telegram:1:3' as JobId);
const told = (n: number) => desk.provider.requests[n]!.messages.map(({ role, content }) => `${role}: ${JSON.stringify(content)}`);

describe('a turn', () => {
  it('whose agent asks for it goes on as a job with its id, with everything that was said and done', async () => {
    const runtime = await runtimeWith([time, startJob, { say: ['12 fish.'] }]);
    const { events } = await runTurn(runtime, turnOf('How many fish?', { history: [said('user', 'hi'), said('assistant', 'Hello.')] }));
    expect(promotedIn(events)).toMatchObject({
      answer:
        'This takes long.\n\n⏳ Still working: **job 1**, count the fish. I will report here. `/job 1` shows more, `/cancel 1` ends it.',
    });
    expect(events.at(-1)).toMatchObject({ type: 'usage', usage: { inputTokens: 20 } });
    expect(await job()).toMatchObject({
      label: '1',
      title: 'count the fish',
      conversationId: 'telegram:1:2',
      kind: 'agent',
      priority: 'normal',
    });
    expect(await desk.run('telegram:1:3')).toMatchObject({ state: 'succeeded', result: '12 fish.' });
    expect(told(2).slice(1, 4)).toEqual(['user: "hi"', 'assistant: "Hello."', 'user: "How many fish?"']);
    expect(told(2).slice(4).map((message) => message.split(':')[0])).toEqual(['assistant', 'tool', 'assistant', 'tool']); // prettier-ignore
    expect(told(2).at(-1)).toContain('You are in the background now.');
  });

  it('that has worked for long and has said nothing yet goes on as a job, which asks the model again', async () => {
    letTimeBePassed();
    const runtime = await runtimeWith([{ hang: true }, { say: ['12 fish.'] }], { promoteAfterMs });
    const turn = runTurn(runtime, turnOf('How many\n fish?'));
    await eventually('the model is asked', () => desk.provider.requests.length === 1);
    jest.advanceTimersByTime(promoteAfterMs);
    const { events } = await turn;
    expect(promotedIn(events)).toMatchObject({ answer: expect.stringContaining('**job 1**, How many fish?.') });
    expect(await job()).toMatchObject({ priority: 'high' });
    expect(await desk.run('telegram:1:3')).toMatchObject({ state: 'succeeded', result: '12 fish.' });
  });

  it('whose answer can be seen already is not cut short', async () => {
    letTimeBePassed();
    const runtime = await runtimeWith([{ say: ['There are'], then: 'hang' }], { promoteAfterMs, idleMs: 100 });
    const { events, error } = await runTurn(runtime, turnOf('How many fish?'), {
      onEvent: ({ type }) => type === 'text' && jest.advanceTimersByTime(promoteAfterMs),
    });
    expect(promotedIn(events)).toBeUndefined();
    expect(outcomeOf(error)).toMatchObject({ kind: 'retry' });
    expect(await job()).toBeUndefined();
  });

  it('that takes more steps than a turn has goes on as a job', async () => {
    const runtime = await runtimeWith([time, time, time, { say: ['Noon.'] }], { steps: 3 });
    const { events } = await runTurn(runtime, turnOf('What time is it?'));
    expect(promotedIn(events)).toBeDefined();
    expect(await desk.run('telegram:1:3')).toMatchObject({ state: 'succeeded', result: 'Noon.' });
  });

  it('that runs again after it became a job says so again, without asking the model, and starts nothing', async () => {
    const runtime = await runtimeWith([startJob]);
    const first = await runTurn(runtime, turnOf('How many fish?'));
    const again = await runTurn(runtime, turnOf('How many fish?', { resumed: true, attempt: 2 }));
    expect(promotedIn(again.events)).toMatchObject({ answer: (promotedIn(first.events) as { answer: string }).answer });
    expect(desk.provider.requests).toHaveLength(1);
    expect((await desk.jobs.list({ tenantId: alice })).items).toHaveLength(1);
  });

  it('that runs again without having become one is a turn like any other', async () => {
    const runtime = await runtimeWith([{ say: ['12.'] }]);
    expect((await runTurn(runtime, turnOf('How many fish?', { resumed: true }))).text).toBe('12.');
  });

  it('that nobody waits for is not offered to go on as one', async () => {
    const offered = async (turn: Partial<AgentTurn>) => {
      const runtime = await runtimeWith([{ say: ['12.'] }]);
      await runTurn(runtime, turnOf('How many fish?', turn));
      const names = desk.provider.requests[0]!.tools?.map((tool) => tool.function.name);
      await desk.close();
      return names;
    };
    expect(await offered({})).toContain('start_job');
    expect(await offered({ mayBeSilent: true })).not.toContain('start_job');
    await runtimeWith([]);
  });

  it('that is stopped in this moment ends the job, which tells nobody', async () => {
    const runtime = await runtimeWith([startJob]);
    const { events } = await runTurn(runtime, turnOf('How many fish?'));
    await (promotedIn(events) as { cancel: () => Promise<void> }).cancel();
    expect(await job()).toMatchObject({ state: 'cancelled', quiet: true });
    expect(desk.heard.ends).toEqual([]);
    await expect(desk.jobs.tell(alice, 'telegram:1:3' as JobId, 'x').catch(codeOf)).resolves.toBe('conflict');
  });

  it('keeps of a long conversation what fits', async () => {
    const runtime = await runtimeWith([startJob]);
    const history = Array.from({ length: 100 }, (_, n) => said(n % 2 ? 'assistant' : 'user', `${n} ${'fish '.repeat(400)}`));
    await runTurn(runtime, turnOf('How many fish?', { history }));
    const input = (await job())!.input as { history: { text: string }[] };
    expect(input.history.length).toBeLessThan(40);
    expect(input.history.at(-1)!.text).toMatch(/^99 /);
  });
});
