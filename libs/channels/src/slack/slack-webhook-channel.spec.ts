import { describe, expect, it } from '@jest/globals';
import { codeOf, tenantId } from '@rockpool/contracts';
import { signSlack } from '@rockpool/testkit';
import { Pacer } from '../pacing.js';
import { channelContract } from '../testing/channel.contract.js';
import { fixture, fixtureNames, receivedAt, webhookRequest } from '../testing/requests.js';
import type { EndpointCredentials } from '../webhook-channel.js';
import { SlackApi } from './slack-api.js';
import { SlackReplyChannel } from './slack-reply-channel.js';
import { SlackWebhookChannel } from './slack-webhook-channel.js';

const channel = new SlackWebhookChannel();
const secret = '0123456789abcdef0123456789abcdef';
const credentials: EndpointCredentials = { tenantId: tenantId.parse('alice'), account: 'T0123', signingSecrets: [secret] };
const nowSeconds = receivedAt.getTime() / 1000;
const formType = 'application/x-www-form-urlencoded';

function request(body: string | Uint8Array, signingSecret = secret, options: { timestamp?: number; contentType?: string } = {}) {
  const signed = signSlack({ secret: signingSecret, body, timestamp: nowSeconds, ...options });
  return webhookRequest(signed.body, signed.headers);
}
let count = 0;
function directMessage(text: string): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const ts = `1769421600.${String(++count).padStart(6, '0')}`;
  const event = { type: 'message', user: 'U0ALICE', channel: 'D0ALICE', channel_type: 'im', text: escaped, ts, event_ts: ts };
  return JSON.stringify({
    type: 'event_callback',
    team_id: 'T0123',
    api_app_id: 'A0456',
    event,
    event_id: `EvNew${count}`,
    event_time: 1_769_421_600,
  });
}
const parse = (name: string, more: Partial<EndpointCredentials> = {}) =>
  channel.parse(webhookRequest(fixture(`slack/${name}.json`)), { ...credentials, ...more }).messages;
const parseForm = (name: string) =>
  channel.parse(webhookRequest(fixture(`slack/${name}.form`), { 'content-type': formType }), credentials).messages;
const changed = (name: string, change: object) => JSON.stringify({ ...JSON.parse(fixture(`slack/${name}.json`)), ...change });

channelContract('Slack', () => ({
  channel,
  credentials,
  otherCredentials: { tenantId: tenantId.parse('bob'), account: 'T0999', signingSecrets: ['fedcba9876543210fedcba9876543210'] },
  spareSecret: '00112233445566778899aabbccddeeff',
  sign: (body, signingSecret) => request(body, signingSecret),
  proofHeaders: ['x-slack-signature', 'x-slack-request-timestamp'],
  coversBody: true,
  message: directMessage,
  ownMessages: [fixture('slack/message-own.json'), fixture('slack/message-own-edit.json')],
  duplicates: [
    [request(fixture('slack/message-im.json')), request(changed('message-im', { event_id: 'EvAnother' }))],
    [request(fixture('slack/app-mention.json')), request(fixture('slack/message-channel-mention.json'))],
    [request(fixture('slack/reaction-added.json')), request(fixture('slack/reaction-added.json'))],
  ],
  replies: new SlackReplyChannel(new SlackApi('http://127.0.0.1:9', 'xoxb-x'), new Pacer()),
  limit: 3_900,
  lengthOf: (payload) => String(payload).length,
}));

describe('Slack signatures', () => {
  const accepts = (...[body, signingSecret, options]: Parameters<typeof request>) => {
    try {
      channel.verify(request(body, signingSecret, options), { ...credentials, signingSecrets: [signingSecret ?? secret] });
      return true;
    } catch (error) {
      expect(codeOf(error)).toBe('unauthenticated');
      return false;
    }
  };

  it("agree with the example of Slack's documentation", () => {
    const body =
      'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c';
    const headers = {
      'x-slack-request-timestamp': '1531420618',
      'x-slack-signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
    };
    const documented = webhookRequest(body, headers, new Date(1_531_420_618_000));
    const documentedCredentials = { ...credentials, signingSecrets: ['8f742231b10e8888abcd99yyyzzz85a5'] };
    expect(() => channel.verify(documented, documentedCredentials)).not.toThrow();
    expect(() => channel.verify({ ...documented, body: Buffer.from(`${body} `) }, documentedCredentials)).toThrow();
  });

  it('are good for exactly 300 s on both sides', () => {
    for (const seconds of [-300, -299, 0, 299, 300]) expect(accepts('{}', secret, { timestamp: nowSeconds + seconds })).toBe(true);
    for (const seconds of [-301, 301, -86_400]) expect(accepts('{}', secret, { timestamp: nowSeconds + seconds })).toBe(false);
  });

  it.each(['0x6977', '1.7694216e9', '+1769421601', '-1', ' 1769421601', '1769421601.0', '1e9', '', '01769421601', '１７６９４２１６０１'])(
    'refuse the timestamp "%s" even when it is signed',
    (timestamp) => {
      expect(accepts('{}', secret, { timestamp: timestamp as unknown as number })).toBe(false);
    },
  );
});

describe('Slack deliveries', () => {
  it.each(fixtureNames('slack', '.json'))('read %s', (name) => {
    expect(channel.parse(webhookRequest(fixture(`slack/${name}.json`)), credentials)).toMatchSnapshot();
  });

  it.each(fixtureNames('slack', '.form'))('read the form %s', (name) => {
    expect(parseForm(name)).toMatchSnapshot();
  });

  it('answer the check of the URL with its challenge, as text, and only with that', () => {
    const challenge = (value: unknown) =>
      channel.parse(webhookRequest(JSON.stringify({ type: 'url_verification', challenge: value })), credentials);
    expect(challenge('abc.DEF-123')).toEqual({ messages: [], response: { contentType: 'text/plain', body: 'abc.DEF-123' } });
    for (const other of [undefined, 7, {}, '', '<script>', 'x'.repeat(201), 'a\nb']) expect(() => challenge(other)).toThrow('challenge');
  });

  it('of one message have one id, whatever their number and type', () => {
    expect(parse('message-channel-mention')[0]?.eventId).toBe('slack:A0456:T0123:C0TEAM:1769421600.009999');
    expect(parse('app-mention')[0]?.eventId).toBe('slack:A0456:T0123:C0TEAM:1769421600.009999');
    expect(parse('reaction-added')[0]?.eventId).toMatch(/^slack:A0456:Ev\d+$/);
  });

  it('of a retry are read like the first', () => {
    const first = webhookRequest(fixture('slack/message-im.json'));
    const retry = { ...first, headers: { ...first.headers, 'x-slack-retry-num': ['1'], 'x-slack-retry-reason': ['http_timeout'] } };
    expect(channel.parse(retry, credentials)).toEqual(channel.parse(first, credentials));
  });

  it('leave the id to the mention when they cannot tell that the bot is mentioned', () => {
    const unauthorized = (name: string) =>
      channel.parse(webhookRequest(changed(name, { authorizations: undefined })), credentials).messages[0];
    expect(unauthorized('message-channel-mention')).toMatchObject({ addressed: false });
    expect(unauthorized('app-mention')).toMatchObject({ addressed: true });
    expect(unauthorized('message-channel-mention')?.eventId).not.toBe(unauthorized('app-mention')?.eventId);
  });

  it('answer in the thread in channels, and where the person writes in direct messages', () => {
    expect(parse('message-channel-mention')).toMatchObject([
      { conversationId: 'slack:T0123:C0TEAM:1769421600.009999', target: { threadId: '1769421600.009999' }, addressed: true },
    ]);
    expect(parse('message-channel-thread-reply')).toMatchObject([
      { conversationId: 'slack:T0123:C0TEAM:1769421000.000100', addressed: true },
    ]);
    const [direct] = parse('message-im');
    expect(direct).toMatchObject({ conversationId: 'slack:T0123:D0ALICE', chatKind: 'direct' });
    expect(direct?.target.threadId).toBeUndefined();
  });

  it('are read as a person reads them, without the mention that only addresses the bot', () => {
    expect(parse('message-im')[0]?.text).toBe('Is 1 < 2 & 3?');
    expect(parse('app-mention')[0]?.text).toBe('what did @carol say in #news? @here see the page (https://example.com/a?b=1&c=2)');
  });

  it('show that a sender is of another workspace', () => {
    expect(parse('message-foreign-person')[0]?.sender.id).toBe('T0999:U9GUEST');
    expect(parse('message-im', { account: 'T0OTHER' })[0]?.sender.id).toBe('T0123:U0ALICE');
    expect(parse('message-im', { account: '', tenantId: undefined })).toMatchObject([
      { sender: { id: 'U0ALICE' }, target: { account: 'T0123', shared: true } },
    ]);
  });

  it('do not take a person whose token the app uses for the bot', () => {
    const authorizations = [{ team_id: 'T0123', user_id: 'U0ALICE', is_bot: false }];
    const [message] = channel.parse(webhookRequest(changed('message-im', { authorizations })), credentials).messages;
    expect(message?.kind).toBe('message');
  });

  it('of a kind that starts turns are only messages of people', () => {
    const starting = fixtureNames('slack', '.json').filter((name) => parse(name).some((message) => message.kind === 'message'));
    expect(starting.every((name) => name.startsWith('message-') || name === 'app-mention')).toBe(true);
    for (const name of ['message-other-bot', 'message-changed', 'message-deleted', 'message-channel-join'])
      expect(starting).not.toContain(name);
  });

  it('turn a slash command into a message and a pressed button into a callback', () => {
    expect(parseForm('slash-command')).toMatchObject([{ kind: 'message', text: "what's the weather in Zürich?", addressed: true }]);
    expect(parseForm('slash-command-without-text')).toMatchObject([{ text: '/stop', chatKind: 'direct' }]);
    expect(parseForm('block-actions')).toMatchObject([{ kind: 'callback', text: 'yes', target: { threadId: '1769421000.000100' } }]);
    expect(parseForm('ssl-check')).toEqual([]);
  });
});
