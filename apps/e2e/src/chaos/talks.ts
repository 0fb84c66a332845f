import type { Ledger, SlackApp, SlackScreen, PersonChat, StandardWebhooksSender } from '@rockpool/testkit';
import type { ChaosChannel } from './options.js';

/** A message on its way to the product. */
export interface Sent {
  readonly text: string;
  /** The ledger's name of where the answer belongs. */
  readonly conversation: string;
  /** Resolves with true once the webhook got 2xx, with false when its sender gave it up. */
  readonly accepted: Promise<boolean>;
  /** Delivers the same event again, so many times at once; with `renamed`, on Slack, under other event ids. */
  redeliver(times: number, renamed: boolean): Promise<void>;
}

/** One conversation of one person with one tenant's assistant. */
export interface Talk {
  readonly channel: ChaosChannel;
  readonly tenantId: string;
  /** False where each message begins a conversation of its own. */
  readonly goesOn: boolean;
  /** Sends a new message of these words, with a token of the ledger's behind them. */
  say(ledger: Ledger, words?: string): Sent;
}

/** A private chat with a bot. Telegram delivers what is said in one chat strictly one after another. */
export function telegramTalk(tenantId: string, conversation: string, chat: PersonChat): Talk {
  return {
    channel: 'telegram',
    tenantId,
    goesOn: true,
    say(ledger, words) {
      const text = ledger.message(conversation, words);
      const { accepted, redeliver } = chat.say(text);
      return { text, conversation, accepted, redeliver: async (times) => void (await redeliver(times)) };
    },
  };
}

/** Direct messages with an app. */
export function slackDirectTalk(tenantId: string, conversation: string, screen: SlackScreen): Talk {
  return {
    channel: 'slack',
    tenantId,
    goesOn: true,
    say(ledger, words) {
      const text = ledger.message(conversation, words);
      const { accepted, redeliver } = screen.say(text);
      return { text, conversation, accepted, redeliver: async (times, renamed) => void (await redeliver(times, { newEventId: renamed })) };
    },
  };
}

/** Mentions in a channel, each the begin of a thread of its own; Slack tells each of them twice. */
export function slackThreadsTalk(tenantId: string, app: SlackApp, screen: SlackScreen, conversationOf: (ts: string) => string): Talk {
  return {
    channel: 'slack',
    tenantId,
    goesOn: false,
    say(ledger, words = 'message') {
      const text = ledger.message('a thread that is not begun yet', `<@${app.user.id}> ${words}`);
      const { ts, accepted, redeliver } = screen.say(text);
      const conversation = conversationOf(ts);
      ledger.expectIn(text, conversation);
      return { text, conversation, accepted, redeliver: async (times, renamed) => void (await redeliver(times, { newEventId: renamed })) };
    },
  };
}

/** A program that sends Standard Webhooks and takes answers at its own address. */
export function httpTalk(tenantId: string, name: string, sender: StandardWebhooksSender): Talk {
  return {
    channel: 'http',
    tenantId,
    goesOn: true,
    say(ledger, words) {
      const conversation = httpConversation(tenantId, name);
      const text = ledger.message(conversation, words);
      const sent = sender.send({ type: 'message', data: { conversation: name, text } }, { text });
      const redeliver = async (times: number) => void (await Promise.all(Array.from({ length: times }, () => sent.redeliver())));
      return { text, conversation, accepted: sent.accepted, redeliver };
    },
  };
}

/** The ledger's name of a conversation over Standard Webhooks. */
export function httpConversation(tenantId: string, name: string): string {
  return `http:${tenantId}:${name}`;
}
