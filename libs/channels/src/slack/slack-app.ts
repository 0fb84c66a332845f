import type { InboundMessage, ReplyTarget } from '@rockpool/contracts';
import { makeConversationId } from '../inbound-ids.js';
import type { EndpointCredentials } from '../webhook-channel.js';

/** Where something happened in Slack; `undefined` where the event says nothing of it. */
export interface SlackPlace {
  readonly channel?: string;
  readonly threadTs?: string;
  readonly messageTs?: string;
  readonly direct: boolean;
}

/** What one delivery says about the app it came to: whose it is, in which workspace, and which users the app itself is. */
export class SlackApp {
  /** The workspace the delivery is for. */
  readonly team: string;

  constructor(
    readonly id: string,
    team: string | undefined,
    private readonly botUsers: ReadonlySet<string>,
    private readonly credentials: EndpointCredentials,
    readonly receivedAt: Date,
  ) {
    this.team = team ?? credentials.account;
  }

  /** The workspace whose people count as the tenant's own: the one its endpoint was made for, or for the shared app the one that was delivered to. */
  private get ownTeam(): string {
    return this.credentials.tenantId === undefined ? this.team : this.credentials.account;
  }

  isBotUser(user: string | undefined): boolean {
    return user !== undefined && this.botUsers.has(user);
  }

  get botUserIds(): ReadonlySet<string> {
    return this.botUsers;
  }

  /**
   * `U1` for a person of the own workspace, `T9:U1` for one of another (a channel shared through Slack Connect): a policy that trusts the own workspace
   * cannot match a guest by accident, and one that trusts a guest names the workspace too.
   */
  senderId(user: string, team: string | undefined): string {
    return team === undefined || team === this.ownTeam ? user : `${team}:${user}`;
  }

  /** What every event of this app has. Without a channel the event belongs to a conversation nobody can write to. */
  envelope(place: SlackPlace): Pick<InboundMessage, 'tenantId' | 'conversationId' | 'target' | 'chatKind' | 'receivedAt'> {
    const chatId = place.channel ?? 'none';
    const target: ReplyTarget = {
      channel: 'slack',
      account: this.team,
      chatId,
      ...(place.threadTs !== undefined && { threadId: place.threadTs }),
      ...(place.messageTs !== undefined && { messageId: place.messageTs }),
      shared: this.credentials.tenantId === undefined,
    };
    return {
      ...(this.credentials.tenantId !== undefined && { tenantId: this.credentials.tenantId }),
      conversationId: makeConversationId('slack', this.team, chatId, place.threadTs),
      target,
      chatKind: place.direct ? 'direct' : 'group',
      receivedAt: this.receivedAt.toISOString(),
    };
  }
}

/** A direct channel's id begins with D; `channel_type` says it too, where there is one. */
export function isDirectChannel(channel: string | undefined, type?: string): boolean {
  return type === undefined ? channel === undefined || channel.startsWith('D') : type === 'im' || type === 'app_home';
}
