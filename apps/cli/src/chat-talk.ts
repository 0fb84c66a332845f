import { randomUUID } from 'node:crypto';
import type { ChatEvent, ChatItem } from './chat-client.js';
import type { Conversation, OpenConversation } from './chat-conversation.js';
import { Prompt } from './chat-prompt.js';
import { Screen, terminalText } from './chat-screen.js';

const historyShown = 10;

/** A person at a terminal talks until Ctrl-C or Ctrl-D. Messages may be sent while an answer is under way: `/stop`, or the next question. */
export async function talk(open: OpenConversation): Promise<void> {
  const talk = new Talk();
  await talk.run(open);
}

class Talk {
  readonly #screen = new Screen(process.stdout);
  /** Ids of messages that stand on the screen as they were typed. */
  readonly #typed = new Set<string>();
  readonly #unanswered = new Set<string>();
  readonly #shown = new Map<string, string>();
  #prompt: Prompt | undefined;
  #hasHistory = false;
  #isConnected = true;

  async run(open: OpenConversation): Promise<void> {
    const conversation = await open((event) => this.#take(event));
    try {
      const left = new Promise<void>((resolve) => {
        this.#prompt = new Prompt(process.stdin, process.stdout, {
          message: (text, wasVisible) => void this.#deliver(conversation, text, wasVisible),
          closed: resolve,
        });
        this.#rest();
      });
      await Promise.race([left, conversation.broken]);
    } finally {
      this.#prompt?.close();
      conversation.close();
      process.stdout.write('\n');
    }
  }

  async #deliver(conversation: Conversation, text: string, wasVisible: boolean): Promise<void> {
    const id = randomUUID();
    this.#prompt?.hide();
    if (wasVisible) this.#typed.add(id);
    this.#screen.passed();
    this.#unanswered.add(id);
    try {
      await conversation.send(id, text);
    } catch (error) {
      this.#unanswered.delete(id);
      this.#screen.remark(`Not sent: ${error instanceof Error ? error.message : String(error)}`);
      this.#rest();
    }
  }

  #take(event: ChatEvent): void {
    switch (event.type) {
      case 'hello':
        this.#screen.name = event.displayName;
        if (!this.#isConnected) this.#remark('Connected again.');
        this.#isConnected = true;
        return;
      case 'lost':
        if (this.#isConnected) this.#remark('The connection is lost; trying again.');
        this.#isConnected = false;
        return;
      case 'typing':
        if (this.#unanswered.size > 0) this.#screen.typing();
        return;
      case 'feed':
        if (this.#hasHistory) for (const item of event.items) this.#show(item);
        else this.#begin(event.items);
        this.#rest();
    }
  }

  #begin(history: readonly ChatItem[]): void {
    this.#hasHistory = true;
    process.stdout.write(`Chatting with ${terminalText(this.#screen.name)}. /help lists the commands, Ctrl-D ends.\n\n`);
    for (const item of history.slice(0, -historyShown)) this.#shown.set(item.key, contentOf(item));
    for (const item of history.slice(-historyShown)) this.#show(item);
  }

  #show(item: ChatItem): void {
    if (this.#shown.get(item.key) === contentOf(item)) return;
    this.#shown.set(item.key, contentOf(item));
    if (item.role === 'assistant' && item.state === 'final') this.#unanswered.delete(item.messageId ?? '');
    if (item.role === 'user' && this.#typed.has(item.messageId ?? '')) return;
    this.#prompt?.hide();
    this.#screen.show(item);
  }

  #remark(text: string): void {
    this.#prompt?.hide();
    this.#screen.remark(text);
    this.#rest();
  }

  /** The line to type on is there whenever nothing is being answered. */
  #rest(): void {
    if (this.#unanswered.size === 0 && !this.#screen.isBusy) this.#prompt?.show();
  }
}

function contentOf(item: ChatItem): string {
  return `${item.state} ${item.text}`;
}
