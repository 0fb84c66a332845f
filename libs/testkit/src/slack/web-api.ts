import { FloodGate, TokenBucket, type Limit } from '../wire/flood-gate.js';
import { isJson, type Json } from '../wire/json.js';
import type { SlackApp } from './app.js';
import { Arguments } from './arguments.js';
import type { SlackChannel } from './channel.js';
import { SlackError } from './slack-error.js';
import type { SlackMessage, SlackUser } from './types.js';

/** Longer texts of chat.postMessage are cut without a word. https://docs.slack.dev/changelog/2018-truncating-really-long-messages */
const maxPostedCharacters = 40_000;
/** Longer texts of chat.update are refused. https://docs.slack.dev/reference/methods/chat.update */
const maxUpdatedCharacters = 4_000;
const maxMarkdownCharacters = 12_000;
const maxBlocks = 50;

/**
 * Posting: about one message a second in a channel, short bursts allowed. The others by tier, a minute, for each method and workspace.
 * https://docs.slack.dev/apis/web-api/rate-limits. How short a burst and the status method's own limit are not published (?).
 */
const postingBurst = 3;
const perMinute: Readonly<Record<string, number>> = {
  'auth.test': 600,
  'chat.update': 50,
  'chat.delete': 50,
  'conversations.history': 50,
  'conversations.replies': 50,
  'users.info': 100,
  'assistant.threads.setStatus': 600,
};

type Method = (app: SlackApp, given: Arguments) => Json;

/** The methods of the Web API that are simulated. https://docs.slack.dev/reference/methods */
export class SlackWebApi {
  readonly gate = new FloodGate();
  private readonly buckets = new Map<string, TokenBucket>();
  private readonly methods: Readonly<Record<string, Method>> = {
    'auth.test': (app) => ({
      url: `https://${app.team.toLowerCase()}.slack.com/`,
      team: `Team ${app.team}`,
      user: app.user.name,
      team_id: app.team,
      user_id: app.user.id,
      bot_id: app.botId,
      is_enterprise_install: false,
    }),
    'chat.postMessage': (app, given) => this.postMessage(app, given),
    'chat.update': (app, given) => this.update(app, given),
    'chat.delete': (app, given) => this.delete(app, given),
    'conversations.history': (app, given) => this.history(app, given),
    'conversations.replies': (app, given) => this.replies(app, given),
    'assistant.threads.setStatus': (app, given) => this.setStatus(app, given),
    'users.info': (_, given) => ({ user: this.profile(given.text('user')) }),
  };

  constructor(
    private readonly now: () => number,
    private readonly limited: boolean,
    private readonly users: ReadonlyMap<string, SlackUser>,
  ) {}

  /** Executes a method. Throws {@link SlackError}. */
  call(app: SlackApp, method: string, given: Json): Json {
    const found = this.methods[method];
    if (!found) throw new SlackError('unknown_method');
    return found(app, new Arguments(given));
  }

  private postMessage(app: SlackApp, given: Arguments): Json {
    const channel = this.channelOf(app, given.text('channel'));
    const content = contentOf(given);
    const parent = given.text('thread_ts');
    if (parent !== undefined && !channel.find(parent)) throw new SlackError('thread_not_found');
    this.admit(app, 'chat.postMessage', channel);
    const message = channel.post(app.user, {
      ...content,
      text: content.text.slice(0, maxPostedCharacters),
      ...(parent !== undefined && { thread_ts: parent }),
      bot_id: app.botId,
      app_id: app.appId,
    });
    return { channel: channel.id, ts: message.ts, message: { ...message } };
  }

  private update(app: SlackApp, given: Arguments): Json {
    const channel = this.channelOf(app, given.text('channel'));
    const ts = given.text('ts') ?? '';
    const message = channel.find(ts);
    if (!message) throw new SlackError('message_not_found');
    if (message.bot_id !== app.botId) throw new SlackError('cant_update_message');
    const content = contentOf(given);
    if (content.text.length > maxUpdatedCharacters) throw new SlackError('msg_too_long');
    this.admit(app, 'chat.update', channel);
    // Blocks go when a text comes without them; metadata stays unless it is given anew.
    const changed = channel.change(ts, app.user, { blocks: undefined, ...content }) as SlackMessage;
    return { channel: channel.id, ts, text: changed.text, message: { ...changed } };
  }

  private delete(app: SlackApp, given: Arguments): Json {
    const channel = this.channelOf(app, given.text('channel'));
    const ts = given.text('ts') ?? '';
    const message = channel.find(ts);
    if (!message) throw new SlackError('message_not_found');
    if (message.bot_id !== app.botId) throw new SlackError('cant_delete_message');
    this.admit(app, 'chat.delete', channel);
    channel.delete(ts);
    return { channel: channel.id, ts };
  }

  private history(app: SlackApp, given: Arguments): Json {
    const channel = this.channelOf(app, given.text('channel'));
    this.admit(app, 'conversations.history', channel);
    return page(channel.history(), given);
  }

  private replies(app: SlackApp, given: Arguments): Json {
    const channel = this.channelOf(app, given.text('channel'));
    const messages = channel.thread(given.text('ts') ?? '');
    if (messages.length === 0) throw new SlackError('thread_not_found');
    this.admit(app, 'conversations.replies', channel);
    return page(messages, given);
  }

  private setStatus(app: SlackApp, given: Arguments): Json {
    const channel = this.channelOf(app, given.text('channel_id'));
    const threadTs = given.text('thread_ts') ?? '';
    if (!/^\d+\.\d{6}$/.test(threadTs) || !channel.find(threadTs)) throw new SlackError('invalid_thread_ts');
    const status = given.text('status');
    if (status === undefined) throw new SlackError('invalid_arguments');
    this.admit(app, 'assistant.threads.setStatus', channel);
    channel.setStatus(threadTs, status);
    return {};
  }

  private profile(id: string | undefined): Json {
    const user = this.users.get(id ?? '');
    if (!user) throw new SlackError('user_not_found');
    return {
      id: user.id,
      team_id: user.team,
      name: user.name.toLowerCase(),
      real_name: user.name,
      deleted: false,
      is_bot: user.isBot,
      tz: 'Europe/Amsterdam',
      profile: { real_name: user.name, display_name: user.name },
    };
  }

  private channelOf(app: SlackApp, id: string | undefined): SlackChannel {
    const channel = app.channels.get(id ?? '');
    if (!channel) throw new SlackError('channel_not_found');
    return channel;
  }

  private admit(app: SlackApp, method: string, channel: SlackChannel): void {
    if (!this.limited) return;
    const scope = method === 'chat.postMessage' ? `${method} in ${channel.id} by ${app.appId}` : `${method} in ${app.team} by ${app.appId}`;
    const rate = perMinute[method];
    const measure = this.buckets.get(scope) ?? (rate === undefined ? new TokenBucket(postingBurst, 1) : new TokenBucket(rate, rate / 60));
    this.buckets.set(scope, measure);
    const limits: Limit[] = [{ scope, measure }];
    const seconds = this.gate.admit(method, limits, this.now());
    if (seconds > 0) throw new SlackError('ratelimited', seconds);
  }
}

function contentOf(given: Arguments): Partial<SlackMessage> & { text: string } {
  const blocks = given.list('blocks', 'invalid_blocks');
  if (blocks && (blocks.length > maxBlocks || !blocks.every(isJson))) throw new SlackError('invalid_blocks');
  const attachments = given.list('attachments', 'invalid_attachments');
  const markdown = given.text('markdown_text');
  const text = given.text('text');
  if (markdown !== undefined && (text !== undefined || blocks)) throw new SlackError('markdown_text_conflict');
  if (markdown !== undefined && markdown.length > maxMarkdownCharacters) throw new SlackError('msg_too_long');
  if (!text && !markdown && !blocks?.length && !attachments?.length) throw new SlackError('no_text');
  const metadata = given.object('metadata', 'invalid_metadata_format');
  if (metadata && (typeof metadata['event_type'] !== 'string' || !isJson(metadata['event_payload']))) {
    throw new SlackError('invalid_metadata_schema');
  }
  return {
    text: text ?? markdown ?? '',
    ...(blocks && { blocks }),
    ...(attachments && { attachments }),
    ...(metadata && { metadata }),
  };
}

function page(messages: readonly SlackMessage[], given: Arguments): Json {
  const limit = Math.min(999, Math.max(1, Number(given.text('limit') ?? 100)));
  const cursor = Number(Buffer.from(given.text('cursor') ?? '', 'base64').toString() || 0);
  const oldest = Number(given.text('oldest') ?? 0);
  const latest = Number(given.text('latest') ?? Infinity);
  const inclusive = given.flag('inclusive');
  const within = messages.filter(({ ts }) =>
    inclusive ? Number(ts) >= oldest && Number(ts) <= latest : Number(ts) > oldest && Number(ts) < latest,
  );
  const withMetadata = given.flag('include_all_metadata');
  const found = within
    .slice(cursor, cursor + limit)
    .map((message) => (withMetadata ? { ...message } : { ...message, metadata: undefined }));
  const more = within.length > cursor + limit;
  return {
    messages: found,
    has_more: more,
    response_metadata: { next_cursor: more ? Buffer.from(String(cursor + limit)).toString('base64') : '' },
  };
}
