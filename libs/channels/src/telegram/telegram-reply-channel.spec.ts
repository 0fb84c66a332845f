import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { codeOf, isTerminal, type ReplyTarget } from '@rockpool/contracts';
import { ManualClock, TelegramSimulator, type PersonChat, type TelegramBot } from '@rockpool/testkit';
import fc from 'fast-check';
import { Pacer } from '../pacing.js';
import { answers } from '../testing/answers.js';
import { closedPortUrl } from '../testing/closed-port.js';
import { instantClock } from '../testing/instant-clock.js';
import { patiently } from '../testing/patiently.js';
import { getTelegramMe, setTelegramWebhook } from './set-telegram-webhook.js';
import { TelegramApi } from './telegram-api.js';
import { TelegramReplyChannel } from './telegram-reply-channel.js';

const token = '1000001:secret';

describe('answers in Telegram', () => {
  let clock: ManualClock;
  let telegram: TelegramSimulator;
  let bot: TelegramBot;
  let chat: PersonChat;
  const direct: ReplyTarget = { channel: 'telegram', account: '1000001', chatId: '12345', messageId: '1', shared: false };
  const final = { final: true };

  beforeEach(async () => {
    clock = new ManualClock();
    telegram = new TelegramSimulator({ clock });
    await telegram.start();
    bot = telegram.bot({ token, username: 'rockpool_bot' });
    chat = telegram.person({ id: 12345, name: 'Alice' }).chat(bot);
  });
  afterEach(() => telegram.close());

  const channelFor = (target: ReplyTarget, url = telegram.url) =>
    new TelegramReplyChannel(new TelegramApi(url, token), new Pacer(instantClock(clock)), target);
  const texts = () => chat.visible().map((message) => message.text);
  const methods = () => telegram.calls.map((call) => call.method);
  const outcome = (promise: Promise<unknown>) =>
    promise.then(
      () => 'done' as const,
      (error: unknown) => ({ code: codeOf(error), terminal: isTerminal(error) }),
    );
  async function placed(target = direct) {
    const channel = channelFor(target);
    return { channel, receipt: await channel.place(target) };
  }

  it('replace a placeholder, formatted', async () => {
    const { channel, receipt } = await placed();
    expect(texts()).toEqual(['…']);
    const [chunk] = channel.render('**Hi** <you>, `code` and [a link](https://example.com/)');
    await channel.update(direct, receipt, chunk!, final);
    expect(chat.visible()).toMatchObject([
      {
        text: 'Hi <you>, code and a link',
        entities: [{ type: 'bold' }, { type: 'code' }, { type: 'text_link', url: 'https://example.com/' }],
      },
    ]);
    expect(telegram.calls.at(-1)?.parameters).toMatchObject({ link_preview_options: { is_disabled: true } });
  });

  it('may be put in place again', async () => {
    const { channel, receipt } = await placed();
    const [chunk] = channel.render('done');
    for (let time = 0; time < 3; time++) await patiently(clock, () => channel.update(direct, receipt, chunk!, final));
    expect(texts()).toEqual(['done']);
  });

  it('come as plain text, whatever they are, when Telegram cannot parse them', async () => {
    const { channel, receipt } = await placed();
    const unparseable = async (markdown: string) => {
      for (const chunk of channel.render(markdown)) {
        const { html, plain } = chunk.payload as { html: string; plain: string };
        await patiently(clock, () => channel.update(direct, receipt, { ...chunk, payload: { html: `${html}<b>`, plain } }, final));
        expect(texts().at(-1)!.trim()).toBe(plain.trim());
      }
    };
    await fc.assert(fc.asyncProperty(answers, unparseable), { numRuns: 40 });
  });

  it('come as plain text when Telegram cannot parse them', async () => {
    const { channel, receipt } = await placed();
    await channel.update(direct, receipt, { text: 'x', payload: { html: '<b>never closed', plain: 'never closed' } }, final);
    expect(texts()).toEqual(['never closed']);
  });

  it('of any length fit the limit', async () => {
    const channel = channelFor(direct);
    for (const chunk of channel.render(`# Long\n\n${'**word** 😀 & <tag> '.repeat(2_000)}`)) {
      const receipt = await patiently(clock, () => channel.place(direct));
      await patiently(clock, () => channel.update(direct, receipt, chunk, final));
    }
    expect(texts().join(' ').match(/word/g)).toHaveLength(2_000);
    expect(telegram.calls.filter((call) => call.status !== 200 && call.status !== 429)).toEqual([]);
  });

  it('answer the message they are for in a group, and stay in the topic of a forum', async () => {
    const group = telegram.group({ title: 'Forum', bots: [bot], forum: true });
    const topic = group.topic();
    const screen = group.as(telegram.person({ id: 1, name: 'Bob' }), topic);
    const said = screen.say('@rockpool_bot hi');
    const target = { ...direct, chatId: String(group.id), threadId: String(topic), messageId: String(said.messageId) };
    await placed(target);
    expect(screen.visible().at(-1)).toMatchObject({ from: 'bot', replyTo: said.messageId, topicId: topic });
    await placed({ ...target, messageId: '999999' });
    expect(screen.visible().filter((message) => message.from === 'bot')).toHaveLength(2);
  });

  it('show that something is being done', async () => {
    await channelFor(direct).typing(direct);
    expect(chat.typing).toBe(true);
  });

  it('show nothing, and fail nothing, when the sign cannot be given', async () => {
    chat.block();
    await channelFor(direct).typing(direct);
    await channelFor(direct, await closedPortUrl()).typing(direct);
  });

  it.each([
    ['the person blocked the bot', () => chat.block()],
    ['the token was revoked', () => telegram.faults.add({ kind: 'status', status: 401 })],
  ])('are given up when %s', async (_, happen) => {
    happen();
    expect(await outcome(placed())).toMatchObject({ terminal: true });
  });

  it('are given up when their message is gone or the chat unknown', async () => {
    const { channel, receipt } = await placed();
    const [chunk] = channel.render('late');
    expect(await outcome(channel.update(direct, '424242', chunk!, final))).toMatchObject({ terminal: true });
    expect(await outcome(channel.update({ ...direct, chatId: '5' }, receipt, chunk!, final))).toMatchObject({ terminal: true });
  });

  it.each([
    ['accept-then-drop', 'outcome_unknown', 1],
    ['reset', 'outcome_unknown', 0],
    ['drop-before', 'outcome_unknown', 0],
  ] as const)('are of unknown outcome after %s', async (kind, code, visible) => {
    telegram.faults.add({ kind, match: 'sendMessage', times: 1 });
    expect(await outcome(placed())).toEqual({ code, terminal: false });
    expect(texts()).toHaveLength(visible);
  });

  it('are surely not sent when nobody listens, and tried again after a fault of Telegram', async () => {
    expect(await outcome(channelFor(direct, await closedPortUrl()).place(direct))).toEqual({ code: 'internal', terminal: false });
    telegram.faults.add({ kind: 'status', status: 500, times: 1 });
    expect(await outcome(placed())).toEqual({ code: 'internal', terminal: false });
  });

  it('never put the token into an error', async () => {
    const error: unknown = await channelFor(direct, await closedPortUrl())
      .place(direct)
      .catch((thrown: unknown) => thrown);
    expect(String(error)).not.toContain('secret');
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error as object))).not.toContain('secret');
  });

  describe('after a placement without an answer', () => {
    /** The person writes, an earlier answer and a stray placeholder follow, then one more message of the person and the placement that counts. */
    async function withStray(target = direct) {
      const said = chat.say('hello');
      const at = { ...target, messageId: String(said.messageId) };
      const channel = channelFor(at);
      const earlier = await channel.place(at);
      telegram.faults.add({ kind: 'accept-then-drop', match: 'sendMessage', times: 1 });
      expect(await outcome(channel.place(at))).toMatchObject({ code: 'outcome_unknown' });
      chat.say('are you there?');
      const receipt = await patiently(clock, () => channel.place(at));
      const known = (isComplete: boolean) => async () => ({ receipts: new Set([earlier, receipt]), isComplete });
      const sweep = (isComplete = true) => patiently(clock, () => channel.sweep(at, '', receipt, known(isComplete)));
      return { earlier, receipt, sweep };
    }

    it('the stray placeholder is taken away, and nothing that is known or the person wrote', async () => {
      const { earlier, receipt, sweep } = await withStray();
      await sweep();
      expect(texts()).toEqual(['hello', '…', 'are you there?', '…']);
      expect(chat.visible().map(({ messageId }) => String(messageId))).toEqual([expect.anything(), earlier, expect.anything(), receipt]);
    });

    it('that answers no message of a person, only what came after the last answer is looked at', async () => {
      const channel = channelFor(direct);
      const atNobody = { ...direct, messageId: undefined };
      const older = await channel.place(atNobody);
      const earlier = await channel.place(atNobody);
      telegram.faults.add({ kind: 'accept-then-drop', match: 'sendMessage', times: 1 });
      expect(await outcome(channel.place(atNobody))).toMatchObject({ code: 'outcome_unknown' });
      chat.say('are you there?');
      const receipt = await patiently(clock, () => channel.place(atNobody));
      const known = (receipts: string[]) => async () => ({ receipts: new Set(receipts), isComplete: true });
      const calls = telegram.calls.length;
      await channel.sweep(atNobody, '', receipt, known([receipt]));
      expect(telegram.calls).toHaveLength(calls);
      await patiently(clock, () => channel.sweep(atNobody, '', receipt, known([earlier, receipt])));
      const bots = chat.visible().filter(({ from }) => from === 'bot');
      expect(bots.map(({ messageId }) => String(messageId))).toEqual([older, earlier, receipt]);
    });

    it('nothing is touched while another placement may be under way', async () => {
      const { sweep } = await withStray();
      const calls = telegram.calls.length;
      await sweep(false);
      expect(telegram.calls).toHaveLength(calls);
      expect(texts()).toHaveLength(5);
    });

    it('nothing is touched in a topic, whose chat has other conversations', async () => {
      const group = telegram.group({ title: 'Forum', bots: [bot], forum: true });
      const target = { ...direct, chatId: String(group.id), threadId: String(group.topic()), messageId: '1' };
      const { channel, receipt } = await placed(target);
      const calls = telegram.calls.length;
      await channel.sweep(target, '', receipt, async () => ({ receipts: new Set(), isComplete: true }));
      expect(telegram.calls).toHaveLength(calls);
    });
  });

  it('wait as long as Telegram asks', async () => {
    const channel = channelFor(direct);
    telegram.faults.add({ kind: 'status', status: 429, retryAfterSeconds: 30, times: 1 });
    await expect(channel.place(direct)).rejects.toMatchObject({ afterMs: 30_000 });
    await expect(channel.place(direct)).rejects.toMatchObject({ afterMs: 30_100 });
    await channel.typing(direct);
    expect(methods()).not.toContain('sendChatAction');
    clock.advance(30_100);
    await channel.place(direct);
    expect(telegram.violations).toEqual([]);
  });

  it.each([
    ['a chat', () => direct],
    ['a group', () => ({ ...direct, chatId: String(telegram.group({ title: 'Team', bots: [bot] }).id) })],
  ])('are refused for their rate once in %s, and from then on keep to it', async (_, targetOf) => {
    const target = targetOf();
    const channel = channelFor(target);
    for (let number = 0; number < 60; number++) {
      const receipt = await patiently(clock, () => channel.place(target));
      const chunk = { text: 'x', payload: { html: `${number}`, plain: '' } };
      await patiently(clock, () => channel.update(target, receipt, chunk, final));
    }
    expect(telegram.calls.filter((call) => call.status === 429)).toHaveLength(1);
    expect(telegram.calls.filter((call) => call.status === 200)).toHaveLength(120);
    expect(telegram.violations).toEqual([]);
  });

  it('leave out steps of a streamed answer rather than delay its end, once Telegram asked to slow down', async () => {
    const { channel, receipt } = await placed();
    telegram.faults.add({ kind: 'status', status: 429, retryAfterSeconds: 1, times: 1 });
    await expect(channel.update(direct, receipt, channel.render('begin')[0]!, { final: false })).rejects.toMatchObject({ afterMs: 1_000 });
    clock.advance(4_000);
    for (let step = 0; step < 10; step++) await channel.update(direct, receipt, channel.render(`step ${step}`)[0]!, { final: false });
    expect(texts()).toEqual(['step 1']);
    const before = clock.now();
    await channel.update(direct, receipt, channel.render('end')[0]!, final);
    expect(texts()).toEqual(['end']);
    expect(clock.now()).toBe(before);
  });

  it('go through a bot that can be asked for its name and told where to deliver', async () => {
    const at = { apiUrl: telegram.url, botToken: token };
    expect(await getTelegramMe(at)).toEqual({ id: '1000001', username: 'rockpool_bot' });
    await setTelegramWebhook({ ...at, url: 'http://127.0.0.1:9/webhooks/telegram/alice', secretToken: 'hook_secret' });
    expect(bot.webhook).toMatchObject({ url: 'http://127.0.0.1:9/webhooks/telegram/alice', secret: 'hook_secret' });
    expect(bot.wants('message_reaction')).toBe(true);
    await expect(setTelegramWebhook({ ...at, url: 'nonsense', secretToken: 'x' })).rejects.toThrow('invalid webhook URL');
    await expect(getTelegramMe({ ...at, botToken: '1000001:wrong' })).rejects.toThrow('Unauthorized');
  });
});
