import type { DeliveryObserver } from '../wire/post-webhook.js';
import { systemClock, type Clock } from '../wire/clock.js';
import { Faults } from '../wire/faults.js';
import type { Violation } from '../wire/flood-gate.js';
import { LoopbackServer, type WireAnswer, type WireRequest } from '../wire/loopback-server.js';
import type { Json } from '../wire/json.js';
import type { ShownMessage } from '../ledger.js';
import { ApiError, BotApi } from './bot-api.js';
import { TelegramBot, type TelegramBotOptions } from './bot.js';
import { ChatHistory } from './chat-history.js';
import { BadRequest, parametersOf } from './parameters.js';
import { PersonChat } from './person.js';
import type { TelegramUser, VisibleMessage } from './types.js';
import { WebhookQueue } from './webhook-queue.js';

/** How a {@link TelegramSimulator} behaves. */
export interface TelegramSimulatorOptions {
  /** `strict` (default) keeps Telegram's rate limits; `off` admits everything. Sizes and markup are always strict. */
  readonly limits?: 'strict' | 'off';
  readonly clock?: Clock;
  /** Waits between attempts at a webhook are multiplied with this; 1 is Telegram's schedule. */
  readonly retryScale?: number;
  /** Hears of every attempt to deliver a person's message; give the {@link Ledger} here. */
  readonly observer?: DeliveryObserver;
}

/** One call a bot made. */
export interface BotCall {
  readonly botId: number;
  readonly method: string;
  readonly parameters: Json;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly status: number;
  /** Telegram's description when it failed. */
  readonly error?: string;
}

/**
 * Telegram on the loopback: the Bot API at `/bot<token>/<method>` for any number of bots, and the people who chat with them. It answers what the real
 * service answers, refuses what it refuses, and delivers updates by webhook the way it does.
 *
 * ```ts
 * const telegram = new TelegramSimulator();
 * const url = await telegram.start();
 * const bot = telegram.bot({ token: '1000001:secret', webhook: { url: 'http://127.0.0.1:8080/webhooks/telegram/alice', secret: 's' } });
 * const chat = telegram.person({ id: 12345, name: 'Alice' }).chat(bot);
 * chat.say('Hello');
 * await chat.waitForAnswer((message) => message.text.includes('Hello'));
 * ```
 */
export class TelegramSimulator {
  readonly faults = new Faults();
  /** Every call of a known bot, in the order the calls were finished. */
  readonly calls: BotCall[] = [];
  private readonly clock: Clock;
  private readonly api: BotApi;
  private readonly server: LoopbackServer;
  private readonly bots = new Map<string, TelegramBot>();
  private readonly groups: TelegramGroup[] = [];

  constructor(private readonly options: TelegramSimulatorOptions = {}) {
    this.clock = options.clock ?? systemClock;
    this.api = new BotApi(() => this.clock.now(), options.limits !== 'off');
    this.server = new LoopbackServer({
      clock: this.clock,
      faults: this.faults,
      operation: (request) => request.path.split('/').at(-1) ?? '',
      handle: (request) => this.handle(request),
      failure: (status, retryAfterSeconds) => failed(new ApiError(status, wording(status, retryAfterSeconds), retryAfterSeconds)),
    });
  }

  /** Starts on the port, or a free one; the address is what `ROCKPOOL_TELEGRAM_API_URL` must be. */
  start(port = 0): Promise<string> {
    return this.server.listen(port);
  }

  /** Stops at once; what is not delivered yet is given up. */
  async close(): Promise<void> {
    for (const bot of this.bots.values()) bot.queue.close();
    await this.server.close();
  }

  get url(): string {
    return this.server.url;
  }

  /** Requests that came before the `retry_after` they had been given was over. */
  get violations(): readonly Violation[] {
    return this.api.gate.violations;
  }

  /** Adds a bot. Throws when the token is malformed or its bot exists. */
  bot(options: TelegramBotOptions): TelegramBot {
    const queue = new WebhookQueue({
      clock: this.clock,
      retryScale: this.options.retryScale ?? 1,
      observer: this.options.observer,
      call: (method, parameters) => void this.execute(bot, method, parameters),
    });
    const bot: TelegramBot = new TelegramBot(options, queue);
    if ([...this.bots.values()].some((other) => other.id === bot.id)) throw new Error(`bot ${bot.id} exists already`);
    this.bots.set(bot.token, bot);
    queue.target(bot.webhook);
    return bot;
  }

  /** Somebody with a Telegram account. */
  person(options: { id: number; name: string; username?: string }): TelegramPerson {
    const user: TelegramUser = {
      id: options.id,
      is_bot: false,
      first_name: options.name,
      ...(options.username !== undefined && { username: options.username }),
      language_code: 'en',
    };
    return new TelegramPerson(user, (bot) => this.privateChat(user, bot));
  }

  /** A supergroup with these bots in it; its id is negative, as Telegram's are. */
  group(options: { title: string; bots: readonly TelegramBot[]; id?: number; forum?: boolean }): TelegramGroup {
    const id = options.id ?? -1_001_000_000_000 - this.groups.length - 1;
    let messageId = 0;
    const chat = { id, type: 'supergroup' as const, title: options.title, ...(options.forum && { is_forum: true as const }) };
    const history = new ChatHistory(
      chat,
      () => ++messageId,
      () => this.clock.now(),
    );
    for (const bot of options.bots) bot.chats.set(id, history);
    const group = new TelegramGroup(history, (user, topicId) => this.screen(user, history, options.bots, topicId));
    this.groups.push(group);
    return group;
  }

  /** The messages on the screen of this chat, oldest first. With several bots a private chat needs to be told which. */
  visible(chatId: number, bot?: TelegramBot): VisibleMessage[] {
    return this.history(chatId, bot).visible();
  }

  /** The first message of a bot in this chat that satisfies the predicate, now or within the time; rejects with what was visible instead. */
  waitForAnswer(
    chatId: number,
    predicate?: (message: VisibleMessage) => boolean,
    timeoutMs?: number,
    bot?: TelegramBot,
  ): Promise<VisibleMessage> {
    const nobody: TelegramUser = { id: chatId, is_bot: false, first_name: 'nobody' };
    return this.screen(nobody, this.history(chatId, bot), []).waitForAnswer(predicate, timeoutMs);
  }

  /** Every message of a bot that is visible anywhere, for the {@link Ledger}; conversations are named as {@link TelegramSimulator.conversation} does. */
  shown(): ShownMessage[] {
    return [...this.histories()].flatMap(({ history, conversation }) =>
      history
        .visible()
        .filter((message) => message.from === 'bot')
        .map((message) => ({ conversation: conversation(message.topicId), id: String(message.messageId), text: message.text })),
    );
  }

  /** The ledger's name of a chat: `telegram:<bot or group>:<chat>[:<topic>]`. */
  conversation(chatId: number, bot: TelegramBot, topicId?: number): string {
    return chatId < 0 ? groupName(chatId, topicId) : `telegram:${bot.id}:${chatId}`;
  }

  private *histories(): Generator<{ history: ChatHistory; conversation: (topicId?: number) => string }> {
    for (const bot of this.bots.values()) {
      for (const [chatId, history] of bot.chats) {
        if (chatId > 0) yield { history, conversation: () => this.conversation(chatId, bot) };
      }
    }
    for (const { history } of this.groups) yield { history, conversation: (topicId) => groupName(history.chat.id, topicId) };
  }

  private history(chatId: number, bot?: TelegramBot): ChatHistory {
    const bots = bot ? [bot] : [...this.bots.values()];
    const found = new Set(bots.map((candidate) => candidate.chats.get(chatId)).filter((history) => history !== undefined));
    const [history] = found;
    if (!history) throw new Error(`no bot knows chat ${chatId}`);
    if (found.size > 1) throw new Error(`several bots chat with ${chatId}: say which`);
    return history;
  }

  private privateChat(user: TelegramUser, bot: TelegramBot): PersonChat {
    const chat = { id: user.id, type: 'private' as const, first_name: user.first_name, username: user.username };
    const history = bot.chats.get(user.id) ?? new ChatHistory(chat, bot.nextMessageId, () => this.clock.now());
    bot.chats.set(user.id, history);
    return this.screen(user, history, [bot]);
  }

  private screen(user: TelegramUser, history: ChatHistory, bots: readonly TelegramBot[], topicId?: number): PersonChat {
    return new PersonChat(user, history, { bots, keep: (query) => void this.api.callbacks.set(query.id, query) }, topicId);
  }

  private async handle(request: WireRequest): Promise<WireAnswer> {
    const match = /^\/bot([^/]+)\/(?:test\/)?([^/]+)$/.exec(request.path);
    if (!match) return failed(new ApiError(404, 'Not Found'));
    const [, token, method] = match as unknown as [string, string, string];
    const bot = this.bots.get(decodeURIComponent(token));
    if (!bot) return failed(new ApiError(401, /^[1-9]\d*:.+/.test(token) ? 'Unauthorized' : 'Unauthorized: invalid token specified'));
    try {
      return this.execute(bot, method, await parametersOf(request));
    } catch (error) {
      if (error instanceof BadRequest) return failed(new ApiError(400, `Bad Request: ${error.message}`));
      throw error;
    }
  }

  private execute(bot: TelegramBot, method: string, parameters: Json): WireAnswer {
    const call = { botId: bot.id, method, parameters, at: this.clock.now() };
    try {
      const result = this.api.call(bot, method, parameters);
      this.calls.push({ ...call, status: 200 });
      return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ ok: true, result }) };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.calls.push({ ...call, status: error.code, error: error.message });
      return failed(error);
    }
  }
}

/** A person, who can chat with bots in private. */
export class TelegramPerson {
  constructor(
    readonly user: TelegramUser,
    private readonly open: (bot: TelegramBot) => PersonChat,
  ) {}

  /** The private chat with a bot. From the first time on the bot may write to this person; before, "chat not found". */
  chat(bot: TelegramBot): PersonChat {
    return this.open(bot);
  }
}

/** A group with people and bots in it. */
export class TelegramGroup {
  constructor(
    readonly history: ChatHistory,
    private readonly open: (user: TelegramUser, topicId?: number) => PersonChat,
  ) {}

  get id(): number {
    return this.history.chat.id;
  }

  /** Opens a topic of a forum; its id is the `message_thread_id`. */
  topic(): number {
    if (!this.history.chat.is_forum) throw new Error('only a forum has topics');
    return this.history.openTopic();
  }

  /** The group through the eyes of one member, in one topic where one is given. */
  as(person: TelegramPerson, topicId?: number): PersonChat {
    return this.open(person.user, topicId);
  }
}

function groupName(chatId: number, topicId?: number): string {
  return topicId === undefined ? `telegram:group:${chatId}` : `telegram:group:${chatId}:${topicId}`;
}

function wording(status: number, retryAfterSeconds: number | undefined): string {
  const words: Record<number, string> = { 403: 'Forbidden', 429: 'Too Many Requests', 502: 'Bad Gateway', 503: 'Service Unavailable' };
  const words429 = `Too Many Requests: retry after ${retryAfterSeconds ?? 1}`;
  return status === 429 ? words429 : (words[status] ?? (status < 500 ? 'Bad Request' : 'Internal Server Error'));
}

function failed(error: ApiError): WireAnswer {
  const retryAfter = error.code === 429 ? (error.retryAfterSeconds ?? 1) : undefined;
  return {
    status: error.code,
    headers: { 'content-type': 'application/json', ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }) },
    body: JSON.stringify({
      ok: false,
      error_code: error.code,
      description: error.message,
      ...(retryAfter !== undefined && { parameters: { retry_after: retryAfter } }),
    }),
  };
}
