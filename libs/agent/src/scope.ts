/**
 * A stretch of work with a signal of its own, which aborts when its parent's does, when its time is up, or when it is told to. Unlike a signal made by
 * `AbortSignal.any` and `AbortSignal.timeout` it leaves no timer and no listener behind once it has ended, and there are several of them in every turn.
 */
export class Scope {
  private readonly controller = new AbortController();
  private readonly onParent = (): void => this.abort(this.parent.reason);
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly parent: AbortSignal) {
    if (parent.aborted) this.onParent();
    else parent.addEventListener('abort', this.onParent, { once: true });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Aborts with this error unless it ends, or another time is set, within so many milliseconds. */
  limit(ms: number, reason: () => Error): this {
    clearTimeout(this.timer);
    if (!this.signal.aborted) this.timer = setTimeout(() => this.abort(reason()), ms);
    return this;
  }

  /** Starts the time that was set last anew. */
  refresh(): void {
    this.timer?.refresh();
  }

  /** Takes the limit away. */
  lift(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  abort(reason: unknown): void {
    this.end();
    this.controller.abort(reason);
  }

  /** Frees everything. The signal does not abort any more. */
  end(): void {
    this.lift();
    this.parent.removeEventListener('abort', this.onParent);
  }
}
