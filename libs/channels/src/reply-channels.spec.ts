import { describe, expect, it } from '@jest/globals';
import { codeOf, NotFound, tenantId, type ReplyTarget } from '@rockpool/contracts';
import { ChannelReplies, type ReplyCredentials } from './reply-channels.js';
import type { WebFeed } from './web/index.js';

const alice = tenantId.parse('alice');
const target = (channel: ReplyTarget['channel'], account = '1000001'): ReplyTarget => ({ channel, account, chatId: '1', shared: false });

const credentials: ReplyCredentials = {
  botToken: (tenant, { channel }) =>
    tenant === alice ? Promise.resolve(channel === 'telegram' ? '1000001:secret' : 'xoxb-1') : Promise.reject(new NotFound('no bot')),
  httpReply: () => Promise.resolve(undefined),
};

describe('the sending sides of the channels', () => {
  const replies = new ChannelReplies(credentials, {
    telegramApiUrl: 'http://127.0.0.1:9',
    slackApiUrl: 'http://127.0.0.1:9',
    feed: {} as WebFeed,
  });

  it.each([
    ['telegram', 'edit'],
    ['slack', 'edit'],
    ['http', 'key'],
    ['web', 'key'],
  ] as const)('include %s, which keeps one visible answer by %s', async (channel, guarantee) => {
    expect((await replies.for(alice, target(channel))).guarantee).toBe(guarantee);
  });

  it('are not found for a tenant without credentials, nor for a bot it has no more', async () => {
    expect(await replies.for(tenantId.parse('bob'), target('slack')).catch(codeOf)).toBe('not_found');
    expect(await replies.for(alice, target('telegram', '2000002')).catch(codeOf)).toBe('not_found');
  });
});
