import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '../wire/clock.js';
import type { TelegramBot } from './bot.js';
import type { PersonChat } from './person.js';
import { TelegramSimulator } from './simulator.js';

describe('the Bot API', () => {
  const clock = new ManualClock();
  let telegram: TelegramSimulator;
  let bot: TelegramBot;
  let chat: PersonChat;

  beforeEach(async () => {
    telegram = new TelegramSimulator({ clock });
    await telegram.start();
    bot = telegram.bot({ token: '1000001:secret', username: 'helper_bot' });
    chat = telegram.person({ id: 12345, name: 'Alice' }).chat(bot);
  });
  afterEach(() => telegram.close());

  async function call(method: string, parameters: object = {}, token = '1000001:secret') {
    const response = await fetch(`${telegram.url}/bot${token}/${method}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(parameters),
    });
    return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
  }
  const send = (text: string, more: object = {}) => call('sendMessage', { chat_id: 12345, text, ...more });

  it('tells a bot who it is', async () => {
    const { body } = await call('getMe');
    expect(body).toMatchObject({ ok: true, result: { id: 1000001, is_bot: true, username: 'helper_bot' } });
  });

  it('refuses an unknown token, a malformed one, an unknown method and any other path', async () => {
    const unknown = { ok: false, error_code: 401, description: 'Unauthorized' };
    expect(await call('getMe', {}, '1000001:wrong')).toMatchObject({ status: 401, body: unknown });
    expect(await call('getMe', {}, 'nonsense')).toMatchObject({ status: 401 });
    expect(await call('flyToTheMoon')).toMatchObject({ status: 404, body: { description: 'Not Found: method not found' } });
    expect((await fetch(`${telegram.url}/elsewhere`)).status).toBe(404);
  });

  it('takes parameters from query, form and multipart as well', async () => {
    const path = `${telegram.url}/bot1000001:secret/sendMessage`;
    await fetch(`${path}?chat_id=12345&text=query`);
    await fetch(path, { method: 'POST', body: new URLSearchParams({ chat_id: '12345', text: 'form' }) });
    const form = new FormData();
    form.set('chat_id', '12345');
    form.set('text', 'multipart');
    await fetch(path, { method: 'POST', body: form });
    expect(chat.visible().map((message) => message.text)).toEqual(['query', 'form', 'multipart']);
  });

  it('shows a sent message, numbered and dated', async () => {
    const { body } = await send('<b>Hi</b> &amp; bye', { parse_mode: 'HTML' });
    expect(body.result).toMatchObject({ message_id: 1, date: Math.floor(clock.now() / 1000), chat: { id: 12345, type: 'private' } });
    expect(chat.visible()).toMatchObject([{ from: 'bot', text: 'Hi & bye', entities: [{ type: 'bold', offset: 0, length: 2 }] }]);
  });

  it('counts 4096 UTF-16 units after the markup is gone', async () => {
    expect(await send(`<b>${'x'.repeat(4096)}</b>`, { parse_mode: 'HTML' })).toMatchObject({ status: 200 });
    const tooLong = { status: 400, body: { description: 'Bad Request: message is too long' } };
    expect(await send('x'.repeat(4097))).toMatchObject(tooLong);
    expect(await send('😀'.repeat(2049))).toMatchObject(tooLong);
  });

  it.each([
    [{ text: '' }, 'message text is empty'],
    [{ text: ' \n ' }, 'text must be non-empty'],
    [{ text: '<b>never closed', parse_mode: 'HTML' }, `can't parse entities: Can't find end tag corresponding to start tag "b"`],
    [{ text: 'x', parse_mode: 'RTF' }, 'unsupported parse_mode'],
    [{ text: 'x', chat_id: 99 }, 'chat not found'],
    [{ text: 'x', chat_id: '' }, 'chat_id is empty'],
    [{ text: 'x', reply_parameters: { message_id: 77 } }, 'message to be replied not found'],
    [{ text: 'x', message_thread_id: 5 }, 'message thread not found'],
  ])('refuses to send %j', async (parameters, reason) => {
    const answer = await call('sendMessage', { chat_id: 12345, ...parameters });
    expect(answer).toMatchObject({ status: 400, body: { ok: false, error_code: 400, description: `Bad Request: ${reason}` } });
    expect(chat.visible()).toEqual([]);
  });

  it('edits a message and keeps what it said before', async () => {
    const { body } = await send('…');
    const edit = { chat_id: 12345, message_id: body.result.message_id, text: 'done' };
    expect(await call('editMessageText', edit)).toMatchObject({ status: 200, body: { result: { text: 'done' } } });
    expect(chat.visible()).toMatchObject([{ text: 'done', revisions: [{ text: '…' }, { text: 'done' }] }]);
    const again = await call('editMessageText', edit);
    expect(again).toMatchObject({ status: 400, body: { description: expect.stringContaining('message is not modified') } });
  });

  it('edits only messages of the bot that exist', async () => {
    const said = chat.say('mine');
    const missing = await call('editMessageText', { chat_id: 12345, message_id: 999, text: 'x' });
    expect(missing.body.description).toBe('Bad Request: message to edit not found');
    const foreign = await call('editMessageText', { chat_id: 12345, message_id: said.messageId, text: 'x' });
    expect(foreign.body.description).toBe("Bad Request: message can't be edited");
  });

  it('deletes a message from the screen, once', async () => {
    const { body } = await send('oops');
    const target = { chat_id: 12345, message_id: body.result.message_id };
    expect(await call('deleteMessage', target)).toMatchObject({ status: 200 });
    expect(chat.visible()).toEqual([]);
    expect((await call('deleteMessage', target)).body.description).toBe('Bad Request: message to delete not found');
  });

  it('shows typing for five seconds or until the message comes', async () => {
    await call('sendChatAction', { chat_id: 12345, action: 'typing' });
    expect(chat.typing).toBe(true);
    clock.advance(5000);
    expect(chat.typing).toBe(false);
    await call('sendChatAction', { chat_id: 12345, action: 'typing' });
    await send('here');
    expect(chat.typing).toBe(false);
    expect(await call('sendChatAction', { chat_id: 12345, action: 'dancing' })).toMatchObject({ status: 400 });
  });

  it('shows a draft that is no message yet', async () => {
    await call('sendMessageDraft', { chat_id: 12345, draft_id: 7, text: 'thin' });
    expect([chat.draft, chat.visible()]).toEqual(['thin', []]);
    await send('thinking done');
    expect(chat.draft).toBeUndefined();
  });

  it('forbids what a person blocked', async () => {
    chat.block();
    const answer = await send('hello?');
    expect(answer).toMatchObject({ status: 403, body: { description: 'Forbidden: bot was blocked by the user' } });
    chat.unblock();
    expect(await send('hello?')).toMatchObject({ status: 200 });
  });

  it('puts a reaction on a message', async () => {
    const said = chat.say('thanks');
    await call('setMessageReaction', { chat_id: 12345, message_id: said.messageId, reaction: [{ type: 'emoji', emoji: '👍' }] });
    expect(chat.visible()[0]?.reactions).toEqual(['👍']);
  });

  it('allows a short burst in a chat, then one message a second, edits counted', async () => {
    const first = await send('one');
    await send('two');
    await call('editMessageText', { chat_id: 12345, message_id: first.body.result.message_id, text: 'one, better' });
    const refused = await send('four');
    expect(refused).toMatchObject({
      status: 429,
      body: { error_code: 429, description: 'Too Many Requests: retry after 1', parameters: { retry_after: 1 } },
    });
    expect(refused.headers.get('retry-after')).toBe('1');
    clock.advance(1000);
    expect(await send('four')).toMatchObject({ status: 200 });
    expect(telegram.violations).toEqual([]);
  });

  it('remembers a client that did not wait for retry_after', async () => {
    for (const text of ['1', '2', '3', '4']) await send(text);
    clock.advance(500);
    expect(await send('4')).toMatchObject({ status: 429 });
    expect(telegram.violations).toMatchObject([{ operation: 'sendMessage', earlyMs: 500 }]);
  });

  it('allows twenty messages a minute in a group', async () => {
    const group = telegram.group({ title: 'Team', bots: [bot] });
    const statuses = [];
    for (let number = 1; number <= 21; number++) {
      statuses.push((await call('sendMessage', { chat_id: group.id, text: `${number}` })).status);
      clock.advance(1000);
    }
    expect(statuses).toEqual([...Array.from({ length: 20 }, () => 200), 429]);
  });

  it('allows thirty messages a second over all chats of a bot', async () => {
    const statuses = [];
    for (let id = 1; id <= 31; id++) {
      telegram.person({ id, name: `Person ${id}` }).chat(bot);
      statuses.push((await call('sendMessage', { chat_id: id, text: 'hi' })).status);
    }
    expect(statuses.filter((status) => status === 429)).toHaveLength(1);
  });

  it('keeps several bots and their chats apart', async () => {
    const other = telegram.bot({ token: '1000002:other' });
    telegram.person({ id: 12345, name: 'Alice' }).chat(other);
    await call('sendMessage', { chat_id: 12345, text: 'from two' }, '1000002:other');
    expect(chat.visible()).toEqual([]);
    expect(telegram.visible(12345, other)).toMatchObject([{ text: 'from two' }]);
    expect(() => telegram.visible(12345)).toThrow('several bots');
  });

  it('writes in the topics of a forum', async () => {
    const group = telegram.group({ title: 'Forum', bots: [bot], forum: true });
    const topic = group.topic();
    await call('sendMessage', { chat_id: group.id, text: 'in it', message_thread_id: topic });
    await call('sendMessage', { chat_id: group.id, text: 'outside' });
    const alice = telegram.person({ id: 12345, name: 'Alice' });
    expect(
      group
        .as(alice, topic)
        .visible()
        .map((message) => message.text),
    ).toEqual(['in it']);
  });

  it.each([
    ['status', { status: 503 }, 503, []],
    ['status', { status: 429, retryAfterSeconds: 7 }, 429, []],
    ['drop-before', {}, 'no answer', []],
    ['reset', {}, 'no answer', []],
    ['accept-then-drop', {}, 'no answer', ['hi']],
  ] as const)('strikes once with %s %j', async (kind, more, outcome, visible) => {
    telegram.faults.add({ match: 'sendMessage', kind, times: 1, ...more });
    expect(
      await send('hi').then(
        (answer) => answer.status as unknown,
        () => 'no answer',
      ),
    ).toBe(outcome);
    expect(chat.visible().map((message) => message.text)).toEqual(visible);
    expect((await send('again')).status).toBe(200);
  });

  it('delays by the clock', async () => {
    telegram.faults.add({ match: 'sendMessage', kind: 'delay', delayMs: 3000, times: 1 });
    const sending = send('late');
    expect(await clock.nextSleep()).toBe(3000);
    expect(chat.visible()).toEqual([]);
    clock.advance(3000);
    expect((await sending).status).toBe(200);
  });
});
