import { SlidingWindow, TokenBucket, type Limit } from '../wire/flood-gate.js';

/**
 * "Avoid sending more than one message per second in a chat … short bursts may be allowed; not more than 20 messages per minute in a group; about 30
 * messages per second overall." https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this. Edits count like messages.
 */
const chatBurst = 3; // how short a short burst is, is not published (?)
const chatPerSecond = 1;
const groupPerMinute = 20;
const botPerSecond = 30;

export class TelegramLimits {
  private readonly chats = new Map<string, TokenBucket>();
  private readonly groups = new Map<string, SlidingWindow>();
  private readonly bots = new Map<number, TokenBucket>();

  /** The limits that a message or an edit of this bot in this chat is under. */
  of(botId: number, chatId: number): Limit[] {
    const chat = `chat ${chatId} of bot ${botId}`;
    const limits: Limit[] = [
      { scope: `bot ${botId}`, measure: kept(this.bots, botId, () => new TokenBucket(botPerSecond, botPerSecond)) },
      { scope: chat, measure: kept(this.chats, chat, () => new TokenBucket(chatBurst, chatPerSecond)) },
    ];
    if (chatId < 0) {
      const group = `group ${chatId} of bot ${botId}`;
      limits.push({ scope: group, measure: kept(this.groups, group, () => new SlidingWindow(groupPerMinute, 60_000)) });
    }
    return limits;
  }
}

function kept<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key) ?? make();
  map.set(key, found);
  return found;
}
