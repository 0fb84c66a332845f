import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4StreamPart } from '@ai-sdk/provider';
import { describe, expect, it } from '@jest/globals';
import { AnswerBrokeOff, streamModel, type ModelAnswer, type ModelDelta, type ModelPrompt } from './model-stream.js';

const never = new AbortController().signal;
const prompt: ModelPrompt = {
  system: 'Be brief.',
  messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
  tools: [],
  toolChoice: 'auto',
  maxOutputTokens: 100,
};
const finish: LanguageModelV4StreamPart = {
  type: 'finish',
  finishReason: { unified: 'stop', raw: 'stop' },
  usage: {
    inputTokens: { total: 7, noCache: 4, cacheRead: 3, cacheWrite: undefined },
    outputTokens: { total: 5, text: 5, reasoning: undefined },
  },
};

/** A provider that streams these parts, and notes what it was asked. */
class ScriptedModel implements LanguageModelV4 {
  readonly specificationVersion = 'v4';
  readonly provider = 'scripted';
  readonly modelId = 'scripted';
  readonly supportedUrls = {};
  readonly asked: LanguageModelV4CallOptions[] = [];

  constructor(private readonly parts: readonly LanguageModelV4StreamPart[] | 'hang') {}

  async doGenerate(): Promise<never> {
    throw new Error('not asked for');
  }

  async doStream(options: LanguageModelV4CallOptions) {
    this.asked.push(options);
    const { parts } = this;
    return parts === 'hang'
      ? new Promise<never>(() => {})
      : { stream: ReadableStream.from(parts) as ReadableStream<LanguageModelV4StreamPart> };
  }
}

async function read(parts: readonly LanguageModelV4StreamPart[]): Promise<{ deltas: ModelDelta[]; answer: ModelAnswer }> {
  const stream = streamModel(new ScriptedModel(parts), prompt, never);
  const deltas: ModelDelta[] = [];
  for (;;) {
    const next = await stream.next();
    if (next.done) return { deltas, answer: next.value };
    deltas.push(next.value);
  }
}

describe('a streamed answer', () => {
  it('gives thinking back to the provider as it came, signature included, and shows only text', async () => {
    const { deltas, answer } = await read([
      { type: 'reasoning-start', id: '0' },
      { type: 'reasoning-delta', id: '0', delta: 'Hm' },
      { type: 'reasoning-delta', id: '0', delta: '', providerMetadata: { anthropic: { signature: 'sig' } } },
      { type: 'reasoning-end', id: '0' },
      { type: 'text-start', id: '0' },
      { type: 'text-delta', id: '0', delta: 'Hel' },
      { type: 'text-delta', id: '0', delta: 'lo' },
      { type: 'text-end', id: '0' },
      {
        type: 'tool-call',
        toolCallId: 'c1',
        toolName: 'look',
        input: '{"at":"this"}',
        providerMetadata: { google: { thoughtSignature: 'x' } },
      },
      finish,
    ]);
    expect(deltas.filter(({ kind }) => kind === 'text').map(({ delta }) => delta)).toEqual(['Hel', 'lo']);
    expect(answer.message).toEqual({
      role: 'assistant',
      content: [
        { type: 'reasoning', text: 'Hm', providerOptions: { anthropic: { signature: 'sig' } } },
        { type: 'text', text: 'Hello' },
        {
          type: 'tool-call',
          toolCallId: 'c1',
          toolName: 'look',
          input: { at: 'this' },
          providerOptions: { google: { thoughtSignature: 'x' } },
        },
      ],
    });
    expect(answer).toMatchObject({ finishReason: 'stop', usage: { inputTokens: 7, outputTokens: 5, cacheReadTokens: 3 } });
  });

  it('keeps blocks apart that come at the same time', async () => {
    const { answer } = await read([
      { type: 'text-start', id: 'a' },
      { type: 'text-start', id: 'b' },
      { type: 'text-delta', id: 'a', delta: 'one' },
      { type: 'text-delta', id: 'b', delta: 'two' },
      { type: 'text-delta', id: 'a', delta: ' more' },
      finish,
    ]);
    expect(answer.message.content).toEqual([
      { type: 'text', text: 'one more' },
      { type: 'text', text: 'two' },
    ]);
  });

  it.each([
    ['{"a":', { invalid: true, input: undefined }, {}],
    ['', { invalid: false, input: {} }, {}],
    ['"text"', { invalid: false, input: 'text' }, {}],
    ['[1]', { invalid: false, input: [1] }, [1]],
  ])('with the tool input %j', async (input, call, shown) => {
    const { answer } = await read([{ type: 'tool-call', toolCallId: 'c', toolName: 't', input }, finish]);
    expect(answer.toolCalls).toEqual([{ id: 'c', name: 't', ...call }]);
    expect(answer.message.content).toEqual([{ type: 'tool-call', toolCallId: 'c', toolName: 't', input: shown }]);
  });

  it('that ends without saying so, or says that it was interrupted, broke off', async () => {
    await expect(read([{ type: 'text-start', id: '0' }])).rejects.toThrow(AnswerBrokeOff);
    await expect(read([{ ...finish, finishReason: { unified: 'interrupted', raw: undefined } }])).rejects.toThrow(AnswerBrokeOff);
  });

  it('throws the error that a provider sends in it', async () => {
    await expect(read([{ type: 'error', error: new Error('overloaded') }, finish])).rejects.toThrow('overloaded');
  });
});

describe('a call', () => {
  it('offers tools only when there are some', async () => {
    const model = new ScriptedModel([finish]);
    const tool = { name: 'look', description: 'Looks.', inputSchema: { type: 'object' as const } };
    for (const tools of [[], [tool]]) for await (const _delta of streamModel(model, { ...prompt, tools, toolChoice: 'none' }, never));
    expect(model.asked.map(({ tools, toolChoice }) => [tools, toolChoice])).toEqual([
      [undefined, undefined],
      [[{ type: 'function', ...tool }], { type: 'none' }],
    ]);
    expect(model.asked[0]).toMatchObject({ prompt: [{ role: 'system', content: 'Be brief.' }, { role: 'user' }], maxOutputTokens: 100 });
  });

  it('ends at once when it is aborted, even when the provider does not react', async () => {
    const stop = new AbortController();
    const next = streamModel(new ScriptedModel('hang'), prompt, stop.signal).next();
    stop.abort(new Error('stopped'));
    await expect(next).rejects.toThrow('stopped');
  });
});
