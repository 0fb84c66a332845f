import { NotFound, type ReplyTarget, type TenantId } from '@rockpool/contracts';
import { ReplyChannels, type ReplyChannel } from '@rockpool/conversations';
import { HttpReplyChannel, type HttpReplyDestination } from './http/http-reply-channel.js';
import { Pacer } from './pacing.js';
import { SlackApi } from './slack/slack-api.js';
import { SlackReplyChannel } from './slack/slack-reply-channel.js';
import { TelegramApi } from './telegram/telegram-api.js';
import { TelegramReplyChannel } from './telegram/telegram-reply-channel.js';
import { WebReplyChannel, type WebFeed } from './web/index.js';

/** What answers are sent with. Both reject with `not_found`, or resolve with `undefined`, where nothing is set up. */
export interface ReplyCredentials {
  /** The token of the bot that received the message: the tenant's own, or the shared one while the tenant has a place on it. */
  botToken(tenantId: TenantId, target: ReplyTarget): Promise<string>;
  httpReply(tenantId: TenantId): Promise<HttpReplyDestination | undefined>;
}

/** Where the channels are reached. */
export interface ReplyDestinations {
  readonly telegramApiUrl: string;
  readonly slackApiUrl: string;
  readonly feed: WebFeed;
  /** Shortest time between two updates of a streamed web answer; the channel's own when absent. */
  readonly webUpdateIntervalMs?: number;
}

/** The sending side of every channel, with one pacer, so that all conversations of a bot share its limits. */
export class ChannelReplies extends ReplyChannels {
  private readonly pacer = new Pacer();

  constructor(
    private readonly credentials: ReplyCredentials,
    private readonly destinations: ReplyDestinations,
  ) {
    super();
  }

  async for(tenantId: TenantId, target: ReplyTarget): Promise<ReplyChannel> {
    switch (target.channel) {
      case 'telegram': {
        const botToken = await this.credentials.botToken(tenantId, target);
        // Another bot of the tenant than the one that received the message is a stranger in that chat.
        if (/^\d+:/.test(botToken) && !botToken.startsWith(`${target.account}:`)) {
          throw new NotFound(`tenant ${tenantId} has no Telegram bot ${target.account} any more`);
        }
        return new TelegramReplyChannel(new TelegramApi(this.destinations.telegramApiUrl, botToken), this.pacer, target);
      }
      case 'slack': {
        const botToken = await this.credentials.botToken(tenantId, target);
        return new SlackReplyChannel(new SlackApi(this.destinations.slackApiUrl, botToken), this.pacer);
      }
      case 'http':
        return new HttpReplyChannel(await this.credentials.httpReply(tenantId));
      case 'web':
        return new WebReplyChannel(this.destinations.feed, tenantId, this.destinations.webUpdateIntervalMs);
    }
  }
}
