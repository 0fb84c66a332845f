import type { ReplyTarget, TenantId } from '@rockpool/contracts';

/**
 * How strongly a channel lets us keep "one visible reply".
 * - `edit`: a placeholder is placed and its receipt recorded; the answer is an edit of it, and an edit may be repeated.
 * - `key`: the channel itself refuses or absorbs a second send with the same key.
 */
export type DeliveryGuarantee = 'edit' | 'key';

/** A piece of an answer that fits one message of the channel. `payload` is the channel's own rendering, `text` is what a person reads in it. */
export interface ReplyChunk {
  readonly text: string;
  readonly payload: unknown;
}

/** The provider's id of a message that was sent, as the channel needs it to edit that message. */
export type Receipt = string;

/** What the ledger knows of a conversation's messages when strays are looked for. */
export interface KnownMessages {
  /** Receipts of its recent answers. */
  readonly receipts: ReadonlySet<Receipt>;
  /** False while another placement may be under way, or when there is more than was read: a message that is not among `receipts` may be wanted then. */
  readonly isComplete: boolean;
}

/**
 * The sending side of a channel, for one tenant's account. Every call may reject with
 * `RetryLater` (rate limit; nothing was sent), `TerminalError` (blocked, gone: never will be), `OutcomeUnknown` (the request left, no answer came),
 * or anything else (surely not sent: try again).
 */
export abstract class ReplyChannel {
  abstract readonly guarantee: DeliveryGuarantee;

  /** Whether a message that is complete can be changed later. */
  readonly edits: boolean = true;

  /** Shortest time between two streaming updates of one message. */
  abstract readonly updateIntervalMs: number;

  /** Splits and renders Markdown. At least one chunk for any non-empty text; no visible character is lost, no fence or surrogate pair is split. */
  abstract render(markdown: string): ReplyChunk[];

  /** `edit` channels: sends a placeholder. `key` channels: makes a message with this key exist, empty. */
  abstract place(target: ReplyTarget, key: string): Promise<Receipt>;

  /** Replaces the message's content. Repeating it is harmless. With `final` false, more is to come and a failure may be ignored. */
  abstract update(target: ReplyTarget, receipt: Receipt, chunk: ReplyChunk, options: { final: boolean }): Promise<void>;

  /**
   * Takes away what earlier placements with this key may have left at the channel, now that one gave `receipt`. Only what is proven to be a placeholder of ours
   * is touched, so something may stay. May reject like the other calls; nobody repeats it. A `key` channel has nothing to take away.
   */
  async sweep(_target: ReplyTarget, _key: string, _receipt: Receipt, _known: () => Promise<KnownMessages>): Promise<void> {}

  /** Shows that something is being done. Best effort; never rejects. */
  abstract typing(target: ReplyTarget): Promise<void>;
}

/** Finds the sending side for a target, with the credentials of that tenant (or of the shared bot). Rejects with `not_found` when there are none. */
export abstract class ReplyChannels {
  abstract for(tenantId: TenantId, target: ReplyTarget): Promise<ReplyChannel>;
}
