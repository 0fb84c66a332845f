import { afterEach, describe, expect, it } from '@jest/globals';
import type { TranscriptMessage } from '@rockpool/conversations';
import { Models } from '@rockpool/models';
import { BuiltinRuntime } from './builtin-runtime.js';
import { LoopbackProvider, type Reply } from './testing/loopback-provider.js';
import { runTurn, said, turnOf } from './testing/turns.js';
import { currentTime } from './tools/current-time.js';

let provider: LoopbackProvider;
afterEach(() => provider.stop());

const toolCall: Reply = { call: [{ name: 'current_time', input: {} }] };

/** Runs a turn whose person says these, one batch each time the runtime asks; resolves with its text and how often it asked. */
async function runWith(replies: Reply[], ...batches: (readonly TranscriptMessage[])[]) {
  provider = await LoopbackProvider.start(...replies);
  const profile = { tenantName: 'Alice', settings: { model: 'auto', instructions: 'Be brief.' }, keys: {} };
  const runtime = new BuiltinRuntime({ get: async () => profile }, new Models({ openaiBaseUrl: provider.url }), [currentTime]);
  let asked = 0;
  const { text, error } = await runTurn(runtime, turnOf('what time is it?', { interjections: async () => batches[asked++] ?? [] }));
  expect(error).toBeUndefined();
  return { text, asked };
}

describe('what a person writes while the agent works', () => {
  it('is shown to the model in the step after it was written, behind the results of the tools', async () => {
    const { text, asked } = await runWith(
      [toolCall, { say: ['It is noon in Tokyo.'] }],
      [said('user', 'in Tokyo, I mean'), said('user', 'please')],
    );
    expect(text).toBe('It is noon in Tokyo.');
    expect(asked).toBe(1);
    const [result, interjection] = provider.requests[1]!.messages.slice(-2);
    expect(result).toMatchObject({ role: 'tool' });
    expect(interjection).toMatchObject({
      role: 'user',
      content: expect.stringMatching(/while you were working.*in Tokyo, I mean\n\nplease$/s),
    });
  });

  it('stays in view in every later step', async () => {
    await runWith([toolCall, toolCall, { say: ['Done.'] }], [said('user', 'in Tokyo')], [said('user', 'and in Rome')]);
    const shown = JSON.stringify(provider.requests[2]!.messages);
    expect(shown.indexOf('in Tokyo')).toBeGreaterThan(0);
    expect(shown.indexOf('and in Rome')).toBeGreaterThan(shown.indexOf('in Tokyo'));
  });

  it('is not asked for when no other step follows: it gets a turn of its own', async () => {
    expect((await runWith([{ say: ['Noon.'] }], [said('user', 'in Tokyo')])).asked).toBe(0);
  });

  it('is cut when it is longer than its share of the window', async () => {
    await runWith([toolCall, { say: ['Much.'] }], [said('user', 'word '.repeat(50_000))]);
    expect(String(provider.requests[1]!.messages.at(-1)!.content).length).toBeLessThan(50_000);
  });
});
