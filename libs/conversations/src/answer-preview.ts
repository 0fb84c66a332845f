/**
 * Shows a growing answer at most once per interval, one update at a time. `close` waits for the update under way, so that none can overtake the
 * final one.
 */
export class AnswerPreview {
  private text = '';
  private shown = '';
  private timer: NodeJS.Timeout | undefined;
  private underWay: Promise<void> | undefined;
  private closed = false;
  private ready = false;

  constructor(
    private readonly intervalMs: number,
    private readonly show: (markdown: string) => Promise<void>,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  /** Updates may begin: the message exists. */
  open(): void {
    this.ready = true;
    this.schedule();
  }

  add(delta: string): void {
    this.text += delta;
    this.schedule();
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.underWay;
  }

  private schedule(): void {
    if (!this.ready || this.closed || this.timer || this.underWay || this.text === this.shown) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.underWay = this.update().finally(() => {
        this.underWay = undefined;
        this.schedule();
      });
    }, this.intervalMs);
  }

  private async update(): Promise<void> {
    const text = this.text;
    try {
      await this.show(text);
    } catch (error) {
      this.onFailure(error);
    }
    this.shown = text;
  }
}
