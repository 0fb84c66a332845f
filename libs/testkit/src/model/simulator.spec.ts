import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '../wire/clock.js';
import { ModelSimulator } from './simulator.js';

describe('the model', () => {
  let clock: ManualClock;
  let model: ModelSimulator;
  beforeEach(async () => {
    clock = new ManualClock();
    model = new ModelSimulator({ clock });
    await model.start();
  });
  afterEach(() => model.close());

  const post = (path: string, body: object, headers: Record<string, string> = {}, signal?: AbortSignal) =>
    fetch(`${model.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      signal,
    });
  const user = (content: string) => ({ role: 'user', content });
  const chat = (messages: object[], more: object = {}) => post('/v1/chat/completions', { model: 'm', messages, ...more });
  const json = async (response: Response) => JSON.parse(await response.text());
  const events = (text: string) =>
    text
      .split('\n\n')
      .map((block) => block.replace(/^event: .*\n/, '').slice('data: '.length))
      .filter((data) => data.startsWith('{'))
      .map((data) => JSON.parse(data));

  it('repeats the last user message, and counts tokens', async () => {
    const answer = await json(
      await chat([{ role: 'system', content: 'Be brief.' }, user('one'), { role: 'assistant', content: 'x' }, user('two')]),
    );
    expect(answer).toMatchObject({
      object: 'chat.completion',
      model: 'm',
      choices: [{ message: { role: 'assistant', content: 'You said: two' }, finish_reason: 'stop' }],
      usage: { completion_tokens: 4 },
    });
  });

  it('streams word by word, with usage at the end when asked for', async () => {
    const text = await (await chat([user('hello there')], { stream: true, stream_options: { include_usage: true } })).text();
    const chunks = events(text);
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content).filter(Boolean)).toEqual(['You', ' said:', ' hello', ' there']);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 6, total_tokens: 9 } });
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  it('leaves usage out of a stream that did not ask for it', async () => {
    const chunks = events(await (await chat([user('hi')], { stream: true })).text());
    expect(chunks.every((chunk) => chunk.usage === undefined)).toBe(true);
  });

  it('calls tools and goes on with their results', async () => {
    model
      .when('weather')
      .reply({ toolCalls: [{ name: 'weather', arguments: { city: 'Delft' } }] }, { text: (request) => `It is ${request.toolResults}` });
    const first = await json(await chat([user('the weather?')]));
    const [call] = first.choices[0].message.tool_calls;
    expect([call.function, first.choices[0].finish_reason]).toEqual([{ name: 'weather', arguments: '{"city":"Delft"}' }, 'tool_calls']);
    const exchange = [user('the weather?'), first.choices[0].message, { role: 'tool', tool_call_id: call.id, content: 'fine' }];
    expect((await json(await chat(exchange))).choices[0].message.content).toBe('It is fine');
  });

  it('speaks Anthropic, whole and streamed', async () => {
    const body = { model: 'claude', max_tokens: 9, system: 'Be brief.', messages: [user('hello')] };
    expect(await json(await post('/v1/messages', body))).toMatchObject({
      type: 'message',
      content: [{ type: 'text', text: 'You said: hello' }],
      stop_reason: 'end_turn',
    });
    const types = events(await (await post('/v1/messages', { ...body, stream: true })).text()).map(({ type }) => type);
    expect([types[0], types[1], types[2], types.at(-2), types.at(-1)]).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'message_delta',
      'message_stop',
    ]);
  });

  it('speaks Gemini, whole and streamed', async () => {
    const body = { contents: [{ role: 'user', parts: [{ text: 'hello' }] }] };
    const whole = await json(await post('/v1beta/models/gemini-x:generateContent', body));
    expect(whole.candidates[0]).toMatchObject({ content: { parts: [{ text: 'You said: hello' }] }, finishReason: 'STOP' });
    const chunks = events(await (await post('/v1beta/models/gemini-x:streamGenerateContent?alt=sse', body)).text());
    expect(chunks.map((chunk) => chunk.candidates[0].content.parts[0]?.text ?? '').join('')).toBe('You said: hello');
  });

  it('speaks the Responses API, whole and streamed', async () => {
    const body = { model: 'm', input: [{ role: 'user', content: [{ type: 'input_text', text: 'hello' }] }] };
    expect((await json(await post('/v1/responses', body))).output[0].content[0].text).toBe('You said: hello');
    const streamed = events(await (await post('/v1/responses', { ...body, stream: true })).text());
    expect([streamed[0].type, streamed.at(-1).type]).toEqual(['response.created', 'response.completed']);
  });

  it('lists its models', async () => {
    expect(await json(await fetch(`${model.url}/v1/models`))).toMatchObject({ object: 'list', data: [{ id: 'simulated' }] });
  });

  it('waits before the first token and between tokens', async () => {
    model.when('slow').reply({ text: 'a b', firstTokenMs: 5000, betweenTokensMs: 100 });
    const answer = chat([user('slow')], { stream: true }).then((response) => response.text());
    for (const wait of [5000, 100]) {
      expect(await clock.nextSleep()).toBe(wait);
      clock.advance(wait);
    }
    expect(events(await answer)).toHaveLength(4);
  });

  it('says nothing before what it is to wait for has come', async () => {
    const held = Promise.withResolvers<void>();
    model.when('held').reply({ text: 'at last', after: held.promise });
    let answered = false;
    const answer = chat([user('held')]).then(json);
    void answer.then(() => (answered = true));
    await chat([user('another')]);
    expect([model.requests.length, answered]).toEqual([2, false]);
    held.resolve();
    expect(await answer).toMatchObject({ choices: [{ message: { content: 'at last' } }] });
  });

  it('has noted what a process asked for that has ended meanwhile, once it has caught up', async () => {
    const body = JSON.stringify({ model: 'm', messages: [user('asked by the dead')] });
    const head = ['POST /v1/chat/completions HTTP/1.1', 'host: model', 'content-type: application/json', `content-length: ${body.length}`];
    const asksAndDies = `
      let left = 50;
      const asked = () => --left === 0 && process.kill(process.pid, 'SIGKILL');
      for (let n = 0; n < 50; n++) {
        const socket = require('node:net').connect(${new URL(model.url).port}, '127.0.0.1', () => socket.write(process.argv[1], asked));
      }`;
    // Nothing is accepted while this process waits for that one.
    expect(spawnSync(process.execPath, ['-e', asksAndDies, [...head, '', body].join('\r\n')]).signal).toBe('SIGKILL');
    expect(model.requests).toHaveLength(0);
    await model.caughtUp();
    expect(model.requests.map(({ lastUserText }) => lastUserText)).toEqual(Array(50).fill('asked by the dead'));
  });

  it.each([429, 500, 529])('fails with %i as often as told, in the words of the API', async (status) => {
    model
      .when('x')
      .reply({ fail: { status, retryAfterSeconds: 3 } })
      .times(1);
    const failed = await post('/v1/messages', { model: 'c', messages: [user('x')] });
    expect([failed.status, failed.headers.get('retry-after'), (await json(failed)).type]).toEqual([status, '3', 'error']);
    expect((await post('/v1/messages', { model: 'c', messages: [user('x')] })).status).toBe(200);
  });

  it('drops the connection in the middle of a stream', async () => {
    model.when('x').reply({ text: 'one two three', fail: 'drop', failAfterTokens: 2 });
    const response = await chat([user('x')], { stream: true });
    await expect(response.text()).rejects.toThrow();
    expect(model.requests[0]?.outcome).toBe('failed');
  });

  it('hangs until the caller gives up', async () => {
    model.when('x').reply({ fail: 'hang' });
    const caller = new AbortController();
    const hanging = post('/v1/chat/completions', { model: 'm', messages: [user('x')] }, {}, caller.signal);
    caller.abort();
    await expect(hanging).rejects.toThrow();
  });

  it('counts requests for each conversation', async () => {
    await chat([user('a')], { user: 'alice' });
    await chat([user('b')], { user: 'alice' });
    await chat([user('c')]);
    expect([...model.callsByConversation()]).toEqual([
      ['alice', 2],
      ['c', 1],
    ]);
    expect(model.count(({ lastUserText }) => lastUserText === 'b')).toBe(1);
  });

  it('asks for its key when it has one, and refuses nonsense', async () => {
    const locked = new ModelSimulator({ apiKey: 'k' });
    const url = await locked.start();
    const ask = (headers: Record<string, string>) =>
      fetch(`${url}/v1/messages`, { method: 'POST', headers, body: JSON.stringify({ messages: [user('x')] }) });
    expect([(await ask({})).status, (await ask({ 'x-api-key': 'k' })).status, (await ask({ authorization: 'Bearer k' })).status]).toEqual([
      401, 200, 200,
    ]);
    await locked.close();
    expect((await chat([])).status).toBe(400);
    expect((await fetch(`${model.url}/v1/chat/completions`, { method: 'POST', body: 'nonsense' })).status).toBe(400);
    expect((await post('/v1/sing', {})).status).toBe(404);
  });
});
