import { afterEach, describe, expect, it } from '@jest/globals';
import { Ledger } from '../ledger.js';
import { WebhookReceiver, type Received, type Reply } from '../testing/webhook-receiver.js';
import { ManualClock } from '../wire/clock.js';
import { TelegramSimulator, type TelegramSimulatorOptions } from './simulator.js';

describe('delivery of updates', () => {
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  async function telegramWith(
    reply?: (received: Received, count: number) => Reply | Promise<Reply>,
    options: TelegramSimulatorOptions = {},
  ) {
    const receiver = new WebhookReceiver(reply);
    const url = await receiver.start();
    const telegram = new TelegramSimulator(options);
    await telegram.start();
    closers.push(
      () => telegram.close(),
      () => receiver.close(),
    );
    const bot = telegram.bot({ token: '1000001:secret', username: 'helper_bot', webhook: { url, secret: 'hush' } });
    const alice = telegram.person({ id: 12345, name: 'Alice' });
    return { receiver, url, telegram, bot, alice, chat: alice.chat(bot) };
  }
  const updates = (receiver: WebhookReceiver) => receiver.received.map(({ body }) => JSON.parse(body));

  it('posts a real update with the secret', async () => {
    const { receiver, chat } = await telegramWith();
    expect(await chat.say('/start please').accepted).toBe(true);
    expect(receiver.received[0]?.headers).toMatchObject({
      'x-telegram-bot-api-secret-token': 'hush',
      'content-type': 'application/json',
    });
    expect(updates(receiver)[0]).toMatchObject({
      update_id: expect.any(Number),
      message: {
        message_id: 1,
        from: { id: 12345, is_bot: false, first_name: 'Alice' },
        chat: { id: 12345, type: 'private' },
        date: expect.any(Number),
        text: '/start please',
        entities: [{ type: 'bot_command', offset: 0, length: 6 }],
      },
    });
  });

  it('tries again at once, then after 2, 4, 8 … up to 60 seconds, always with the same update', async () => {
    const clock = new ManualClock();
    const { receiver, chat } = await telegramWith((_, count) => ({ status: count < 10 ? 500 : 200 }), { clock });
    const said = chat.say('hello');
    const waits = [];
    for (let failure = 1; failure <= 8; failure++) {
      const wait = await clock.nextSleep();
      waits.push(wait);
      clock.advance(wait);
    }
    expect(await said.accepted).toBe(true);
    expect(waits).toEqual([2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]);
    expect(new Set(updates(receiver).map((update) => update.update_id)).size).toBe(1);
  });

  it('waits as long as Retry-After says', async () => {
    const clock = new ManualClock();
    const { chat } = await telegramWith((_, count) => (count === 1 ? { status: 503, headers: { 'retry-after': '7' } } : { status: 200 }), {
      clock,
    });
    const said = chat.say('hello');
    expect(await clock.nextSleep()).toBe(7000);
    clock.advance(7000);
    expect(await said.accepted).toBe(true);
  });

  it('gives up after 24 hours', async () => {
    const clock = new ManualClock();
    const { chat } = await telegramWith(() => ({ status: 503, headers: { 'retry-after': '3600' } }), { clock });
    const said = chat.say('hello');
    for (let hour = 1; hour <= 24; hour++) clock.advance(await clock.nextSleep());
    expect(await said.accepted).toBe(false);
    expect(said.deliveries[0]?.attempts).toHaveLength(25);
  });

  it('holds a chat back behind a failing update, and no other chat', async () => {
    let failing = true;
    const { receiver, telegram, bot, chat } = await telegramWith(
      ({ body }) => ({ status: failing && JSON.parse(body).message.text === 'first' ? 500 : 200 }),
      { retryScale: 0.001 },
    );
    const first = chat.say('first');
    const second = chat.say('second');
    expect(await telegram.person({ id: 2, name: 'Bob' }).chat(bot).say('beside').accepted).toBe(true);
    expect(second.deliveries[0]?.attempts).toEqual([]);
    failing = false;
    expect(await Promise.all([first.accepted, second.accepted])).toEqual([true, true]);
    const texts = updates(receiver).map((update) => update.message.text);
    expect(texts.indexOf('second')).toBeGreaterThan(texts.lastIndexOf('first'));
  });

  it('tries again when the connection breaks before the answer', async () => {
    const { receiver, chat } = await telegramWith((_, count) => (count === 1 ? 'hang-up' : { status: 200 }));
    expect(await chat.say('hello').accepted).toBe(true);
    expect(receiver.received).toHaveLength(2);
  });

  it('keeps at most max_connections deliveries open', async () => {
    const gate = Promise.withResolvers<void>();
    const { receiver, url, telegram, bot } = await telegramWith(async () => {
      await gate.promise;
      return { status: 200 };
    });
    await fetch(`${telegram.url}/bot${bot.token}/setWebhook?max_connections=2&url=${encodeURIComponent(url)}`);
    const said = [1, 2, 3].map((id) =>
      telegram
        .person({ id, name: `Person ${id}` })
        .chat(bot)
        .say('hi'),
    );
    await receiver.receives(2);
    expect(said.map(({ deliveries }) => deliveries[0]?.state)).toEqual(['pending', 'pending', 'pending']);
    expect(receiver.received).toHaveLength(2);
    gate.resolve();
    await Promise.all(said.map(({ accepted }) => accepted));
    expect(receiver.received).toHaveLength(3);
  });

  it('executes a method in the answer of a webhook', async () => {
    const { chat } = await telegramWith(() => ({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ method: 'sendMessage', chat_id: 12345, text: 'in the answer' }),
    }));
    chat.say('hello');
    expect((await chat.waitForAnswer()).text).toBe('in the answer');
  });

  it('keeps updates until a webhook is set, and tells about it', async () => {
    const { receiver, url, telegram, bot, chat } = await telegramWith();
    const call = async (path: string) => JSON.parse(await (await fetch(`${telegram.url}/bot${bot.token}/${path}`)).text());
    await call('deleteWebhook');
    const said = chat.say('early');
    expect((await call('getWebhookInfo')).result).toMatchObject({ url: '', pending_update_count: 1 });
    expect(await call(`setWebhook?secret_token=${encodeURIComponent('no spaces')}&url=${encodeURIComponent(url)}`)).toMatchObject({
      ok: false,
      description: 'Bad Request: secret token contains unallowed characters',
    });
    await call(`setWebhook?secret_token=new&url=${encodeURIComponent(url)}`);
    expect(await said.accepted).toBe(true);
    expect(receiver.received[0]?.headers['x-telegram-bot-api-secret-token']).toBe('new');
  });

  it('sends the same update again when asked to', async () => {
    const { receiver, chat } = await telegramWith();
    const said = chat.say('hello');
    await said.accepted;
    expect(await said.redeliver(10)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(new Set(updates(receiver).map((update) => update.update_id)).size).toBe(1);
  });

  it('tells of edits, button presses, photos and blocking', async () => {
    const { receiver, telegram, bot, chat } = await telegramWith();
    const said = chat.say('helo');
    chat.edit(said.messageId, 'hello');
    await chat.say('', { content: { photo: [{ file_id: 'abc', width: 90, height: 90 }], caption: 'look' } }).accepted;
    const path = `${telegram.url}/bot${bot.token}`;
    await fetch(`${path}/sendMessage?chat_id=12345&text=choose`);
    const question = await chat.waitForAnswer();
    const press = chat.press(question.messageId, 'yes');
    await press.accepted;
    const query = updates(receiver).find((update) => update.callback_query).callback_query;
    await fetch(`${path}/answerCallbackQuery?callback_query_id=${query.id}&text=thanks`);
    await chat.block().accepted;
    const kinds = updates(receiver).map((update) => Object.keys(update)[1]);
    expect(kinds).toEqual(['message', 'edited_message', 'message', 'callback_query', 'my_chat_member']);
    expect(query).toMatchObject({ from: { id: 12345 }, data: 'yes', message: { text: 'choose' } });
    expect(press.answer()).toMatchObject({ text: 'thanks' });
  });

  it('tells a bot of reactions only when it asked for them', async () => {
    const { url, telegram, bot, chat } = await telegramWith();
    const said = chat.say('hello');
    expect(chat.react(said.messageId, '👍').deliveries).toEqual([]);
    const allowed = encodeURIComponent('["message","message_reaction"]');
    await fetch(`${telegram.url}/bot${bot.token}/setWebhook?url=${encodeURIComponent(url)}&allowed_updates=${allowed}`);
    expect(await chat.react(said.messageId, '👍').accepted).toBe(true);
  });

  it('tells a bot in a group only what is meant for it', async () => {
    const { telegram, bot, alice } = await telegramWith();
    const chat = telegram.group({ title: 'Team', bots: [bot] }).as(alice);
    const reached = (text: string) => chat.say(text).deliveries.length;
    expect(['hello all', '@helper_bot hello', '/help', '/help@helper_bot', '/help@other_bot'].map(reached)).toEqual([0, 1, 1, 1, 0]);
  });

  it('lets the ledger see what was sent and accepted', async () => {
    const ledger = new Ledger();
    const { telegram, bot, chat } = await telegramWith((_, count) => ({ status: count === 1 ? 500 : 200 }), { observer: ledger });
    await chat.say(ledger.message(telegram.conversation(12345, bot))).accepted;
    expect(ledger.check(telegram.shown())).toMatchObject({
      ok: false,
      sent: 1,
      accepted: 1,
      lost: [{ conversation: 'telegram:1000001:12345' }],
    });
  });
});
