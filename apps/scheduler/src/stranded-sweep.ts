import type { Inbox, Wakes } from '@rockpool/conversations';

/** A turn that is open for longer is looked after. Younger ones are with somebody, or their wake is under way. */
const strandedAfterMs = 60_000;

/** While hosts take nothing, this many conversations are woken all the same, to find out whether that is still so. */
const probes = 10;

/**
 * The belt to the braces: wakes conversations whose turns have been open for a minute, should a wake ever have been lost (purged, or dead after all its
 * attempts). A wake too many is harmless, so several sweeps at once are, too.
 */
export class StrandedSweep {
  constructor(
    private readonly inbox: Inbox,
    private readonly wakes: Wakes,
    /** True while an agent host takes no conversations: their wakes wait on the bus, and more of them would only fill it. */
    private readonly hostsAreAway: () => Promise<boolean>,
  ) {}

  /** Resolves with how many conversations were woken. */
  async sweep(now = Date.now()): Promise<number> {
    const before = now - strandedAfterMs;
    let woken = 0;
    let cursor: string | undefined;
    do {
      const away = await this.hostsAreAway();
      const page = await this.inbox.stranded(before, { cursor });
      const chosen = away ? someOf(page.items, probes) : page.items;
      for (const { tenantId, conversationId } of chosen) await this.wakes.wake(tenantId, conversationId);
      woken += chosen.length;
      if (away) return woken;
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return woken;
  }
}

/** Others each time: one that fails its host must not be the only one that is tried. */
function someOf<Item>(items: readonly Item[], count: number): Item[] {
  return items
    .map((item) => ({ item, place: Math.random() }))
    .sort((one, other) => one.place - other.place)
    .slice(0, count)
    .map(({ item }) => item);
}
