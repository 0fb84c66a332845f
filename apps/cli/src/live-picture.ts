const cutLongLines = '\u001b[?7l';
const wrapLongLines = '\u001b[?7h';

/** Text at the bottom of a terminal that is drawn again in place. What is too wide or too high for the terminal is cut: at the right, and above. */
export class LivePicture {
  #height = 0;

  constructor(private readonly output: NodeJS.WriteStream) {}

  /** Takes the place of what was drawn before. */
  draw(text: string): void {
    // A terminal that does not know its size says 0.
    const lines = text.split('\n').slice(-Math.max(1, (this.output.rows || 24) - 1));
    this.output.write(`${this.#erasure()}${cutLongLines}${lines.join('\n')}\n${wrapLongLines}`);
    this.#height = lines.length;
  }

  /** Takes what was drawn away, so that other text takes its place. */
  clear(): void {
    this.output.write(this.#erasure());
    this.#height = 0;
  }

  #erasure(): string {
    return this.#height > 0 ? `\u001b[${this.#height}F\u001b[J` : '';
  }
}
