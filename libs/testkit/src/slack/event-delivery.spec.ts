import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { WebhookReceiver, type Received, type Reply } from '../testing/webhook-receiver.js';
import { ManualClock, systemClock } from '../wire/clock.js';
import { SlackSimulator, type SlackSimulatorOptions } from './simulator.js';

describe('the Events API', () => {
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  async function slackWith(reply?: (received: Received, count: number) => Reply | Promise<Reply>, options: SlackSimulatorOptions = {}) {
    const receiver = new WebhookReceiver(reply);
    const eventsUrl = await receiver.start();
    const slack = new SlackSimulator(options);
    await slack.start();
    closers.push(
      () => slack.close(),
      () => receiver.close(),
    );
    const app = slack.app({ team: 'T1', botToken: 'xoxb-1', signingSecret: 'hush', eventsUrl });
    const channel = slack.channel({ id: 'C1', apps: [app] });
    const alice = slack.person({ id: 'U1', name: 'Alice', team: 'T1' });
    return { receiver, slack, app, channel, alice };
  }
  const events = (receiver: WebhookReceiver) => receiver.received.map(({ body }) => JSON.parse(body));

  it('signs an event and wraps it as Slack does', async () => {
    const { receiver, alice, app } = await slackWith();
    const said = alice.direct(app).say('hello');
    expect(await said.accepted).toBe(true);
    const [{ headers, body }] = receiver.received as [Received];
    const expected = createHmac('sha256', 'hush').update(`v0:${headers['x-slack-request-timestamp']}:${body}`).digest('hex');
    expect(headers['x-slack-signature']).toBe(`v0=${expected}`);
    expect(headers['x-slack-retry-num']).toBeUndefined();
    expect(JSON.parse(body)).toMatchObject({
      type: 'event_callback',
      team_id: 'T1',
      api_app_id: app.appId,
      event_id: expect.stringMatching(/^Ev/),
      event: { type: 'message', channel_type: 'im', user: 'U1', text: 'hello', ts: said.ts, event_ts: said.ts },
      authorizations: [{ team_id: 'T1', user_id: app.user.id, is_bot: true }],
    });
  });

  it('tells of a mention in a channel twice, of other messages once', async () => {
    const { receiver, app, channel, alice } = await slackWith();
    const screen = alice.in(channel, app);
    await screen.say(`<@${app.user.id}> hello`).accepted;
    await screen.say('just talking').accepted;
    const told = events(receiver);
    expect(told.map(({ event }) => event.type).sort()).toEqual(['app_mention', 'message', 'message']);
    expect(new Set(told.map(({ event }) => event.ts)).size).toBe(2);
    expect(new Set(told.map(({ event_id }) => event_id)).size).toBe(3);
  });

  it('escapes what a person types, but not a mention', async () => {
    const { receiver, alice, app } = await slackWith();
    await alice.direct(app).say(`<@${app.user.id}> is 1 < 2 & 3?`).accepted;
    expect(events(receiver)[0].event.text).toBe(`<@${app.user.id}> is 1 &lt; 2 &amp; 3?`);
  });

  it('comes again at once, after one minute and after five, then gives up', async () => {
    const clock = new ManualClock();
    const { receiver, alice, app } = await slackWith(() => ({ status: 500 }), { clock });
    const said = alice.direct(app).say('hello');
    const waits = [];
    for (let retry = 1; retry <= 3; retry++) {
      const wait = await clock.nextSleep();
      waits.push(wait);
      clock.advance(wait);
    }
    expect(await said.accepted).toBe(false);
    expect(waits).toEqual([0, 60_000, 300_000]);
    expect(receiver.received.map(({ headers }) => [headers['x-slack-retry-num'], headers['x-slack-retry-reason']])).toEqual([
      [undefined, undefined],
      ['1', 'http_error'],
      ['2', 'http_error'],
      ['3', 'http_error'],
    ]);
    expect(new Set(events(receiver).map(({ event_id }) => event_id)).size).toBe(1);
    expect(new Set(receiver.received.map(({ headers }) => headers['x-slack-request-timestamp'])).size).toBe(3);
  });

  it('stops when the app asks for no retry', async () => {
    const { receiver, alice, app } = await slackWith(() => ({ status: 500, headers: { 'x-slack-no-retry': '1' } }));
    expect(await alice.direct(app).say('hello').accepted).toBe(false);
    expect(receiver.received).toHaveLength(1);
  });

  it('calls a broken connection by its name', async () => {
    const { receiver, alice, app } = await slackWith((_, count) => (count === 1 ? 'hang-up' : { status: 200 }), { clock: systemClock });
    expect(await alice.direct(app).say('hello').accepted).toBe(true);
    expect(receiver.received[1]?.headers).toMatchObject({ 'x-slack-retry-num': '1', 'x-slack-retry-reason': 'connection_failed' });
  });

  it('sends the same message again under its own or another event id', async () => {
    const { receiver, alice, app } = await slackWith();
    const said = alice.direct(app).say('hello');
    await said.accepted;
    await said.redeliver(2);
    await said.redeliver(2, { newEventId: true });
    const told = events(receiver);
    expect(new Set(told.map(({ event }) => event.ts)).size).toBe(1);
    expect(new Set(told.map(({ event_id }) => event_id)).size).toBe(3);
  });

  it('tells an app of its own messages and of edits, marked as such', async () => {
    const { receiver, slack, app, alice } = await slackWith();
    const screen = alice.direct(app);
    const said = screen.say('helo');
    await said.accepted;
    await screen.edit(said.ts, 'hello').accepted;
    const headers = { authorization: 'Bearer xoxb-1' };
    await fetch(`${slack.url}/api/chat.postMessage?channel=${screen.id}&text=hi`, { method: 'POST', headers });
    await receiver.receives(3);
    expect(events(receiver).map(({ event }) => [event.subtype, event.bot_id])).toEqual([
      [undefined, undefined],
      ['message_changed', undefined],
      [undefined, app.botId],
    ]);
  });

  it('verifies the request URL by its challenge', async () => {
    const good = await slackWith(({ body }) => ({ status: 200, body: JSON.parse(body).challenge }));
    const bad = await slackWith(() => ({ status: 200, body: 'ok' }));
    expect([await good.app.delivery.verifyUrl(), await bad.app.delivery.verifyUrl()]).toEqual([true, false]);
  });

  it('shows answers in the thread they were written in', async () => {
    const { slack, app, channel, alice } = await slackWith();
    const screen = alice.in(channel, app);
    const { ts } = screen.say(`<@${app.user.id}> hello`);
    const headers = { authorization: 'Bearer xoxb-1' };
    await fetch(`${slack.url}/api/chat.postMessage?channel=C1&text=hi&thread_ts=${ts}`, { method: 'POST', headers });
    expect((await screen.thread(ts).waitForAnswer()).text).toBe('hi');
    expect(slack.shown()).toMatchObject([{ conversation: `slack:T1:C1:${ts}`, text: 'hi' }]);
  });
});
