import type { Json } from '../wire/json.js';

/** A message as Slack stores and returns it. https://docs.slack.dev/reference/events/message */
export interface SlackMessage extends Json {
  type: 'message';
  /** Unique in its channel; also the time, in seconds. */
  ts: string;
  user: string;
  text: string;
  team: string;
  thread_ts?: string;
  bot_id?: string;
  app_id?: string;
  client_msg_id?: string;
  blocks?: readonly unknown[];
  attachments?: readonly unknown[];
  metadata?: Json;
  edited?: { user: string; ts: string };
}

/** A message as people see it now. */
export interface VisibleSlackMessage {
  readonly ts: string;
  readonly threadTs?: string;
  readonly from: 'bot' | 'person';
  readonly user: string;
  /** What a reader sees: mentions, links and escapes resolved, emphasis marks left as they are; of blocks, their text. */
  readonly text: string;
  /** The text field as it was sent. */
  readonly source: string;
  readonly metadata?: Json;
  /** Every source it has had, the current one last; `at` in milliseconds since the epoch. */
  readonly revisions: readonly { readonly text: string; readonly at: number }[];
}

/** A person's profile. */
export interface SlackUser {
  readonly id: string;
  readonly name: string;
  /** The workspace the person belongs to; another than the channel's means Slack Connect. */
  readonly team: string;
  readonly isBot: boolean;
}
