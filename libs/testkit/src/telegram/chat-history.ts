import type { ParsedText, TelegramChat, TelegramMessage, TelegramUser, VisibleMessage } from './types.js';

/** Something the person at the screen notices. */
export interface ChatEvent {
  readonly kind: 'sent' | 'edited' | 'deleted' | 'typing' | 'draft';
  readonly message?: VisibleMessage;
}

interface Entry {
  readonly message: TelegramMessage;
  readonly revisions: { text: string; at: number }[];
  reactions: string[];
}

// Telegram clears a chat action after 5 s and a draft after 30 s, or when the bot's message arrives.
const actionMs = 5_000;
const draftMs = 30_000;

/** One chat as its members see it: a private chat of one person with one bot, or a group. Messages in the order they were sent. */
export class ChatHistory {
  /** The person has blocked the bot, or the group has thrown it out. */
  blocked = false;
  private readonly entries = new Map<number, Entry>();
  private readonly topics = new Set<number>();
  private action: { readonly until: number } | undefined;
  private shownDraft: { readonly text: string; readonly until: number } | undefined;
  private readonly listeners = new Set<(event: ChatEvent) => void>();

  constructor(
    readonly chat: TelegramChat,
    /** Private chats share one sequence of message ids per bot, groups have their own. */
    private readonly nextMessageId: () => number,
    private readonly now: () => number,
  ) {}

  /** Puts a message in; its id and date are given here. */
  post(from: TelegramUser, content: Partial<TelegramMessage>): TelegramMessage {
    const at = this.now();
    const message: TelegramMessage = {
      ...content,
      message_id: this.nextMessageId(),
      from,
      chat: this.chat,
      date: Math.floor(at / 1000),
    };
    const entry: Entry = { message, revisions: [{ text: message.text ?? '', at }], reactions: [] };
    this.entries.set(message.message_id, entry);
    if (from.is_bot) this.action = this.shownDraft = undefined;
    this.tell({ kind: 'sent', message: this.view(entry) });
    return message;
  }

  /** Replaces the text; returns the message as it is now. */
  edit(messageId: number, { text, entities }: ParsedText, replyMarkup: unknown): TelegramMessage | undefined {
    const entry = this.entries.get(messageId);
    if (!entry) return undefined;
    const at = this.now();
    Object.assign(entry.message, { text, entities: entities.length > 0 ? entities : undefined, edit_date: Math.floor(at / 1000) });
    entry.message.reply_markup = replyMarkup;
    entry.revisions.push({ text, at });
    this.tell({ kind: 'edited', message: this.view(entry) });
    return entry.message;
  }

  delete(messageId: number): boolean {
    const entry = this.entries.get(messageId);
    if (!entry) return false;
    this.entries.delete(messageId);
    this.tell({ kind: 'deleted', message: this.view(entry) });
    return true;
  }

  find(messageId: number): TelegramMessage | undefined {
    return this.entries.get(messageId)?.message;
  }

  react(messageId: number, emoji: readonly string[]): void {
    const entry = this.entries.get(messageId);
    if (entry) entry.reactions = [...emoji];
  }

  openTopic(): number {
    const topicId = this.nextMessageId();
    this.topics.add(topicId);
    return topicId;
  }

  hasTopic(topicId: number): boolean {
    return this.topics.has(topicId);
  }

  showAction(): void {
    this.action = { until: this.now() + actionMs };
    this.tell({ kind: 'typing' });
  }

  showDraft(text: string): void {
    this.shownDraft = { text, until: this.now() + draftMs };
    this.tell({ kind: 'draft' });
  }

  /** True while a chat action is shown. */
  get typing(): boolean {
    return this.action !== undefined && this.action.until > this.now();
  }

  /** The text of the streamed draft that is shown, if one is. */
  get draft(): string | undefined {
    return this.shownDraft && this.shownDraft.until > this.now() ? this.shownDraft.text : undefined;
  }

  /** What is on the screen, oldest first. */
  visible(): VisibleMessage[] {
    return [...this.entries.values()].map((entry) => this.view(entry));
  }

  /** Calls the listener at every change; the function that is returned ends it. */
  listen(listener: (event: ChatEvent) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  private tell(event: ChatEvent): void {
    for (const listener of this.listeners) listener(event);
  }

  private view({ message, revisions, reactions }: Entry): VisibleMessage {
    return {
      messageId: message.message_id,
      from: message.from.is_bot ? 'bot' : 'person',
      senderId: message.from.id,
      topicId: message.message_thread_id,
      replyTo: message.reply_to_message?.message_id,
      text: message.text ?? '',
      entities: message.entities ?? [],
      revisions: revisions.map((revision) => ({ ...revision })),
      reactions: [...reactions],
    };
  }
}
