import { afterEach, describe, expect, it } from '@jest/globals';
import { OutcomeUnknown, TerminalError, type JobId } from '@rockpool/contracts';
import { z } from 'zod';
import { alice, JobDesk } from './testing/job-desk.js';
import type { Reply } from './testing/loopback-provider.js';
import { said } from './testing/turns.js';
import { defineTool, type AgentTool, type ToolContext } from './tool.js';

let desk: JobDesk;
afterEach(() => desk.close());

const calls: ToolContext[] = [];
const lookUp = (does: () => Promise<string> = async () => '12 fish', repeat: AgentTool['repeat'] = 'safe') => {
  calls.length = 0;
  return defineTool({
    name: 'look_up',
    description: 'Looks something up.',
    repeat,
    input: z.object({ what: z.string() }),
    run: (_, context) => (calls.push(context), does()),
  });
};
const call = (name: string, input: unknown): Reply => ({ call: [{ name, input }] });
const look = call('look_up', { what: 'fish' });
const names = async (id?: string) => (await desk.steps(id)).map(({ name, state }) => `${name} ${state}`);
/** What the model was told in its call with this number, from 0. */
const told = (n: number) => desk.provider.requests[n]!.messages.map(({ role, content }) => `${role}: ${JSON.stringify(content)}`);

describe('an agent’s job', () => {
  it('thinks and calls tools, each a step, until it has its result', async () => {
    desk = await JobDesk.open([look, { say: ['There are ', '12 fish.'] }], [lookUp()]);
    await desk.start('How many fish?');
    expect(await desk.run()).toMatchObject({ state: 'succeeded', result: 'There are 12 fish.', spent: { tokens: 30, steps: 3 } });
    expect(await names()).toEqual(['think succeeded', 'look_up succeeded', 'think succeeded']);
    expect(told(1).at(-1)).toContain('12 fish');
    expect(calls[0]).toMatchObject({ tenantId: 'alice', senderId: '12345', idempotencyKey: 'alice/j1#2' });
    expect(desk.heard.ends).toHaveLength(1);
  });

  it('knows that it is a job, what was said before, and what its turn had begun', async () => {
    desk = await JobDesk.open([{ say: ['ok'] }]);
    await desk.start('And the crabs?', {
      given: {
        history: [said('user', 'How many fish?'), said('assistant', '12.')],
        begun: [{ role: 'assistant', content: [{ type: 'text', text: 'Let me count.' }] }],
      },
    });
    await desk.run();
    expect(told(0)[0]).toMatch(/Be helpful\.[^]*working on job 1, “a task”, in the background/);
    expect(told(0).slice(1)).toEqual([
      'user: "How many fish?"',
      'assistant: "12."',
      'user: "And the crabs?"',
      'assistant: "Let me count."',
    ]);
  });

  it('that was given back in the middle of a tool repeats that step, and no other', async () => {
    desk = await JobDesk.open([look, { say: ['12.'] }], [lookUp(async () => (ending.abort(), '12 fish'))]);
    const ending = new AbortController();
    await desk.start('How many fish?');
    await desk.slice(ending.signal);
    expect(await names()).toEqual(['think succeeded', 'look_up retrying']);
    expect(await desk.run()).toMatchObject({ state: 'succeeded', result: '12.' });
    expect(new Set(calls.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
    expect([calls.length, desk.provider.requests.length]).toEqual([2, 2]);
  });

  it('shows the model what was wrong with a call, and tries again what may pass', async () => {
    const faults = [new TerminalError('there is no such pond'), new Error('the pond is frozen')];
    desk = await JobDesk.open([look, look, { say: ['12.'] }], [lookUp(async () => { const fault = faults.shift(); if (fault) throw fault; return '12 fish'; })]); // prettier-ignore
    await desk.start('How many fish?');
    expect(await desk.run()).toMatchObject({ state: 'succeeded' });
    expect(told(1).at(-1)).toContain('there is no such pond');
    expect((await desk.steps()).map(({ name, attempts }) => [name, attempts])).toEqual([
      ['think', 1],
      ['look_up', 1],
      ['think', 1],
      ['look_up', 2],
      ['think', 1],
    ]);
  });

  it('tells the model of tools that do not exist, that it may not use, and that it calls by the names of steps', async () => {
    desk = await JobDesk.open(
      [{ call: ['look_up', 'think', 'nonsense'].map((name) => ({ name, input: {} })) }, { say: ['Then not.'] }],
      [lookUp()],
    );
    await desk.start('How many fish?', { given: { tools: [] } });
    expect(await desk.run()).toMatchObject({ state: 'succeeded', result: 'Then not.' });
    expect(calls).toHaveLength(0);
    expect(told(1).join()).toMatch(/may not use that tool[^]*may not use that tool[^]*may not use that tool/);
    expect(desk.provider.requests[0]!.tools?.map((tool) => tool.function.name)).not.toContain('look_up');
  });

  it('asks a person what became of a tool that must not be done twice, and goes on as told', async () => {
    desk = await JobDesk.open([look, { say: ['Paid.'] }], [lookUp(() => Promise.reject(new OutcomeUnknown('no answer')), 'ask')]);
    await desk.start('Pay the bill.');
    expect(await desk.run()).toMatchObject({ state: 'waiting', waiting: { for: 'decision' } });
    expect(desk.heard.questions).toEqual([expect.stringContaining('look_up) may or may not have been done: no answer')]);
    await desk.jobs.decide(alice, 'j1' as JobId, { kind: 'done' });
    expect(await desk.run()).toMatchObject({ state: 'succeeded', result: 'Paid.' });
    expect(calls).toHaveLength(1);
    expect(told(1).at(-1)).toContain('It was done.');
  });

  it('ends when the model cannot be had at all, and goes on when it is tried again', async () => {
    desk = await JobDesk.open([{ status: 401 }, { say: ['12.'] }]);
    await desk.start('How many fish?');
    expect(await desk.run()).toMatchObject({ state: 'failed', reason: expect.stringContaining('model') });
    expect((await desk.steps())[0]!.error!.message).toContain('does not accept the key');
    await desk.jobs.retry(alice, 'j1' as JobId);
    expect(await desk.run()).toMatchObject({ state: 'succeeded', result: '12.' });
  });

  it('is brought to an end with words while its budget lasts', async () => {
    desk = await JobDesk.open([look, look, { say: ['That is what I found.'] }], [lookUp()]);
    await desk.start('How many fish?', { budget: { steps: 5 } });
    expect(await desk.run()).toMatchObject({ state: 'succeeded', result: 'That is what I found.' });
    expect(desk.provider.requests.map(({ tool_choice }) => tool_choice)).toEqual(['auto', 'auto', 'none']);
  });

  it('sums up what it has done when that becomes too long, and goes on from there', async () => {
    const long = lookUp(async () => 'fish '.repeat(1_000));
    const many: Reply = { call: Array.from({ length: 8 }, () => ({ name: 'look_up', input: { what: 'fish' } })) };
    desk = await JobDesk.open(
      [many, many, { say: ['Counted 8 times.'] }, { say: ['Counted 16 times: fish.'] }, { say: ['Fish.'] }],
      [long],
    );
    await desk.start('How many fish?');
    expect(await desk.run()).toMatchObject({ state: 'succeeded', result: 'Fish.' });
    expect((await names()).filter((name) => !name.startsWith('look_up'))).toEqual([
      'think succeeded',
      'think succeeded',
      'summarise succeeded',
      'think succeeded',
    ]);
    expect(told(4)).toHaveLength(3);
    expect(told(4).at(-1)).toContain('Counted 16 times: fish.');
    expect(told(4)[1]).toContain('How many fish?');
  });

  it('sums up what its turn had begun once, and not again with every round', async () => {
    const summary: Reply = { say: ['A long story about fish.'] };
    desk = await JobDesk.open([look, summary, look, { say: ['Fish.'] }], [lookUp()]);
    const begun = [{ role: 'assistant', content: [{ type: 'text', text: 'fish '.repeat(16_000) }] }];
    await desk.start('How many fish?', { given: { begun } });
    expect(await desk.run()).toMatchObject({ state: 'succeeded', result: 'Fish.' });
    expect(await names()).toEqual(['think', 'look_up', 'summarise', 'think', 'look_up', 'think'].map((name) => `${name} succeeded`));
  });
});

describe('an agent steers its job', () => {
  it('waits, and nothing runs meanwhile', async () => {
    desk = await JobDesk.open([call('wait', { minutes: 60 }), { say: ['An hour later.'] }]);
    await desk.start('Wait an hour.');
    await desk.slice();
    const { dueAt, state, createdAt } = await desk.jobs.get(alice, 'j1' as JobId);
    expect([state, Math.round((dueAt - createdAt) / 60_000)]).toEqual(['waiting', 60]);
    expect(await desk.run()).toMatchObject({ state: 'succeeded', result: 'An hour later.' });
  });

  it('shows how far it is in its own words', async () => {
    desk = await JobDesk.open([call('report_progress', { text: 'half of the pond', percent: 50 }), { say: ['Done.'] }]);
    await desk.start('Count.');
    expect(await desk.run()).toMatchObject({ progress: { text: 'half of the pond', fraction: 0.5 } });
  });

  it('asks the person and goes on with the answer, or without when none comes', async () => {
    const ask = call('ask_person', { question: 'Which pond?' });
    desk = await JobDesk.open([ask, ask, { say: ['The large one has 12.'] }]);
    await desk.start('Count.', { allowedMs: 30 * 86_400_000 });
    await desk.run();
    expect(desk.heard.questions).toEqual(['Which pond?']);
    await desk.jobs.tell(alice, 'j1' as JobId, 'the large one');
    await desk.run();
    expect(told(1).at(-1)).toContain('The person answered: the large one');
    while (await desk.slice());
    expect(told(2).at(-1)).toContain('Nobody answered in time.');
    expect(await desk.run()).toMatchObject({ state: 'succeeded' });
  });

  it('gives up with a reason', async () => {
    desk = await JobDesk.open([call('give_up', { reason: 'the pond is gone' })]);
    await desk.start('Count.');
    expect(await desk.run()).toMatchObject({ state: 'failed', reason: 'the pond is gone' });
  });

  it('is told what is wrong with an instruction, and no step is made of it', async () => {
    const circle = { builders: [{ key: 'a', title: 'A', instructions: 'x', after: ['a'] }] };
    desk = await JobDesk.open([call('delegate', circle), call('wait', { minutes: -1 }), { say: ['Then alone.'] }]);
    await desk.start('Count.');
    expect(await desk.run()).toMatchObject({ state: 'succeeded', result: 'Then alone.' });
    expect(await names()).toEqual(['think succeeded', 'think succeeded', 'think succeeded']);
    expect(told(1).at(-1)).toContain('waits for itself');
    expect(told(2).at(-1)).toContain('does not fit');
  });
});

describe('a manager', () => {
  const delegate = (more: object = {}) =>
    call('delegate', {
      builders: [
        { key: 'fish', title: 'Fish', instructions: 'Count the fish.', model: 'small', maxTokens: 50_000, ...more },
        { key: 'sum', title: 'Sum', instructions: 'Add up.', after: ['fish'] },
      ],
    });

  it('delegates to builders that see their instructions and what they need, and answers with their results', async () => {
    desk = await JobDesk.open([delegate(), { say: ['12 fish'] }, { say: ['12 in all'] }, { say: ['There are 12.'] }]);
    await desk.start('How many?', { budget: { tokens: 1_000_000, steps: 50 } });
    expect(await desk.run()).toMatchObject({ state: 'succeeded', result: 'There are 12.', spent: { tokens: 60 } });
    expect(told(1).slice(1)).toEqual(['user: "Count the fish."']);
    expect(told(1)[0]).toContain('part of a larger job');
    expect(told(2)[0]).toMatch(/<result-of key=\\"fish\\">\\n12 fish/);
    expect(told(3).at(-1)).toMatch(/fish: done[^]*12 fish[^]*sum: done[^]*12 in all/);
    const builders = await desk.jobs.builders(alice, 'j1' as JobId);
    expect(builders.map(({ label, state, budget }) => [label, state, budget.tokens])).toEqual([
      ['1/fish', 'succeeded', 50_000],
      ['1/sum', 'succeeded', expect.any(Number)],
    ]);
    expect(desk.heard.ends.map(({ label }) => label)).toEqual(['1']);
  });

  it('has one that failed tried again with a larger model, hears of what failed for good, and may do it anew', async () => {
    const fails = call('give_up', { reason: 'too deep' });
    desk = await JobDesk.open([
      delegate({ onFailure: 'larger_model' }),
      fails,
      fails,
      call('delegate', { builders: [{ key: 'shallow', title: 'Shallow', instructions: 'Count the shallow ones.' }] }),
      { say: ['3 shallow fish'] },
      { say: ['At least 3.'] },
    ]);
    await desk.start('How many?');
    expect(await desk.run()).toMatchObject({ state: 'succeeded', result: 'At least 3.' });
    expect(told(3).at(-1)).toMatch(/fish: failed after 2 tries[^]*too deep[^]*sum: cancelled[^]*it needs fish, which failed/);
    const sizes = (await desk.jobs.builders(alice, 'j1' as JobId)).filter(({ parent }) => parent!.key === 'fish').map(({ input }) => (input as { size?: string }).size); // prettier-ignore
    expect(sizes).toEqual(['small', 'medium']);
  });
});
