import type { Inbox, Wakes } from '@rockpool/conversations';

/** A turn that is open for longer is looked after. Younger ones are with somebody, or their wake is under way. */
const strandedAfterMs = 60_000;

/**
 * The belt to the braces: wakes conversations whose turns have been open for a minute, should a wake ever have been lost (purged, or dead after all its
 * attempts). A wake too many is harmless.
 */
export class StrandedSweep {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(
    private readonly inbox: Inbox,
    private readonly wakes: Wakes,
    private readonly options: { readonly everyMs: number; readonly isPointless: () => boolean; readonly onError: (error: unknown) => void },
  ) {}

  /** Resolves with how many conversations were woken: none while no host takes any, for then their wakes wait with us. */
  async sweep(now = Date.now()): Promise<number> {
    let woken = 0;
    let cursor: string | undefined;
    do {
      if (this.options.isPointless()) return woken;
      const page = await this.inbox.stranded(now - strandedAfterMs, { cursor });
      for (const { tenantId, conversationId } of page.items) await this.wakes.wake(tenantId, conversationId);
      woken += page.items.length;
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return woken;
  }

  start(): void {
    this.timer = setInterval(() => {
      this.running ??= this.sweep()
        .then(() => undefined, this.options.onError)
        .finally(() => (this.running = undefined));
    }, this.options.everyMs);
    this.timer.unref();
  }

  /** Waits for a sweep that is under way. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }
}
