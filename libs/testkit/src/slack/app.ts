import type { SlackChannel } from './channel.js';
import type { EventDelivery } from './event-delivery.js';
import type { SlackUser } from './types.js';

/** An app to simulate, installed in one workspace. */
export interface SlackAppOptions {
  /** Workspace it is installed in. */
  readonly team: string;
  readonly botToken: string;
  readonly signingSecret: string;
  readonly appId?: string;
  readonly botUserId?: string;
  readonly botId?: string;
  /** Request URL of the Events API. Without it nothing is delivered. */
  readonly eventsUrl?: string;
  /** Bot events it subscribes to; by default mentions and messages everywhere. */
  readonly events?: readonly SlackEventName[];
}

/** https://docs.slack.dev/reference/events */
export type SlackEventName = 'app_mention' | 'message.channels' | 'message.groups' | 'message.im';

/** An installed app: its credentials, its bot user, the channels it is a member of. */
export class SlackApp {
  readonly team: string;
  readonly appId: string;
  readonly botToken: string;
  readonly botId: string;
  readonly user: SlackUser;
  readonly events: ReadonlySet<SlackEventName>;
  readonly channels = new Map<string, SlackChannel>();

  constructor(
    options: SlackAppOptions,
    number: number,
    readonly delivery: EventDelivery,
  ) {
    this.team = options.team;
    this.botToken = options.botToken;
    this.appId = options.appId ?? `A${number}APP`;
    this.botId = options.botId ?? `B${number}BOT`;
    this.user = { id: options.botUserId ?? `U${number}BOT`, name: `bot${number}`, team: options.team, isBot: true };
    this.events = new Set(options.events ?? ['app_mention', 'message.channels', 'message.groups', 'message.im']);
  }
}
