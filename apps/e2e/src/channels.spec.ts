import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { signStandardWebhook, type SlackApp, type TelegramBot } from '@rockpool/testkit';
import { onEachEngine } from './engines.js';
import {
  aliceBotToken,
  aliceSecret,
  httpSecret,
  Installation,
  sharedBotToken,
  sharedSecret,
  slackBotToken,
  slackSecret,
} from './installation.js';

onEachEngine((engine) => {
  let rockpool: Installation;
  let alice: TelegramBot;
  let shared: TelegramBot;
  let carol: TelegramBot;
  let slack: SlackApp;

  beforeAll(async () => {
    rockpool = await Installation.open({ engine });
    const telegram = (path: string, secret: string) => ({ url: `${rockpool.url}/webhooks/telegram${path}`, secret });
    alice = rockpool.telegram.bot({ token: aliceBotToken, webhook: telegram('/alice', aliceSecret) });
    carol = rockpool.telegram.bot({ token: '222222:carol-token', webhook: telegram('/carol', 'carol-webhook-secret') });
    shared = rockpool.telegram.bot({ token: sharedBotToken, webhook: telegram('', sharedSecret) });
    slack = rockpool.slack.app({
      team: 'T0123',
      botToken: slackBotToken,
      signingSecret: slackSecret,
      eventsUrl: `${rockpool.url}/webhooks/slack/alice`,
    });
  });
  afterAll(() => rockpool.close());

  describe('Telegram', () => {
    it('gets a sign of life and the answer in one message', async () => {
      const chat = rockpool.telegram.person({ id: 500, name: 'Ann' }).chat(alice);
      await chat.say('hello there').accepted;
      await chat.waitForAnswer(({ text }) => text.includes('hello there'));
      expect(chat.visible().filter((message) => message.from === 'bot')).toHaveLength(1);
      const methods = rockpool.telegram.calls.filter((call) => Number(call.parameters['chat_id']) === 500).map((call) => call.method);
      expect(methods).toContain('sendChatAction');
      expect(methods.filter((method) => method === 'sendMessage')).toHaveLength(1);
    });

    it('answers two quick messages in their order', async () => {
      const chat = rockpool.telegram.person({ id: 501, name: 'Ben' }).chat(alice);
      const first = chat.say('number one');
      const second = chat.say('number two');
      await Promise.all([first.accepted, second.accepted]);
      await chat.waitForAnswer(({ text }) => text.includes('number two'));
      const answers = chat.visible().filter((message) => message.from === 'bot');
      expect(answers.map(({ text }) => /number (\w+)/.exec(text)?.[1])).toEqual(['one', 'two']);
    });

    it('is answered once, however often it delivers', async () => {
      const chat = rockpool.telegram.person({ id: 502, name: 'Cy' }).chat(alice);
      const said = chat.say('only once');
      await said.accepted;
      await said.redeliver(5);
      await chat.waitForAnswer(({ text }) => text.includes('only once'));
      await said.redeliver(5);
      await chat.say('and then').accepted;
      await chat.waitForAnswer(({ text }) => text.includes('and then'));
      expect(chat.visible().filter(({ from, text }) => from === 'bot' && text.includes('only once'))).toHaveLength(1);
      expect(
        rockpool.model.count(({ body }) => JSON.stringify(body).includes('only once') && !JSON.stringify(body).includes('and then')),
      ).toBe(1);
    });

    it('leads a person of the shared bot to their tenant, and a stranger to nobody', async () => {
      const known = rockpool.telegram.person({ id: 67890, name: 'Bob' }).chat(shared);
      await known.say('it is me').accepted;
      await known.waitForAnswer(({ text }) => text.includes('it is me'));
      const stranger = rockpool.telegram.person({ id: 666, name: 'Mallory' }).chat(shared);
      expect(await stranger.say('let me in').accepted).toBe(true);
      const row = await rockpool.inboxRow({ state: 'dropped' });
      expect(row).toMatchObject({ tenantId: '_unrouted', reason: 'unknown-tenant' });
      expect(stranger.visible().filter(({ from }) => from === 'bot')).toEqual([]);
    });

    it('runs nothing for a stranger under an allow-list, and keeps a record without the words', async () => {
      const stranger = rockpool.telegram.person({ id: 667, name: 'Eve' }).chat(carol);
      expect(await stranger.say('secret words').accepted).toBe(true);
      const row = await rockpool.inboxRow({ tenant: 'carol', state: 'dropped' });
      expect(row).toMatchObject({ reason: 'sender-not-allowed', message: { text: '' } });
      expect(rockpool.model.count(({ body }) => JSON.stringify(body).includes('secret words'))).toBe(0);
    });

    it('stops a running answer at once', async () => {
      rockpool.model
        .when(({ body }) => JSON.stringify(body).includes('talk forever'))
        .reply({ text: 'word '.repeat(2000), betweenTokensMs: 50 });
      const chat = rockpool.telegram.person({ id: 503, name: 'Di' }).chat(alice);
      await chat.say('talk forever').accepted;
      await chat.waitForAnswer(({ text }) => text.startsWith('word'));
      await chat.say('/stop').accepted;
      await chat.waitForAnswer(({ text }) => text.includes('Stopped') && text.startsWith('word'));
    });
  });

  describe('Slack', () => {
    it('is answered in a direct message', async () => {
      const screen = rockpool.slack.person({ id: 'U1', name: 'Ann', team: 'T0123' }).direct(slack);
      await screen.say('hello slack').accepted;
      await screen.waitForAnswer(({ text }) => text.includes('hello slack'));
    });

    it('is answered once when a mention comes as two events', async () => {
      const channel = rockpool.slack.channel({ id: 'C1', apps: [slack] });
      const screen = rockpool.slack.person({ id: 'U2', name: 'Ben', team: 'T0123' }).in(channel, slack);
      const said = screen.say(`<@${slack.user.id}> what is new`);
      await said.accepted;
      const thread = screen.thread(said.ts);
      await thread.waitForAnswer(({ text }) => text.includes('what is new'));
      expect(rockpool.model.count(({ body }) => JSON.stringify(body).includes('what is new'))).toBe(1);
    });
  });

  describe('Standard Webhooks', () => {
    const post = (path: string, body: string, id: string) =>
      fetch(`${rockpool.url}${path}`, { method: 'POST', ...signStandardWebhook({ secret: httpSecret, id, body }) } as RequestInit);

    it('waits for the answer when asked to', async () => {
      const body = JSON.stringify({ type: 'message', data: { conversation: 'c1', text: 'hello webhook' } });
      const response = await post('/webhooks/http/alice?wait=20', body, 'msg_1');
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({
        events: [{ state: 'done', replies: [{ text: expect.stringContaining('hello webhook') }] }],
      });
    });

    it('gives the same answer to a second delivery', async () => {
      const body = JSON.stringify({ type: 'message', data: { conversation: 'c2', text: 'twice' } });
      const first = await (await post('/webhooks/http/alice?wait=20', body, 'msg_2')).json();
      const second = await (await post('/webhooks/http/alice?wait=20', body, 'msg_2')).json();
      expect(second).toEqual(first);
      expect(rockpool.model.count((request) => JSON.stringify(request.body).includes('twice'))).toBe(1);
    });
  });
});
