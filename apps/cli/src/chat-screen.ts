import { stripVTControlCharacters } from 'node:util';
import type { ChatItem } from './chat-client.js';
import { color } from './output.js';

/** Text of somebody else for a terminal: without control characters, which could move the cursor or speak to the terminal itself. */
export function terminalText(text: string): string {
  // eslint-disable-next-line no-control-regex -- these characters are what is removed
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}

/** Shows a conversation in a terminal. The answer under way grows in place at the bottom; whatever else arrives waits until it is final. */
export class Screen {
  #live: ChatItem | undefined;
  #written = '';
  #deferred: ChatItem[] = [];
  /** The answer at the very bottom, while nothing came below it: when it is changed it changes there. */
  #last: { readonly key: string; readonly written: string } | undefined;
  readonly #finished = new Set<string>();
  /** Who answers. */
  name = '';

  constructor(private readonly output: NodeJS.WriteStream) {}

  /** True while an answer is taking shape. */
  get isBusy(): boolean {
    return this.#live !== undefined;
  }

  /** A message that stands: a visitor's, or an answer as far as it is. */
  show(item: ChatItem): void {
    if (this.#live && this.#live.key !== item.key) {
      this.#deferred = [...this.#deferred.filter(({ key }) => key !== item.key), item];
      return;
    }
    if (item.role === 'user') {
      this.#rewrite('');
      this.#last = undefined;
      this.output.write(`${color('dim', 'you ›')} ${terminalText(item.text)}\n`);
      return;
    }
    if (this.#last?.key === item.key) this.#written = this.#last.written;
    const isChange = this.#finished.has(item.key) && this.#last?.key !== item.key;
    this.#last = undefined;
    this.#live = item;
    const text = item.state === 'placed' ? color('dim', '…') : terminalText(item.text);
    this.#rewrite(`${color('bold', `${terminalText(this.name)} ›`)} ${isChange ? color('dim', text) : text}`);
    if (item.state !== 'final') return;
    this.output.write('\n\n');
    this.#last = { key: item.key, written: `${this.#written}\n\n` };
    this.#finished.add(item.key);
    this.#written = '';
    this.#live = undefined;
    for (const next of this.#deferred.splice(0)) this.show(next);
  }

  /** Says that somebody is at work, unless an answer shows it already. */
  typing(): void {
    if (this.#live) return;
    this.#last = undefined;
    this.#rewrite(color('dim', `${terminalText(this.name)} is thinking …`));
  }

  /** Something else came below what is shown. */
  passed(): void {
    this.#last = undefined;
  }

  /** A line beside the conversation: trouble, or help. */
  remark(text: string): void {
    this.#rewrite('');
    this.#last = undefined;
    this.output.write(`${color('dim', text)}\n`);
  }

  #rewrite(text: string): void {
    if (!text.startsWith(this.#written)) this.#erase();
    this.output.write(text.slice(this.#written.length));
    this.#written = text;
  }

  /** What has scrolled out of sight cannot be taken back; then the new text comes below. */
  #erase(): void {
    const columns = this.output.columns || 80;
    const lines = stripVTControlCharacters(this.#written).split('\n');
    const rows = lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / columns)), 0);
    if (rows > (this.output.rows || 24)) this.output.write('\n');
    else this.output.write(`\r${rows > 1 ? `\u001b[${rows - 1}A` : ''}\u001b[J`);
    this.#written = '';
  }
}
