import type { Documents } from '@rockpool/cloud';

interface BotRecord {
  readonly username: string;
}

const botPath = (account: string): string => `bots/telegram:${account}`;

/** What Telegram calls its bots. A token does not say it; whoever asks Telegram leaves it here, so that a bot in a group knows when it is mentioned. */
export class BotNames {
  constructor(private readonly documents: Documents) {}

  /** The username without `@`; `undefined` while nobody has asked. `account` is the bot's id. */
  async get(account: string): Promise<string | undefined> {
    return (await this.documents.get<BotRecord>(botPath(account)))?.data.username;
  }

  async remember(account: string, username: string): Promise<void> {
    if ((await this.get(account)) !== username) await this.documents.set(botPath(account), { username } satisfies BotRecord);
  }
}
