import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { codeOf, isTerminal, type ReplyTarget } from '@rockpool/contracts';
import { ManualClock, SlackSimulator, type SlackApp, type SlackScreen } from '@rockpool/testkit';
import { Pacer } from '../pacing.js';
import { closedPortUrl } from '../testing/closed-port.js';
import { instantClock } from '../testing/instant-clock.js';
import { patiently } from '../testing/patiently.js';
import { SlackApi } from './slack-api.js';
import { SlackReplyChannel } from './slack-reply-channel.js';

describe('answers in Slack', () => {
  let clock: ManualClock;
  let slack: SlackSimulator;
  let app: SlackApp;
  let screen: SlackScreen;
  let channel: SlackReplyChannel;
  let direct: ReplyTarget;
  const final = { final: true };

  beforeEach(async () => {
    clock = new ManualClock();
    slack = new SlackSimulator({ clock });
    await slack.start();
    app = slack.app({ team: 'T1', botToken: 'xoxb-1', signingSecret: 'hush' });
    screen = slack.person({ id: 'U1', name: 'Alice', team: 'T1' }).direct(app);
    channel = channelAt(`${slack.url}/api`);
    direct = { channel: 'slack', account: 'T1', chatId: screen.id, shared: false };
  });
  afterEach(() => slack.close());

  const channelAt = (url: string, token = 'xoxb-1') => new SlackReplyChannel(new SlackApi(url, token), new Pacer(instantClock(clock)));
  const texts = () => screen.visible().map((message) => message.text);
  const outcome = (promise: Promise<unknown>) =>
    promise.then(
      () => 'done' as const,
      (error: unknown) => ({ code: codeOf(error), terminal: isTerminal(error) }),
    );

  it('replace a placeholder, in mrkdwn', async () => {
    const receipt = await channel.place(direct, 'event#0.0');
    expect(texts()).toEqual(['…']);
    await channel.update(direct, receipt, channel.render('**Hi** <you> & [more](https://example.com/)')[0]!, final);
    expect(screen.visible()).toMatchObject([{ source: '*Hi* &lt;you&gt; &amp; <https://example.com/|more>' }]);
    expect(slack.calls.at(-1)?.arguments).toMatchObject({ unfurl_links: false, unfurl_media: false });
  });

  it('may be put in place again', async () => {
    const receipt = await channel.place(direct, 'event#0.0');
    for (let time = 0; time < 3; time++) await channel.update(direct, receipt, channel.render('done')[0]!, final);
    expect(texts()).toEqual(['done']);
  });

  it('of any length fit the limit of an update', async () => {
    for (const chunk of channel.render(`# Long\n\n${'**word** 😀 & <tag> '.repeat(1_000)}`)) {
      const receipt = await patiently(clock, () => channel.place(direct, 'event#0.0'));
      await patiently(clock, () => channel.update(direct, receipt, chunk, final));
    }
    expect(texts().join(' ').match(/word/g)).toHaveLength(1_000);
    expect(slack.calls.filter((call) => call.error === 'msg_too_long')).toEqual([]);
  });

  it('stay in the thread they belong to, and show a status there', async () => {
    const team = slack.channel({ id: 'C1', apps: [app] });
    const said = slack.person({ id: 'U2', name: 'Bob', team: 'T1' }).in(team, app).say('hi');
    const target = { ...direct, chatId: 'C1', threadId: said.ts };
    await channel.typing(target);
    expect(team.status(said.ts)).toBe('is thinking…');
    await channel.place(target, 'event#0.0');
    expect(team.visible().at(-1)).toMatchObject({ from: 'bot', threadTs: said.ts });
  });

  it('ask for no status outside of threads, nor again where it is refused', async () => {
    await channel.typing(direct);
    await channel.typing({ ...direct, threadId: '1.000001' });
    await channel.typing({ ...direct, threadId: '1.000001' });
    expect(slack.calls.map((call) => call.error)).toEqual(['invalid_thread_ts']);
  });

  it('are given up when the channel or the message is gone, or the token revoked', async () => {
    expect(await outcome(channel.place({ ...direct, chatId: 'C404' }, 'event#0.0'))).toEqual({ code: 'terminal', terminal: true });
    expect(await outcome(channel.update(direct, '1.000001', channel.render('x')[0]!, final))).toMatchObject({ terminal: true });
    expect(await outcome(channelAt(`${slack.url}/api`, 'xoxb-revoked').place(direct, 'event#0.0'))).toMatchObject({ terminal: true });
  });

  it('are of unknown outcome when no answer came or Slack does not know', async () => {
    for (const fault of [{ kind: 'accept-then-drop' }, { kind: 'reset' }, { kind: 'status', status: 500 }] as const) {
      slack.faults.add({ ...fault, times: 1 });
      expect(await outcome(channel.place(direct, 'event#0.0'))).toEqual({ code: 'outcome_unknown', terminal: false });
    }
    expect(await outcome(channelAt(await closedPortUrl()).place(direct, 'event#0.0'))).toEqual({ code: 'internal', terminal: false });
  });

  it('take away what a posting without an answer left, and nothing else', async () => {
    const said = screen.say('hello');
    const target = { ...direct, messageId: said.ts };
    const earlier = await channel.place(target, 'event#0.0');
    slack.faults.add({ kind: 'accept-then-drop', times: 1 });
    expect(await outcome(channel.place(target, 'event#0.1'))).toMatchObject({ code: 'outcome_unknown' });
    const receipt = await channel.place(target, 'event#0.1');
    expect(texts()).toEqual(['hello', '…', '…', '…']);
    await channel.sweep(target, 'event#0.1', receipt);
    expect(screen.visible().map(({ ts }) => ts)).toEqual([said.ts, earlier, receipt]);
  });

  it('take it away where they answer no message of a person', async () => {
    const atNobody = { ...direct, messageId: undefined };
    const earlier = await channel.place(atNobody, 'event#0.1');
    slack.faults.add({ kind: 'accept-then-drop', match: 'chat.postMessage', times: 1 });
    expect(await outcome(channel.place(atNobody, 'event#0.0'))).toMatchObject({ code: 'outcome_unknown' });
    const receipt = await channel.place(atNobody, 'event#0.0');
    await channel.sweep(atNobody, 'event#0.0', receipt);
    const bots = screen.visible().filter(({ from }) => from === 'bot');
    expect(bots.map(({ ts }) => ts)).toEqual([earlier, receipt]);
  });

  it('take it away in a thread too', async () => {
    const team = slack.channel({ id: 'C1', apps: [app] });
    const said = slack.person({ id: 'U2', name: 'Bob', team: 'T1' }).in(team, app).say('hi');
    const target = { ...direct, chatId: 'C1', threadId: said.ts, messageId: said.ts };
    slack.faults.add({ kind: 'accept-then-drop', times: 1 });
    expect(await outcome(channel.place(target, 'event#0.0'))).toMatchObject({ code: 'outcome_unknown' });
    const receipt = await channel.place(target, 'event#0.0');
    await channel.sweep(target, 'event#0.0', receipt);
    expect(team.visible().map(({ ts }) => ts)).toEqual([said.ts, receipt]);
  });

  it('wait as long as Slack asks', async () => {
    slack.faults.add({ kind: 'status', status: 429, retryAfterSeconds: 30, times: 1 });
    await expect(channel.place(direct, 'event#0.0')).rejects.toMatchObject({ afterMs: 30_000 });
    await expect(channel.place(direct, 'event#0.0')).rejects.toMatchObject({ afterMs: 30_100 });
    clock.advance(30_100);
    await channel.place(direct, 'event#0.0');
    expect(slack.violations).toEqual([]);
  });

  it('are seldom refused for their rate, and keep to it from then on', async () => {
    for (let number = 0; number < 120; number++) {
      const receipt = await patiently(clock, () => channel.place(direct, 'event#0.0'));
      await patiently(clock, () => channel.update(direct, receipt, channel.render(`${number}`)[0]!, final));
    }
    expect(texts()).toHaveLength(120);
    expect(slack.calls.filter((call) => call.error !== undefined).length).toBeLessThanOrEqual(2);
    expect(slack.violations).toEqual([]);
  });
});
