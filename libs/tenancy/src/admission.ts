import type { InboundMessage } from '@rockpool/contracts';
import type { ChannelSettings, Tenant } from './tenant.js';

/** Why an event goes no further. Stable: shown in the inbox. */
export type DropReason =
  /** No tenant has this route, or it was removed. */
  | 'unknown-tenant'
  | 'suspended'
  /** The tenant does not have this channel, has it with a bot of its own and this came through the shared one (or the reverse), or has another workspace. */
  | 'channel-not-configured'
  | 'sender-not-allowed'
  | 'group-not-allowed'
  /** Bots are never answered, so that two of them cannot keep each other talking. */
  | 'sender-is-bot'
  /** In a group, to somebody else. */
  | 'not-addressed';

/** What becomes of an event: it starts a turn, is only put on record (`reason` is its kind), or goes no further. */
export type Admission =
  { readonly kind: 'run' } | { readonly kind: 'record'; readonly reason: string } | { readonly kind: 'drop'; readonly reason: DropReason };

/**
 * Decides what becomes of an event. Every kind of event passes the sender policy first, so nobody can act through an edit, a reaction or a button what
 * they may not say; a list with nobody in it lets nobody in; only a message can run, and never a bot's.
 */
export function admit(tenant: Tenant | undefined, message: InboundMessage): Admission {
  if (!tenant) return drop('unknown-tenant');
  if (tenant.spec.suspended) return drop('suspended');
  if (message.sender.isBot) return drop('sender-is-bot');
  const refusal = refusalOf(tenant.spec.channels, message);
  if (refusal) return drop(refusal);
  if (message.kind !== 'message') return { kind: 'record', reason: message.kind };
  if (message.chatKind === 'group' && !message.addressed) return drop('not-addressed');
  return { kind: 'run' };
}

const drop = (reason: DropReason): Admission => ({ kind: 'drop', reason });

function refusalOf(channels: ChannelSettings, message: InboundMessage): DropReason | undefined {
  switch (message.target.channel) {
    case 'telegram':
      return telegramRefusal(channels.telegram, message);
    case 'slack':
      return slackRefusal(channels.slack, message);
    // Who holds a valid session or signing secret is the sender the tenant wants: both were verified before the event existed.
    case 'web':
      return channels.web ? undefined : 'channel-not-configured';
    case 'http':
      return channels.http ? undefined : 'channel-not-configured';
  }
}

function telegramRefusal(settings: ChannelSettings['telegram'], message: InboundMessage): DropReason | undefined {
  if (!settings || settings.shared !== message.target.shared) return 'channel-not-configured';
  if (message.chatKind === 'group') return settings.groups.includes(message.target.chatId) ? undefined : 'group-not-allowed';
  if (!settings.shared && settings.dmPolicy === 'open') return undefined;
  const allowed = settings.shared ? settings.people : settings.allowFrom;
  return allowed.includes(message.sender.id) ? undefined : 'sender-not-allowed';
}

function slackRefusal(settings: ChannelSettings['slack'], message: InboundMessage): DropReason | undefined {
  if (!settings || settings.shared !== message.target.shared || settings.team !== message.target.account) return 'channel-not-configured';
  const people = settings.shared ? settings.people : settings.allowFrom;
  const isListed = people.includes(message.sender.id);
  // `T9:U1` is a guest of another workspace. What is open is open to the tenant's own people: a guest has to be listed, wherever the message is.
  if (message.sender.id.includes(':') && !isListed) return 'sender-not-allowed';
  if (message.chatKind === 'group') {
    const anyChannel = settings.shared ? settings.dmPolicy === 'open' : settings.channels.length === 0;
    return anyChannel || settings.channels.includes(message.target.chatId) ? undefined : 'group-not-allowed';
  }
  return settings.dmPolicy === 'open' || isListed ? undefined : 'sender-not-allowed';
}
