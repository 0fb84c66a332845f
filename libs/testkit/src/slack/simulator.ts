import type { ShownMessage } from '../ledger.js';
import { systemClock, type Clock } from '../wire/clock.js';
import { Faults } from '../wire/faults.js';
import type { Violation } from '../wire/flood-gate.js';
import type { Json } from '../wire/json.js';
import { LoopbackServer, type WireAnswer, type WireRequest } from '../wire/loopback-server.js';
import type { DeliveryObserver } from '../wire/post-webhook.js';
import { SlackApp, type SlackAppOptions } from './app.js';
import { argumentsOf } from './arguments.js';
import { SlackChannel, type SlackChannelEvent } from './channel.js';
import { EventDelivery } from './event-delivery.js';
import { SlackScreen, envelope, isWanted } from './person.js';
import { SlackError } from './slack-error.js';
import type { SlackUser } from './types.js';
import { SlackWebApi } from './web-api.js';

/** How a {@link SlackSimulator} behaves. */
export interface SlackSimulatorOptions {
  /** `strict` (default) keeps Slack's rate limits; `off` admits everything. Sizes are always strict. */
  readonly limits?: 'strict' | 'off';
  readonly clock?: Clock;
  /** Waits between attempts at an event are multiplied with this; 1 is Slack's schedule. */
  readonly retryScale?: number;
  /** Apps hear of their own messages and edits too, as on the real service (default true). */
  readonly ownMessageEvents?: boolean;
  /** Hears of every attempt to deliver a person's message; give the {@link Ledger} here. */
  readonly observer?: DeliveryObserver;
}

/** One call an app made. */
export interface SlackCall {
  readonly appId: string;
  readonly method: string;
  readonly arguments: Json;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Slack's code when it failed. */
  readonly error?: string;
}

/**
 * Slack on the loopback: the Web API at `/api/<method>`, the Events API of any number of installed apps, and the people in their channels.
 *
 * ```ts
 * const slack = new SlackSimulator();
 * await slack.start();
 * const app = slack.app({ team: 'T1', botToken: 'xoxb-1', signingSecret: 's', eventsUrl: 'http://127.0.0.1:8080/webhooks/slack/alice' });
 * const screen = slack.person({ id: 'U1', name: 'Alice', team: 'T1' }).direct(app);
 * screen.say('Hello');
 * await screen.waitForAnswer((message) => message.text.includes('Hello'));
 * ```
 */
export class SlackSimulator {
  readonly faults = new Faults();
  /** Every call with a valid token, in the order the calls were finished. */
  readonly calls: SlackCall[] = [];
  private readonly clock: Clock;
  private readonly users = new Map<string, SlackUser>();
  private readonly channels = new Map<string, SlackChannel>();
  private readonly apps: SlackApp[] = [];
  private readonly api: SlackWebApi;
  private readonly server: LoopbackServer;

  constructor(private readonly options: SlackSimulatorOptions = {}) {
    this.clock = options.clock ?? systemClock;
    this.api = new SlackWebApi(() => this.clock.now(), options.limits !== 'off', this.users);
    this.server = new LoopbackServer({
      clock: this.clock,
      faults: this.faults,
      operation: (request) => request.path.split('/').at(-1) ?? '',
      handle: (request) => this.handle(request),
      failure: (status, retryAfterSeconds) =>
        status === 429
          ? failed(new SlackError('ratelimited', retryAfterSeconds ?? 1))
          : { ...failed(new SlackError(status < 500 ? 'fatal_error' : 'internal_error')), status },
    });
  }

  /** Starts on the port, or a free one. The API's root is `<address>/api/`. */
  start(port = 0): Promise<string> {
    return this.server.listen(port);
  }

  /** Stops at once; what is not delivered yet is given up. */
  async close(): Promise<void> {
    for (const app of this.apps) app.delivery.close();
    await this.server.close();
  }

  get url(): string {
    return this.server.url;
  }

  /** Requests that came before the `Retry-After` they had been given was over. */
  get violations(): readonly Violation[] {
    return this.api.gate.violations;
  }

  /** Installs an app. Throws when its token is taken. */
  app(options: SlackAppOptions): SlackApp {
    if (this.apps.some(({ botToken }) => botToken === options.botToken)) throw new Error('two apps cannot have the same bot token');
    const { clock, options: own } = this;
    const delivery = new EventDelivery({
      clock,
      signingSecret: options.signingSecret,
      url: options.eventsUrl,
      retryScale: own.retryScale ?? 1,
      observer: own.observer,
    });
    const app = new SlackApp(options, this.apps.length + 1, delivery);
    this.apps.push(app);
    this.users.set(app.user.id, app.user);
    return app;
  }

  /** A channel with these apps in it. */
  channel(options: { id: string; apps: readonly SlackApp[]; private?: boolean }): SlackChannel {
    const team = options.apps[0]?.team ?? 'T0';
    return this.open(options.id, team, options.private ? 'group' : 'channel', options.apps);
  }

  /** Somebody with a Slack account. */
  person(options: { id: string; name: string; team: string }): SlackPerson {
    const user: SlackUser = { ...options, isBot: false };
    this.users.set(user.id, user);
    return new SlackPerson(
      user,
      (app) => this.open(`D${user.id.slice(1)}${app.appId.slice(1)}`, app.team, 'im', [app]),
      (channel, app) => new SlackScreen(user, channel, app, () => this.clock.now()),
    );
  }

  /** Every message of a bot that is visible anywhere, for the {@link Ledger}. */
  shown(): ShownMessage[] {
    return [...this.channels.values()].flatMap((channel) =>
      channel
        .visible()
        .filter((message) => message.from === 'bot')
        .map((message) => ({ conversation: this.conversation(channel, message.threadTs), id: message.ts, text: message.text })),
    );
  }

  /** The ledger's name: `slack:<team>:<channel>`, in a channel with the thread after it; direct messages are one conversation. */
  conversation(channel: { readonly id: string }, threadTs?: string): string {
    const known = this.channels.get(channel.id);
    if (!known) throw new Error(`there is no channel ${channel.id}`);
    return ['slack', known.team, known.id, ...(threadTs === undefined || known.type === 'im' ? [] : [threadTs])].join(':');
  }

  private open(id: string, team: string, type: SlackChannel['type'], apps: readonly SlackApp[]): SlackChannel {
    const known = this.channels.get(id);
    const channel =
      known ??
      new SlackChannel(
        id,
        team,
        type,
        () => this.clock.now(),
        (userId) => this.users.get(userId),
      );
    this.channels.set(id, channel);
    if (!known && this.options.ownMessageEvents !== false) channel.listen((event) => this.tellOwn(channel, event));
    for (const app of apps) app.channels.set(id, channel);
    return channel;
  }

  /** An app is told of what its own bot writes, which it has to recognise and leave alone. */
  private tellOwn(channel: SlackChannel, { kind, message, previous }: SlackChannelEvent): void {
    const app = this.apps.find(({ botId }) => botId === (message ?? previous)?.bot_id);
    if (!app) return;
    const ts = channel.nextTs();
    const place = { channel: channel.id, channel_type: channel.type };
    const event =
      kind === 'posted'
        ? { ...message, ...place, event_ts: message?.ts }
        : kind === 'changed'
          ? { type: 'message', subtype: 'message_changed', message: { ...message }, previous_message: previous, ts, event_ts: ts, ...place }
          : {
              type: 'message',
              subtype: 'message_deleted',
              previous_message: previous,
              deleted_ts: previous?.ts,
              ts,
              event_ts: ts,
              ...place,
            };
    if (isWanted(app, channel, event)) app.delivery.send(envelope(app, event, this.clock.now()), '');
  }

  private handle(request: WireRequest): WireAnswer {
    const method = /^\/(?:api\/)?([A-Za-z.]+)$/.exec(request.path)?.[1];
    if (method === undefined) return { status: 404, body: '' };
    try {
      const { given, token } = argumentsOf(request);
      if (token === undefined) throw new SlackError('not_authed');
      const app = this.apps.find(({ botToken }) => botToken === token);
      if (!app) throw new SlackError('invalid_auth');
      return this.execute(app, method, given);
    } catch (error) {
      if (error instanceof SlackError) return failed(error);
      throw error;
    }
  }

  private execute(app: SlackApp, method: string, given: Json): WireAnswer {
    const { token: _, ...rest } = given;
    const call = { appId: app.appId, method, arguments: rest, at: this.clock.now() };
    try {
      const result = this.api.call(app, method, given);
      this.calls.push(call);
      return { status: 200, headers: { 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify({ ok: true, ...result }) };
    } catch (error) {
      if (error instanceof SlackError) this.calls.push({ ...call, error: error.code });
      throw error;
    }
  }
}

/** A person, who can write to apps directly and in channels. */
export class SlackPerson {
  constructor(
    readonly user: SlackUser,
    private readonly directChannel: (app: SlackApp) => SlackChannel,
    private readonly screen: (channel: SlackChannel, app: SlackApp) => SlackScreen,
  ) {}

  /** The direct messages with an app. */
  direct(app: SlackApp): SlackScreen {
    return this.screen(this.directChannel(app), app);
  }

  /** A channel, and the app that is told of what is said in it. */
  in(channel: SlackChannel, app: SlackApp): SlackScreen {
    return this.screen(channel, app);
  }
}

function failed(error: SlackError): WireAnswer {
  const limited = error.code === 'ratelimited';
  return {
    status: limited ? 429 : 200,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      ...(limited && { 'retry-after': String(error.retryAfterSeconds ?? 1) }),
    },
    body: JSON.stringify({ ok: false, error: error.code }),
  };
}
