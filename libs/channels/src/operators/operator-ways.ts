import { TerminalError } from '@rockpool/contracts';
import { signatureOf } from '../http/standard-webhooks.js';
import { postOnce } from '../provider-call.js';
import { SlackApi } from '../slack/slack-api.js';
import { TelegramApi } from '../telegram/telegram-api.js';

/** Telegram takes 4,096, Slack more. */
const longestText = 4_000;

/** What operators are to be told. `text` is plain. */
interface Notice {
  readonly id: string;
  readonly phase: string;
  readonly text: string;
  readonly alerts: readonly string[];
}

/** Where operators are told, with what it takes; absent members are not set up. */
export interface OperatorAccess {
  readonly telegram?: { readonly botToken: string; readonly chatId: string };
  readonly slack?: { readonly webhookUrl: string } | { readonly botToken: string; readonly channel: string };
  /** A receiver of Standard Webhooks. */
  readonly webhook?: { readonly url: string; readonly secret: string };
}

export interface OperatorDestinations {
  readonly telegramApiUrl: string;
  readonly slackApiUrl: string;
  readonly now?: () => number;
}

/** One way to operators. What `tell` rejects with names no address and no secret. */
export interface OperatorWay {
  readonly name: 'telegram' | 'slack' | 'webhook';
  tell(notice: Notice): Promise<void>;
}

/** Every way that is set up. */
export function operatorWays({ telegram, slack, webhook }: OperatorAccess, destinations: OperatorDestinations): OperatorWay[] {
  const { telegramApiUrl, slackApiUrl, now = Date.now } = destinations;
  const ways: OperatorWay[] = [];
  if (telegram) {
    const api = new TelegramApi(telegramApiUrl, telegram.botToken);
    ways.push({
      name: 'telegram',
      // Nothing in it is markup, and nobody fetches a page for it.
      tell: async ({ text }) => {
        await api.call('sendMessage', { chat_id: telegram.chatId, text: cut(text), link_preview_options: { is_disabled: true } });
      },
    });
  }
  if (slack) ways.push({ name: 'slack', tell: ({ text }) => tellSlack(slack, slackApiUrl, cut(text)) });
  if (webhook) ways.push({ name: 'webhook', tell: (notice) => tellWebhook(webhook, notice, now()) });
  return ways;
}

/** https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks */
async function tellSlack(slack: NonNullable<OperatorAccess['slack']>, apiUrl: string, plain: string): Promise<void> {
  const text = plain.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  if ('botToken' in slack) {
    const quiet = { mrkdwn: false, unfurl_links: false, unfurl_media: false };
    await new SlackApi(apiUrl, slack.botToken).call('chat.postMessage', { channel: slack.channel, text, ...quiet });
    return;
  }
  const body = JSON.stringify({ text, mrkdwn: false });
  await accepted('the incoming webhook of Slack', slack.webhookUrl, { 'content-type': 'application/json' }, body);
}

/**
 * `{ "type": "alert.begun", "timestamp", "data": { "text", "alerts": [id, …] } }`, signed. `webhook-id` is the same whenever the same is told again.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
async function tellWebhook({ url, secret }: NonNullable<OperatorAccess['webhook']>, notice: Notice, now: number): Promise<void> {
  const { id, phase, text, alerts } = notice;
  const timestamp = String(Math.floor(now / 1000));
  const body = JSON.stringify({ type: `alert.${phase}`, timestamp: new Date(now).toISOString(), data: { text, alerts } });
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatureOf(secret, { id, timestamp, body: Buffer.from(body) }),
  };
  await accepted('the alert webhook', url, headers, body);
}

async function accepted(what: string, url: string, headers: Readonly<Record<string, string>>, body: string): Promise<void> {
  const { status } = await postOnce(what, url, { headers, body });
  if (status >= 200 && status < 300) return;
  const problem = `${what} answered ${status}`;
  throw status < 500 && status !== 429 ? new TerminalError(problem) : new Error(problem);
}

function cut(text: string): string {
  return text.length > longestText ? `${text.slice(0, longestText).toWellFormed()}…` : text;
}
