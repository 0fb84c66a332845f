import { randomUUID } from 'node:crypto';
import type { SlackApp, SlackEventName } from './app.js';
import type { SlackChannel, SlackChannelEvent } from './channel.js';
import { newEventIdOf, type SlackDelivery, type SlackEnvelope } from './event-delivery.js';
import { mentionsIn, typed } from './mrkdwn.js';
import type { SlackMessage, SlackUser, VisibleSlackMessage } from './types.js';
import { patienceMs } from '../patience.js';
import type { Json } from '../wire/json.js';

/** What a person did, and what became of telling the app. */
export interface SaidInSlack {
  readonly ts: string;
  /** A mention in a channel is told twice: as `app_mention` and as `message`, each with its own event id. */
  readonly deliveries: readonly SlackDelivery[];
  /** Resolves with true once every event got 2xx, with false when one was given up. */
  readonly accepted: Promise<boolean>;
  /** Posts every event again `times` times at once; `newEventId` gives each copy an id of its own. The statuses, undefined without an answer. */
  redeliver(times?: number, options?: { newEventId?: boolean }): Promise<(number | undefined)[]>;
}

/** A channel through the eyes of one person; with a thread, only that thread. */
export class SlackScreen {
  constructor(
    readonly person: SlackUser,
    private readonly channel: SlackChannel,
    private readonly app: SlackApp,
    private readonly now: () => number,
    readonly threadTs?: string,
  ) {}

  get id(): string {
    return this.channel.id;
  }

  /** The same channel, in the thread of a message. */
  thread(ts: string): SlackScreen {
    return new SlackScreen(this.person, this.channel, this.app, this.now, ts);
  }

  /** Sends a message. Mention the app with `<@${app.user.id}>`. `content` is merged in: `files`, `subtype` … */
  say(text: string, content: Json = {}): SaidInSlack {
    const message = this.channel.post(this.person, {
      ...content,
      text: typed(text),
      client_msg_id: randomUUID(),
      blocks: undefined,
      ...(this.threadTs !== undefined && { thread_ts: this.threadTs }),
    });
    return this.tell(message, message.ts, text);
  }

  /** Changes a message of this person: a `message_changed` event. Throws when there is none. */
  edit(ts: string, text: string): SaidInSlack {
    if (this.channel.find(ts)?.user !== this.person.id) throw new Error(`message ${ts} is not ${this.person.name}'s`);
    const previous = { ...this.channel.find(ts) };
    const message = this.channel.change(ts, this.person, { text: typed(text) }) as SlackMessage;
    const event = { type: 'message', subtype: 'message_changed', message: { ...message }, previous_message: previous, hidden: true };
    return this.deliver([{ ...event, ...this.place(this.channel.nextTs()) }], ts, text);
  }

  /** What is on the screen, oldest first. */
  visible(): VisibleSlackMessage[] {
    const messages = this.channel.visible();
    return this.threadTs === undefined
      ? messages
      : messages.filter(({ ts, threadTs }) => ts === this.threadTs || threadTs === this.threadTs);
  }

  /** The assistant's status under a thread, "is thinking …", while it is shown. */
  status(threadTs: string): string | undefined {
    return this.channel.status(threadTs);
  }

  /** The first message of a bot that satisfies the predicate, now or within the time. Rejects with what was visible instead. */
  waitForAnswer(predicate: (message: VisibleSlackMessage) => boolean = () => true, timeoutMs = patienceMs): Promise<VisibleSlackMessage> {
    const found = (): VisibleSlackMessage | undefined => this.visible().find((message) => message.from === 'bot' && predicate(message));
    const already = found();
    if (already) return Promise.resolve(already);
    return new Promise((resolve, reject) => {
      const stop = this.channel.listen(() => {
        const message = found();
        if (!message) return;
        clearTimeout(timer);
        stop();
        resolve(message);
      });
      const timer = setTimeout(() => {
        stop();
        const seen = this.visible().map((message) => `${message.from}: ${message.text}`);
        reject(new Error(`no such answer in ${this.id} within ${timeoutMs} ms; visible: ${JSON.stringify(seen)}`));
      }, timeoutMs);
    });
  }

  /** Calls the listener for every change; the function that is returned ends it. */
  listen(listener: (event: SlackChannelEvent) => void): () => void {
    return this.channel.listen(listener);
  }

  private tell(message: SlackMessage, ts: string, text: string): SaidInSlack {
    const event = { ...message, ...this.place(ts) };
    const mentioned = this.channel.type !== 'im' && mentionsIn(text).includes(this.app.user.id);
    // An app_mention names no kind of channel.
    return this.deliver(mentioned ? [{ ...event, type: 'app_mention', channel_type: undefined }, event] : [event], ts, text);
  }

  private place(ts: string): Json {
    return { channel: this.channel.id, channel_type: this.channel.type, ts, event_ts: ts };
  }

  private deliver(events: readonly Json[], ts: string, text: string): SaidInSlack {
    const sent = events.filter((event) => isWanted(this.app, this.channel, event)).map((event) => envelope(this.app, event, this.now()));
    const deliveries = sent.map((event) => this.app.delivery.send(event, text));
    return {
      ts,
      deliveries,
      accepted: Promise.all(deliveries.map(({ finished }) => finished)).then((results) => results.every(Boolean)),
      redeliver: (times = 1, { newEventId = false } = {}) =>
        Promise.all(sent.flatMap((event) => Array.from({ length: times }, () => this.app.delivery.redeliver(event, newEventId)))),
    };
  }
}

/** Whether the app is a member of the channel and subscribed to the event. */
export function isWanted(app: SlackApp, channel: SlackChannel, event: Json): boolean {
  const subscription = { channel: 'message.channels', group: 'message.groups', im: 'message.im' } as const;
  const name: SlackEventName = event['type'] === 'app_mention' ? 'app_mention' : subscription[channel.type];
  return app.channels.has(channel.id) && app.events.has(name);
}

/** What the Events API wraps an event in. */
export function envelope(app: SlackApp, event: Json, now: number): SlackEnvelope {
  return {
    token: 'verification-token',
    team_id: app.team,
    context_team_id: app.team,
    context_enterprise_id: null,
    api_app_id: app.appId,
    event,
    type: 'event_callback',
    event_id: newEventIdOf(),
    event_time: Math.floor(now / 1000),
    authorizations: [{ enterprise_id: null, team_id: app.team, user_id: app.user.id, is_bot: true, is_enterprise_install: false }],
    is_ext_shared_channel: false,
    event_context: `4-${app.appId}-${String(event['channel'])}`,
  };
}
