import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isTerminal } from '@rockpool/contracts';
import { Models, type ModelsConfig } from '@rockpool/models';
import { ModelSimulator } from '@rockpool/testkit';
import { BuiltinRuntime } from './builtin-runtime.js';
import { runTurn, turnOf } from './testing/turns.js';
import { currentTime } from './tools/current-time.js';

const simulator = new ModelSimulator({ apiKey: 'right-key' });
let config: ModelsConfig;

beforeAll(async () => {
  await simulator.start();
  simulator
    .when('time')
    .reply(
      { text: 'Let me look.', toolCalls: [{ name: 'current_time', arguments: { timeZone: 'Asia/Tokyo' } }] },
      { text: 'It is late in Tokyo.' },
    );
  simulator
    .when('overloaded')
    .reply({ fail: { status: 529 } })
    .times(1);
  simulator.when('drop').reply({ text: 'one two three four', fail: 'drop', failAfterTokens: 2 });
  config = {
    anthropicBaseUrl: `${simulator.url}/v1`,
    geminiBaseUrl: `${simulator.url}/v1beta`,
    openaiBaseUrl: `${simulator.url}/v1`,
    anthropicApiKey: 'right-key',
    geminiApiKey: 'right-key',
    openaiApiKey: 'right-key',
  };
});
afterAll(() => simulator.close());

function runtimeFor(model: string, keys = {}): BuiltinRuntime {
  const profiles = { get: async () => ({ tenantName: 'Alice', settings: { model, instructions: 'Be brief.' }, keys }) };
  return new BuiltinRuntime(profiles, new Models(config), [currentTime], { backoffMs: 1 });
}

describe.each(['anthropic/claude-haiku-5-5', 'google/gemini-3.8-flash', 'openai/gpt-6-luna', 'openai-compatible/local'])(
  'over %s',
  (model) => {
    it('a turn streams, uses tools and reports what it used', async () => {
      const { text, events, error } = await runTurn(runtimeFor(model), turnOf('what time is it?'));
      expect(error).toBeUndefined();
      expect(text).toBe('Let me look.\n\nIt is late in Tokyo.');
      expect(simulator.requests.at(-1)!.toolResults[0]).toContain('Asia/Tokyo');
      expect(events.at(-1)).toMatchObject({
        type: 'usage',
        usage: { model, inputTokens: expect.any(Number), outputTokens: expect.any(Number) },
      });
    });

    it('a drop in the middle makes the turn come back later', async () => {
      expect((await runTurn(runtimeFor(model), turnOf('drop it'))).error).toMatchObject({ code: 'unavailable' });
    });

    it('a wrong key of the tenant is an operator’s matter', async () => {
      const provider = model.split('/')[0]!;
      const { error } = await runTurn(runtimeFor(model, { [provider]: 'wrong-key' }), turnOf('hi'));
      expect([isTerminal(error), (error as Error).message]).toEqual([true, expect.stringContaining('does not accept the key')]);
    });
  },
);

it('an overloaded provider is asked again', async () => {
  expect((await runTurn(runtimeFor('anthropic/claude-haiku-5-5'), turnOf('overloaded?'))).text).toBe('You said: overloaded?');
});
