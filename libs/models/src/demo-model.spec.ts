import type { LanguageModelV4CallOptions, LanguageModelV4Prompt, LanguageModelV4StreamPart } from '@ai-sdk/provider';
import { describe, expect, it } from '@jest/globals';
import { demoIntent } from './demo-intent.js';
import { DemoModel } from './demo-model.js';

const tools = new Set(['remember', 'recall', 'current_time', 'fetch_url']);
const offered = [...tools].map((name) => ({ type: 'function' as const, name, inputSchema: { type: 'object' as const } }));
const user = (text: string): LanguageModelV4Prompt[number] => ({ role: 'user', content: [{ type: 'text', text }] });

async function streamed(options: LanguageModelV4CallOptions): Promise<LanguageModelV4StreamPart[]> {
  const parts: LanguageModelV4StreamPart[] = [];
  for await (const part of (await new DemoModel().doStream(options)).stream) parts.push(part);
  return parts;
}

describe('the demo model understands', () => {
  it.each([
    ['remember that the key is with Anna', 'remember', { text: 'the key is with Anna' }],
    ['Please remember: tea at four', 'remember', { text: 'tea at four' }],
    ['What do you remember about the key?', 'recall', { query: 'the key' }],
    ['what do you remember?', 'recall', { query: '' }],
    ['recall tea', 'recall', { query: 'tea' }],
    ['what time is it?', 'current_time', {}],
    ['what time is it in New York?', 'current_time', { timeZone: 'America/New_York' }],
    ['what time is it in Atlantis?', 'current_time', {}],
    ['fetch https://example.com/a?b=c', 'fetch_url', { url: 'https://example.com/a?b=c' }],
    ['Anna: what time is it?', 'current_time', {}],
  ])('“%s”', (message, tool, input) => expect(demoIntent(message, tools)).toEqual({ tool, input }));

  it.each([
    ['how many words: one two three', 'That is 3 words.'],
    ['how many words are in: it’s one', 'That is 2 words.'],
    ['echo  hello there', 'hello there'],
    ['What is love?', 'You said: What is love?\n\nThat is 3 words.'],
    ['', 'You sent no text.'],
  ])('“%s”', (message, answer) => expect(demoIntent(message, tools)).toEqual({ answer }));

  it('no wish for a tool that is not offered', () => {
    expect(demoIntent('what time is it?', new Set())).toEqual({ answer: 'You said: what time is it?\n\nThat is 4 words.' });
  });
});

describe('the demo model', () => {
  it('gives the same answer to the same question, in several pieces', async () => {
    const options = { prompt: [user('hello')] };
    const [one, other] = await Promise.all([streamed(options), streamed(options)]);
    expect(one).toEqual(other);
    expect(one.filter((part) => part.type === 'text-delta').length).toBeGreaterThan(3);
    expect(one.at(-1)).toMatchObject({
      type: 'finish',
      finishReason: { unified: 'stop' },
      usage: { outputTokens: { total: expect.any(Number) } },
    });
  });

  it('streams what it would answer whole', async () => {
    const options = { prompt: [user('one  two\n three')] };
    const text = (await streamed(options)).map((part) => (part.type === 'text-delta' ? part.delta : '')).join('');
    expect((await new DemoModel().doGenerate(options)).content).toEqual([{ type: 'text', text }]);
  });

  it('calls a tool, and shows its result or its failure', async () => {
    const question = [user('what time is it?')];
    const [call] = (await streamed({ prompt: question, tools: offered })).filter((part) => part.type === 'tool-call');
    expect(call).toMatchObject({ toolName: 'current_time', input: '{}' });
    const answerTo = async (output: { type: 'text' | 'error-text'; value: string }) =>
      (
        await new DemoModel().doGenerate({
          tools: offered,
          prompt: [...question, { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'x', toolName: 'current_time', output }] }],
        })
      ).content[0];
    expect(await answerTo({ type: 'text', value: 'noon' })).toMatchObject({ text: expect.stringMatching(/^\[demo model\] noon/) });
    expect(await answerTo({ type: 'error-text', value: 'no clock' })).toMatchObject({
      text: expect.stringContaining('The tool current_time failed: no clock'),
    });
  });

  it('labels every answer, and explains itself once a conversation', async () => {
    const first = await new DemoModel().doGenerate({ prompt: [user('hi')] });
    expect(first.content[0]).toMatchObject({ text: expect.stringMatching(/^\[demo model\] [^]*OPENAI_API_KEY/) });
    const earlier: LanguageModelV4Prompt = [user('hi'), { role: 'assistant', content: [{ type: 'text', text: '[demo model] Hello!' }] }];
    const later = await new DemoModel().doGenerate({ prompt: [...earlier, user('echo ok')] });
    expect(later.content).toEqual([{ type: 'text', text: '[demo model] ok' }]);
  });

  it('stops when it is aborted', async () => {
    const stop = new AbortController();
    const { stream } = await new DemoModel().doStream({ prompt: [user('hello')], abortSignal: stop.signal });
    const reader = stream.getReader();
    await reader.read();
    stop.abort(new Error('stopped'));
    await expect((async () => { while (!(await reader.read()).done); })()).rejects.toThrow('stopped'); // prettier-ignore
  });
});
