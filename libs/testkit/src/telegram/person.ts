import type { TelegramBot } from './bot.js';
import type { CallbackQuery } from './bot-api.js';
import type { ChatEvent, ChatHistory } from './chat-history.js';
import { detected } from './formatting.js';
import type { TelegramMessage, TelegramUpdate, TelegramUser, VisibleMessage } from './types.js';
import type { Delivery } from './webhook-queue.js';
import { patienceMs } from '../patience.js';
import type { Json } from '../wire/json.js';

/** What a person did, and what became of telling the bot. */
export interface Said {
  readonly messageId: number;
  /** One delivery for each bot that gets to know; none when no bot does. */
  readonly deliveries: readonly Delivery[];
  /** Resolves with true once every bot's webhook answered 2xx, with false when one was given up. */
  readonly accepted: Promise<boolean>;
  /** Delivers the same update again, `times` times at once, beside the queue; the statuses, undefined where no answer came. */
  redeliver(times?: number): Promise<(number | undefined)[]>;
}

/** Options of a message. */
export interface SayOptions {
  /** The id of a message in this chat that is answered. */
  readonly replyTo?: number;
  /** Whatever else is in the message (`photo`, `voice`, `document`, `location`, `caption` …), as in the Bot API. */
  readonly content?: Json;
}

/** Tells bots what happened; the simulator's side of a chat. */
export interface ChatServer {
  readonly bots: readonly TelegramBot[];
  /** Keeps a button press until it is answered. */
  keep(query: CallbackQuery): void;
}

/** A chat through the eyes of one person in it. */
export class PersonChat {
  constructor(
    readonly person: TelegramUser,
    private readonly history: ChatHistory,
    private readonly server: ChatServer,
    private readonly topicId?: number,
  ) {}

  get id(): number {
    return this.history.chat.id;
  }

  /** Sends a message: to the screen at once, to the bots by webhook. */
  say(text: string, options: SayOptions = {}): Said {
    const replied = options.replyTo === undefined ? undefined : this.history.find(options.replyTo);
    const entities = detected({ text, entities: [] });
    const message = this.history.post(this.person, {
      ...(text && { text }),
      ...(entities.length > 0 && { entities }),
      ...(this.topicId !== undefined && { message_thread_id: this.topicId, is_topic_message: true }),
      ...(replied && { reply_to_message: { ...replied, reply_to_message: undefined } }),
      ...options.content,
    });
    return this.tell(message, { message: { ...message } }, text);
  }

  /** Changes a message of this person. Throws when there is none. */
  edit(messageId: number, text: string): Said {
    if (this.history.find(messageId)?.from.id !== this.person.id)
      throw new Error(`message ${messageId} is not ${this.person.first_name}'s`);
    const message = this.history.edit(messageId, { text, entities: detected({ text, entities: [] }) }, undefined) as TelegramMessage;
    return this.tell(message, { edited_message: { ...message } }, text);
  }

  /** Presses an inline button of a bot's message. `answer()` gives what the bot said to it, once it did. */
  press(messageId: number, data: string): Said & { readonly answer: () => CallbackQuery['answer'] } {
    const message = this.history.find(messageId);
    const bot = this.server.bots.find((candidate) => candidate.id === message?.from.id);
    if (!message || !bot) throw new Error(`message ${messageId} is no bot's`);
    const query: CallbackQuery = { id: `${bot.id}${messageId}${Math.random().toString().slice(2, 12)}`, botId: bot.id };
    this.server.keep(query);
    const content = { callback_query: { id: query.id, from: this.person, message: { ...message }, chat_instance: String(this.id), data } };
    // Presses have a queue of their own per person, as on the real server.
    return { ...this.deliver([bot], `callback ${this.person.id}`, messageId, content, data), answer: () => query.answer };
  }

  /** Puts a reaction on a message; bots hear of it only when they asked for `message_reaction`. */
  react(messageId: number, emoji: string): Said {
    const content = {
      message_reaction: {
        chat: this.history.chat,
        message_id: messageId,
        user: this.person,
        date: Math.floor(Date.now() / 1000),
        old_reaction: [],
        new_reaction: [{ type: 'emoji', emoji }],
      },
    };
    return this.deliver(this.server.bots, `reactions ${this.id}`, messageId, content, '');
  }

  /** From now on the bot's calls for this chat fail with 403, and it is told so. */
  block(): Said {
    return this.membership('kicked', true);
  }

  unblock(): Said {
    return this.membership('member', false);
  }

  /** What is on the person's screen, oldest first; in a topic, the messages of that topic. */
  visible(): VisibleMessage[] {
    const messages = this.history.visible();
    return this.topicId === undefined ? messages : messages.filter((message) => message.topicId === this.topicId);
  }

  /** True while a bot's chat action is shown. */
  get typing(): boolean {
    return this.history.typing;
  }

  /** The text of a draft that is being streamed, if one is shown. */
  get draft(): string | undefined {
    return this.history.draft;
  }

  /** The first bot message that satisfies the predicate, now or within the time. Rejects with what was visible instead. */
  waitForAnswer(predicate: (message: VisibleMessage) => boolean = () => true, timeoutMs = patienceMs): Promise<VisibleMessage> {
    const found = (): VisibleMessage | undefined => this.visible().find((message) => message.from === 'bot' && predicate(message));
    const already = found();
    if (already) return Promise.resolve(already);
    return new Promise((resolve, reject) => {
      const stop = this.history.listen(() => {
        const message = found();
        if (!message) return;
        clearTimeout(timer);
        stop();
        resolve(message);
      });
      const timer = setTimeout(() => {
        stop();
        const seen = this.visible().map((message) => `${message.from}: ${message.text}`);
        reject(new Error(`no such answer in chat ${this.id} within ${timeoutMs} ms; visible: ${JSON.stringify(seen)}`));
      }, timeoutMs);
    });
  }

  /** Calls the listener for every change on the screen; the function that is returned ends it. */
  listen(listener: (event: ChatEvent) => void): () => void {
    return this.history.listen(listener);
  }

  private membership(status: 'kicked' | 'member', blocked: boolean): Said {
    this.history.blocked = blocked;
    const date = Math.floor(Date.now() / 1000);
    const content = (bot: TelegramBot): Json => ({
      my_chat_member: {
        chat: this.history.chat,
        from: this.person,
        date,
        old_chat_member: { user: bot.user, status: blocked ? 'member' : 'kicked' },
        new_chat_member: { user: bot.user, status },
      },
    });
    return this.deliver(this.server.bots, `membership ${this.id}`, 0, content, '');
  }

  private tell(message: TelegramMessage, content: Json, text: string): Said {
    const reached = this.server.bots.filter((bot) => this.reaches(bot, message));
    return this.deliver(reached, `chat ${this.id}`, message.message_id, content, text);
  }

  /** In a group, a bot in privacy mode sees only commands, mentions of itself and replies to its own messages. */
  private reaches(bot: TelegramBot, message: TelegramMessage): boolean {
    if (this.history.blocked) return false;
    if (this.history.chat.type === 'private' || bot.readsAllGroupMessages) return true;
    if (message.reply_to_message?.from.id === bot.id) return true;
    return (message.entities ?? []).some(({ type, offset, length }) => {
      const found = (message.text ?? '').slice(offset, offset + length).toLowerCase();
      const name = `@${bot.user.username}`.toLowerCase();
      return type === 'mention' ? found === name : type === 'bot_command' && (!found.includes('@') || found.endsWith(name));
    });
  }

  private deliver(
    bots: readonly TelegramBot[],
    queue: string,
    messageId: number,
    content: Json | ((bot: TelegramBot) => Json),
    text: string,
  ): Said {
    const sent = bots.flatMap((bot) => {
      const fields = typeof content === 'function' ? content(bot) : content;
      if (!bot.wants(Object.keys(fields)[0] as string)) return [];
      const update: TelegramUpdate = { update_id: bot.nextUpdateId(), ...fields };
      return [{ bot, update, delivery: bot.queue.enqueue(queue, update, text) }];
    });
    return {
      messageId,
      deliveries: sent.map(({ delivery }) => delivery),
      accepted: Promise.all(sent.map(({ delivery }) => delivery.finished)).then((results) => results.every(Boolean)),
      redeliver: (times = 1) =>
        Promise.all(sent.flatMap(({ bot, update }) => Array.from({ length: times }, () => bot.queue.redeliver(update)))),
    };
  }
}
