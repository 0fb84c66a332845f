/** What was seen lately: at most so many, for at most so long. */
export class Memory {
  /** When each was added; oldest first. */
  readonly #seen = new Map<string, number>();

  constructor(
    private readonly limit: number,
    private readonly keptMs: number,
    private readonly now: () => number = Date.now,
  ) {}

  add(name: string): void {
    this.#seen.delete(name);
    this.#seen.set(name, this.now());
    if (this.#seen.size > this.limit) this.#seen.delete(this.#seen.keys().next().value!);
  }

  has(name: string): boolean {
    const at = this.#seen.get(name);
    return at !== undefined && this.now() - at < this.keptMs;
  }
}
