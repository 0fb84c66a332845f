import type { PersonChat } from '../telegram/person.js';
import type { VisibleMessage } from '../telegram/types.js';

/** How long a text must stay as it is, in milliseconds: longer than the second between two edits of a streamed answer. */
const settledMs = 2_000;

/**
 * The bot's messages below one of the person's, once they no longer change: text that is more than dots, no typing shown, no edit for two seconds. A person
 * decides the same way that the bot has finished. Resolves with undefined when that does not come about in time.
 */
export function settledAnswer(chat: PersonChat, afterMessageId: number, timeoutMs: number): Promise<VisibleMessage[] | undefined> {
  const answers = (): VisibleMessage[] => chat.visible().filter(({ from, messageId }) => from === 'bot' && messageId > afterMessageId);
  const isFinished = (): boolean => !chat.typing && answers().length > 0 && answers().every(({ text }) => !/^[\s.…⏳⌛]*$/u.test(text));
  return new Promise((resolve) => {
    let settling: NodeJS.Timeout | undefined;
    const end = (result: VisibleMessage[] | undefined): void => {
      clearTimeout(settling);
      clearTimeout(late);
      stop();
      resolve(result);
    };
    const look = (): void => {
      clearTimeout(settling);
      settling = setTimeout(() => (isFinished() ? end(answers()) : look()), settledMs);
    };
    const late = setTimeout(() => end(undefined), timeoutMs);
    const stop = chat.listen(look);
    look();
  });
}
