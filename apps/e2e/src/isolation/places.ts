import type { PersonChat, ReplyReceiver, Said, SentWebhook, StandardWebhooksSender } from '@rockpool/testkit';

/** A conversation through the eyes of who writes in it. */
export interface Place {
  /** Resolves when all of them were accepted, in this order. */
  say(texts: readonly string[]): Promise<void>;
  /** Changes the latest message; resolves with false where there is none yet. */
  edit(text: string): Promise<boolean>;
  /** Delivers the latest message again, so many times at once. */
  again(times: number): Promise<void>;
  /** Whether an answer that is being made is to be seen, where the channel shows that at all. */
  isAnswering(): boolean;
  /** Everything that is to be seen, oldest first. */
  seen(): readonly { readonly from: 'person' | 'bot'; readonly text: string }[];
}

/** A private chat or a group; `address` is what a message to the bot begins with. */
export class TelegramPlace implements Place {
  private last: Said | undefined;

  constructor(
    private readonly chat: PersonChat,
    private readonly address: string,
  ) {}

  async say(texts: readonly string[]): Promise<void> {
    const said = texts.map((text) => this.chat.say(`${this.address}${text}`));
    this.last = said.at(-1);
    await Promise.all(said.map(({ accepted }) => accepted));
  }

  async edit(text: string): Promise<boolean> {
    if (!this.last) return false;
    return this.chat.edit(this.last.messageId, `${this.address}${text}`).accepted;
  }

  async again(times: number): Promise<void> {
    await this.last?.redeliver(times);
  }

  isAnswering(): boolean {
    return this.seen().at(-1)?.text === '…';
  }

  seen(): readonly { readonly from: 'person' | 'bot'; readonly text: string }[] {
    return this.chat.visible().map(({ from, text }) => ({ from: from === 'bot' ? 'bot' : 'person', text }));
  }
}

/** A program that writes under one conversation's name, and gets its answers at the tenant's reply URL. */
export class WebhookPlace implements Place {
  private last: SentWebhook | undefined;

  constructor(
    private readonly name: string,
    private readonly sender: StandardWebhooksSender,
    private readonly receiver: ReplyReceiver,
    private readonly nextId: () => string,
  ) {}

  async say(texts: readonly string[]): Promise<void> {
    for (const text of texts) {
      const data = { conversation: this.name, text, sender: { id: '501', name: 'Ann' } };
      this.last = this.sender.send({ type: 'message', data }, { id: this.nextId() });
      await this.last.accepted;
    }
  }

  async edit(): Promise<boolean> {
    return false;
  }

  async again(times: number): Promise<void> {
    const { last } = this;
    if (last) await Promise.all(Array.from({ length: times }, () => last.redeliver()));
  }

  isAnswering(): boolean {
    return true;
  }

  seen(): readonly { readonly from: 'person' | 'bot'; readonly text: string }[] {
    return this.receiver
      .replies()
      .map(({ payload }) => payload['data'] as { conversation: string; text: string })
      .filter(({ conversation }) => conversation === this.name)
      .map(({ text }) => ({ from: 'bot', text }));
  }
}
