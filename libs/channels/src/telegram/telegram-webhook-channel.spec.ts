import { describe, expect, it } from '@jest/globals';
import { tenantId } from '@rockpool/contracts';
import { signTelegram } from '@rockpool/testkit';
import { Pacer } from '../pacing.js';
import { channelContract } from '../testing/channel.contract.js';
import { fixture, fixtureNames, receivedAt, webhookRequest } from '../testing/requests.js';
import type { EndpointCredentials } from '../webhook-channel.js';
import { TelegramApi } from './telegram-api.js';
import { TelegramReplyChannel } from './telegram-reply-channel.js';
import { TelegramWebhookChannel } from './telegram-webhook-channel.js';

const channel = new TelegramWebhookChannel();
const credentials: EndpointCredentials = {
  tenantId: tenantId.parse('alice'),
  account: '1000001',
  signingSecrets: ['alice_webhook_secret-1'],
  botUsername: 'Rockpool_bot',
};
const target = { channel: 'telegram' as const, account: '1000001', chatId: '12345', shared: false };

let updateId = 900_000;
function request(body: string | Uint8Array, secret: string) {
  const signed = signTelegram({ secret, body });
  return webhookRequest(signed.body, signed.headers);
}
function privateMessage(text: string): string {
  const from = { id: 12345, is_bot: false, first_name: 'Alice' };
  return JSON.stringify({
    update_id: ++updateId,
    message: { message_id: 1, from, chat: { id: 12345, type: 'private' }, date: 1_769_421_600, text },
  });
}
const parse = (name: string, more: Partial<EndpointCredentials> = {}) =>
  channel.parse(webhookRequest(fixture(`telegram/${name}.json`)), { ...credentials, ...more }).messages;

channelContract('Telegram', () => ({
  channel,
  credentials,
  otherCredentials: { ...credentials, tenantId: tenantId.parse('bob'), account: '2000002', signingSecrets: ['bob_webhook_secret'] },
  spareSecret: 'alice_webhook_secret-2',
  sign: request,
  proofHeaders: ['x-telegram-bot-api-secret-token'],
  coversBody: false,
  message: privateMessage,
  ownMessages: [fixture('telegram/message-from-itself.json'), fixture('telegram/message-via-own-inline.json')],
  duplicates: [[1, 2, 3].map(() => request(fixture('telegram/message-text.json'), 'alice_webhook_secret-1'))],
  replies: new TelegramReplyChannel(new TelegramApi('http://127.0.0.1:9', '1000001:x'), new Pacer(), target),
  limit: 4096,
  lengthOf: (payload) => (payload as { plain: string }).plain.length,
}));

describe('Telegram updates', () => {
  it.each(fixtureNames('telegram', '.json'))('read %s', (name) => {
    expect(parse(name)).toMatchSnapshot();
  });

  it('have ids made of the bot and the number of the update, and conversations of the bot, the chat and the topic', () => {
    expect(parse('message-text')).toMatchObject([{ eventId: 'telegram:1000001:100001', conversationId: 'telegram:1000001:12345' }]);
    expect(parse('message-in-forum-topic')).toMatchObject([
      { conversationId: 'telegram:1000001:-1001234567891:42', target: { chatId: '-1001234567891', threadId: '42' } },
    ]);
  });

  it.each([
    ['message-reply-to-bot-in-group', 'and tomorrow?'],
    ['message-mention-in-group', 'what is the plan?'],
    ['message-text-mention-in-group', 'what is the plan?'],
    ['message-command-for-bot-in-group', '/status now'],
    ['message-in-forum-topic', 'hi'],
    ['message-from-anonymous-admin', 'sum up'],
  ])('of a group address the bot in %s', (name, text) => {
    expect(parse(name)).toMatchObject([{ kind: 'message', chatKind: 'group', addressed: true, text }]);
  });

  it.each([
    'message-unaddressed-in-group',
    'message-command-for-other-bot',
    'message-in-forum-topic-unaddressed',
    'message-reply-chain-in-group',
    'message-from-linked-channel',
  ])('of a group do not address the bot in %s', (name) => {
    expect(parse(name)).toMatchObject([{ kind: 'message', chatKind: 'group', addressed: false }]);
  });

  it('take the mention of any bot for one of theirs when nobody told their name', () => {
    expect(parse('message-mention-in-group', { botUsername: undefined })).toMatchObject([{ addressed: true }]);
    expect(parse('message-unaddressed-in-group', { botUsername: undefined })).toMatchObject([{ addressed: false }]);
  });

  it('of a kind that starts turns are only messages of people', () => {
    const starting = fixtureNames('telegram', '.json').filter((name) => parse(name).some((message) => message.kind === 'message'));
    expect(starting.filter((name) => !name.startsWith('message-'))).toEqual(['channel-post']);
    expect(parse('message-from-other-bot')).toMatchObject([{ kind: 'other', sender: { isBot: true } }]);
  });

  it('name the chat as the sender of what an anonymous admin wrote, for the stand-in account is everybody', () => {
    expect(parse('message-from-anonymous-admin')).toMatchObject([{ sender: { id: '-1001234567890', isBot: false } }]);
  });

  it('of an unforeseen shape are recorded, since Telegram would hold back the chat until they are taken', () => {
    const odd = (update: object) => channel.parse(webhookRequest(JSON.stringify({ update_id: 1, ...update })), credentials).messages;
    expect(odd({ message: 'not an object' })).toMatchObject([{ kind: 'other', providerType: 'message' }]);
    expect(odd({})).toMatchObject([{ kind: 'other', providerType: 'empty' }]);
    expect(odd({ message: { message_id: 1, chat: { id: 5, type: 'private' }, text: 7, photo: 'none', date: 'yesterday' } })).toMatchObject([
      { kind: 'status', sentAt: receivedAt.toISOString() },
    ]);
  });
});
