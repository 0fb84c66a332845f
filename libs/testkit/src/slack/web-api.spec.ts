import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '../wire/clock.js';
import type { SlackApp } from './app.js';
import type { SlackChannel } from './channel.js';
import { SlackSimulator, type SlackPerson } from './simulator.js';

describe('the Web API', () => {
  const clock = new ManualClock();
  let slack: SlackSimulator;
  let app: SlackApp;
  let channel: SlackChannel;
  let alice: SlackPerson;

  beforeEach(async () => {
    slack = new SlackSimulator({ clock });
    await slack.start();
    app = slack.app({ team: 'T1', botToken: 'xoxb-1', signingSecret: 's' });
    channel = slack.channel({ id: 'C1', apps: [app] });
    alice = slack.person({ id: 'U1', name: 'Alice', team: 'T1' });
  });
  afterEach(() => slack.close());

  async function call(method: string, given: object = {}, token: string | undefined = 'xoxb-1') {
    const response = await fetch(`${slack.url}/api/${method}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8', ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(given),
    });
    return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
  }
  const post = (text: string, more: object = {}) => call('chat.postMessage', { channel: 'C1', text, ...more });
  const texts = () => channel.visible().map((message) => message.text);

  it('tells an app who it is', async () => {
    expect((await call('auth.test')).body).toMatchObject({ ok: true, team_id: 'T1', user_id: app.user.id, bot_id: app.botId });
  });

  it('refuses a call without token, with a wrong one and of an unknown method', async () => {
    expect((await call('auth.test', {}, '')).body).toEqual({ ok: false, error: 'not_authed' });
    expect(await call('auth.test', {}, 'xoxb-wrong')).toMatchObject({ status: 200, body: { ok: false, error: 'invalid_auth' } });
    expect((await call('chat.sing')).body.error).toBe('unknown_method');
  });

  it('takes a form as well as JSON, with structures as JSON inside and the token among the fields', async () => {
    const metadata = { event_type: 'answer', event_payload: { turn: '1' } };
    const body = new URLSearchParams({ token: 'xoxb-1', channel: 'C1', text: 'form', metadata: JSON.stringify(metadata) });
    const response = await fetch(`${slack.url}/api/chat.postMessage`, { method: 'POST', body });
    expect(await response.json()).toMatchObject({ ok: true, channel: 'C1', message: { text: 'form', metadata } });
  });

  it('shows what a reader sees', async () => {
    await post('Hi <@U1>, *see* <https://x.io|this> &amp; 1 &lt; 2');
    expect(channel.visible()).toMatchObject([{ from: 'bot', user: app.user.id, text: 'Hi @Alice, *see* this & 1 < 2' }]);
  });

  it('shows blocks instead of the text beside them', async () => {
    await post('fallback', { blocks: [{ type: 'section', text: { type: 'mrkdwn', text: 'in a *block*' } }] });
    expect(texts()).toEqual(['in a *block*']);
  });

  it.each([
    ['chat.postMessage', { channel: 'C404', text: 'x' }, 'channel_not_found'],
    ['chat.postMessage', { channel: 'C1' }, 'no_text'],
    ['chat.postMessage', { channel: 'C1', text: 'x', thread_ts: '1.000001' }, 'thread_not_found'],
    ['chat.postMessage', { channel: 'C1', text: 'x', blocks: 'nonsense' }, 'invalid_blocks'],
    ['chat.postMessage', { channel: 'C1', text: 'x', metadata: { turn: 1 } }, 'invalid_metadata_schema'],
    ['chat.update', { channel: 'C1', ts: '1.000001', text: 'x' }, 'message_not_found'],
    ['chat.delete', { channel: 'C1', ts: '1.000001' }, 'message_not_found'],
    ['conversations.replies', { channel: 'C1', ts: '1.000001' }, 'thread_not_found'],
    ['users.info', { user: 'U404' }, 'user_not_found'],
    ['assistant.threads.setStatus', { channel_id: 'C1', thread_ts: '1.000001', status: 'x' }, 'invalid_thread_ts'],
  ])('refuses %s %j', async (method, given, error) => {
    expect(await call(method, given)).toMatchObject({ status: 200, body: { ok: false, error } });
  });

  it('cuts a posted text at 40,000 characters and refuses an update over 4,000', async () => {
    const { body } = await post('x'.repeat(40_001));
    expect(texts()[0]).toHaveLength(40_000);
    const update = { channel: 'C1', ts: body.ts };
    expect((await call('chat.update', { ...update, text: 'x'.repeat(4001) })).body.error).toBe('msg_too_long');
    expect((await call('chat.update', { ...update, text: 'x'.repeat(4000) })).body.ok).toBe(true);
  });

  it('updates a message, repeatedly if need be, and keeps what it said before', async () => {
    const { body } = await post('…');
    for (let time = 1; time <= 2; time++) await call('chat.update', { channel: 'C1', ts: body.ts, text: 'done' });
    expect(channel.visible()).toMatchObject([{ text: 'done', revisions: [{ text: '…' }, { text: 'done' }, { text: 'done' }] }]);
  });

  it('changes only messages of the app', async () => {
    const { ts } = alice.in(channel, app).say('mine');
    expect((await call('chat.update', { channel: 'C1', ts, text: 'x' })).body.error).toBe('cant_update_message');
    expect((await call('chat.delete', { channel: 'C1', ts })).body.error).toBe('cant_delete_message');
  });

  it('finds messages again: newest first, threads apart, metadata on request', async () => {
    const metadata = { event_type: 'answer', event_payload: { turn: '1' } };
    const root = (await post('root')).body.ts;
    await post('reply', { thread_ts: root, metadata });
    clock.advance(1000);
    await post('later');
    const history = (await call('conversations.history', { channel: 'C1', include_all_metadata: true })).body.messages;
    expect(history.map((message: { text: string }) => message.text)).toEqual(['later', 'root']);
    const thread = async (more: object) => (await call('conversations.replies', { channel: 'C1', ts: root, ...more })).body.messages;
    expect((await thread({})).map((message: { text: string; metadata?: object }) => [message.text, message.metadata])).toEqual([
      ['root', undefined],
      ['reply', undefined],
    ]);
    expect((await thread({ include_all_metadata: true }))[1].metadata).toEqual(metadata);
  });

  it('gives history page by page', async () => {
    for (const text of ['1', '2', '3']) await post(text);
    const first = (await call('conversations.history', { channel: 'C1', limit: 2 })).body;
    expect(first).toMatchObject({ has_more: true, messages: [{ text: '3' }, { text: '2' }] });
    const second = await call('conversations.history', { channel: 'C1', limit: 2, cursor: first.response_metadata.next_cursor });
    expect(second.body).toMatchObject({ has_more: false, messages: [{ text: '1' }] });
  });

  it('shows the status of an assistant until it answers', async () => {
    const screen = alice.direct(app);
    const { ts } = screen.say('think');
    await call('assistant.threads.setStatus', { channel_id: screen.id, thread_ts: ts, status: 'is thinking…' });
    expect(screen.status(ts)).toBe('is thinking…');
    await call('chat.postMessage', { channel: screen.id, thread_ts: ts, text: 'done' });
    expect(screen.status(ts)).toBeUndefined();
    expect((await call('users.info', { user: 'U1' })).body.user).toMatchObject({ id: 'U1', real_name: 'Alice', team_id: 'T1' });
  });

  it('posts about once a second in a channel, and notices who does not wait', async () => {
    for (const text of ['1', '2', '3']) expect((await post(text)).status).toBe(200);
    const refused = await post('4');
    expect(refused).toMatchObject({ status: 429, body: { ok: false, error: 'ratelimited' } });
    expect(refused.headers.get('retry-after')).toBe('1');
    clock.advance(400);
    await post('4');
    expect(slack.violations).toMatchObject([{ operation: 'chat.postMessage', earlyMs: 600 }]);
    clock.advance(600);
    expect((await post('4')).status).toBe(200);
  });

  it('updates about fifty times a minute in a workspace', async () => {
    const { ts } = (await post('…')).body;
    const statuses = [];
    for (let number = 1; number <= 51; number++)
      statuses.push((await call('chat.update', { channel: 'C1', ts, text: `${number}` })).status);
    expect(statuses.indexOf(429)).toBe(50);
  });

  it('can accept a message and drop the answer', async () => {
    slack.faults.add({ match: 'chat.postMessage', kind: 'accept-then-drop', times: 1 });
    await expect(post('hi')).rejects.toThrow();
    expect(texts()).toEqual(['hi']);
  });

  it('fails as Slack does when told to', async () => {
    slack.faults.add({ match: /^chat/, kind: 'status', status: 429, retryAfterSeconds: 9, times: 1 });
    const limited = await post('hi');
    expect([limited.status, limited.headers.get('retry-after'), limited.body.error]).toEqual([429, '9', 'ratelimited']);
    slack.faults.add({ kind: 'status', status: 503, times: 1 });
    expect((await post('hi')).status).toBe(503);
  });
});
