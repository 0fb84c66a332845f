import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import { color } from './output.js';

/** Lines that come faster than anybody types belong to one paste, and so to one message. */
const pasteGapMs = 30;

/** The line a person types on. While it is hidden, typing goes on unseen and is shown afterwards. */
export class Prompt {
  readonly #readline: Interface;
  readonly #lines: string[] = [];
  #gap: NodeJS.Timeout | undefined;
  #hidden = true;

  /** `message` is called with each finished message and whether it was seen being typed; `closed` once, after Ctrl-C or Ctrl-D. */
  constructor(
    input: NodeJS.ReadStream,
    private readonly output: NodeJS.WriteStream,
    on: { message: (text: string, wasVisible: boolean) => void; closed: () => void },
  ) {
    const screen = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        if (!this.#hidden) output.write(chunk);
        done();
      },
    });
    Object.defineProperty(screen, 'columns', { get: () => output.columns });
    this.#readline = createInterface({ input, output: screen, terminal: true, prompt: `${color('dim', 'you ›')} ` });
    this.#readline.on('line', (line) => {
      this.#lines.push(line);
      clearTimeout(this.#gap);
      this.#gap = setTimeout(() => {
        // The last line of a paste has no end yet: the person finishes it.
        if (this.#readline.line !== '') return;
        const text = this.#lines.splice(0).join('\n').trim();
        if (text !== '') on.message(text, !this.#hidden);
        else this.show();
      }, pasteGapMs);
    });
    this.#readline.on('close', on.closed);
  }

  show(): void {
    this.#hidden = false;
    this.#readline.prompt(true);
  }

  /** Takes the line off the screen, with what is typed on it. */
  hide(): void {
    if (this.#hidden) return;
    this.output.write('\r\u001b[J');
    this.#hidden = true;
  }

  close(): void {
    clearTimeout(this.#gap);
    this.#readline.close();
  }
}
