import { RockpoolError } from '@rockpool/contracts';
import type { ChatClient, ChatEvent, ChatItem } from './chat-client.js';

/** Opens the conversation and tells `listener` its history and everything after it. */
export type OpenConversation = (listener: (event: ChatEvent) => void) => Promise<Conversation>;

interface Wait {
  resolve(answer: ChatItem): void;
  reject(error: unknown): void;
}

/** A conversation that is followed: what was said so far, and answers to wait for. */
export class Conversation {
  readonly #items = new Map<string, ChatItem>();
  readonly #waiting = new Map<string, Wait>();
  readonly #end = new AbortController();
  #failure: { error: unknown } | undefined;
  #pausedName: string | undefined;
  /** Rejects when it cannot be followed any more, with what {@link ChatClient.follow} rejected with; never resolves. */
  readonly broken: Promise<never>;
  #break: (error: unknown) => void = () => undefined;

  private constructor(
    private readonly client: ChatClient,
    private readonly listener: (event: ChatEvent) => void,
  ) {
    this.broken = new Promise((_, reject) => (this.#break = reject));
    // Nobody has to listen.
    this.broken.catch(() => undefined);
  }

  /** Resolves once the history is there. `listener` is told the history and everything after it. Rejects as {@link ChatClient.follow} does. */
  static async open(client: ChatClient, listener: (event: ChatEvent) => void, patienceMs: number): Promise<Conversation> {
    const conversation = new Conversation(client, listener);
    await new Promise<void>((resolve, reject) => {
      const take = (event: ChatEvent) => {
        conversation.#take(event);
        if (event.type === 'feed') resolve();
      };
      client.follow(take, { signal: conversation.#end.signal, patienceMs }).catch((error: unknown) => {
        conversation.#fail(error);
        conversation.#break(error);
        reject(error);
      });
    });
    return conversation;
  }

  /** Resolves once the message was accepted. Rejects at once when the tenant is suspended: no answer would ever come. */
  async send(id: string, text: string): Promise<void> {
    if (this.#pausedName !== undefined) {
      throw new RockpoolError('forbidden', `${this.#pausedName} is suspended and does not answer; take suspended out of its settings`);
    }
    await this.client.send(id, text, this.#end.signal);
  }

  /** The final answer to a message that was accepted. */
  async answerTo(messageId: string): Promise<ChatItem> {
    if (this.#failure) throw this.#failure.error;
    const known = [...this.#items.values()].find((item) => answers(item, messageId));
    return known ?? (await new Promise((resolve, reject) => this.#waiting.set(messageId, { resolve, reject })));
  }

  /** Stops following; whoever still waits is told so. */
  close(): void {
    this.#end.abort();
    this.#fail(new RockpoolError('unavailable', 'the chat was closed'));
  }

  #take(event: ChatEvent): void {
    if (event.type === 'hello') this.#pausedName = event.paused ? event.displayName : undefined;
    if (event.type === 'feed') {
      for (const item of event.items) {
        this.#items.set(item.key, item);
        const messageId = item.messageId ?? '';
        if (!answers(item, messageId)) continue;
        this.#waiting.get(messageId)?.resolve(item);
        this.#waiting.delete(messageId);
      }
    }
    this.listener(event);
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    for (const wait of this.#waiting.values()) wait.reject(error);
    this.#waiting.clear();
  }
}

function answers(item: ChatItem, messageId: string): boolean {
  return item.role === 'assistant' && item.state === 'final' && item.messageId === messageId;
}
