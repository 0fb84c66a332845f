import type { ServerResponse } from 'node:http';
import { webConversationId, type FeedChange, type FeedItem, type WebFeed } from '@rockpool/channels';
import { codeOf, problemOf } from '@rockpool/contracts';
import type { Logger } from '@rockpool/service';
import { EventStream } from './event-stream.js';
import type { Visit } from './web-access.js';

/** How often things happen on a stream, in milliseconds. */
export interface FeedStreamTiming {
  readonly heartbeatMs: number;
  readonly recheckMs: number;
}

export const defaultTiming: FeedStreamTiming = { heartbeatMs: 15_000, recheckMs: 30_000 };

/** A growing answer is sent whole each time. So that a long one does not flood a phone it is sent less often: about 100 kB a second. */
const lengthPerMs = 100;
const longestPauseMs = 500;

/** `html` for a page, `text` (Markdown) for a terminal. */
export type FeedFormat = 'html' | 'text';

/**
 * One reader following one conversation:
 *
 * ```
 * event: hello    {displayName, paused}                 once
 * event: feed     {complete, items: [{key, at, role, state, messageId?, text | html}]}
 * event: typing   {forMs}
 * event: closed   {code}                                before the server ends it for good; a reader must not simply come back
 * ```
 *
 * While the reader is behind, changes of one item replace each other, so that it always gets the newest state and never a backlog.
 */
export class FeedStream {
  readonly #stream: EventStream;
  readonly #pending = new Map<string, FeedItem>();
  readonly #timers: NodeJS.Timeout[] = [];
  #complete = false;
  #known = '';
  #flushTimer: NodeJS.Timeout | undefined;
  #unfollow: (() => void) | undefined;
  #ended = false;

  /** `recheck` rejects when the visitor may no longer read. */
  constructor(
    private readonly feed: WebFeed,
    private readonly visit: Visit,
    response: ServerResponse,
    private readonly options: {
      format: FeedFormat;
      since?: string;
      timing: FeedStreamTiming;
      recheck: () => Promise<unknown>;
      log: Logger;
    },
  ) {
    this.#stream = new EventStream(response, () => this.#flush());
    response.on('close', () => this.#stop());
  }

  /** Sends the history, then follows. Never rejects: when the conversation cannot be read the response ends, and the reader comes again. */
  async start(): Promise<void> {
    const { tenant, session } = this.visit;
    this.#stream.send('hello', { displayName: tenant.spec.displayName ?? tenant.id, paused: tenant.spec.suspended });
    this.#timers.push(
      setInterval(() => this.#stream.beat(), this.options.timing.heartbeatMs),
      setInterval(() => void this.#recheck(), this.options.timing.recheckMs),
    );
    try {
      const unfollow = await this.feed.follow(tenant.id, webConversationId(tenant.id, session.visitorId), {
        listener: (change) => this.#take(change),
        failed: (error) => this.#fail(error),
        since: this.options.since,
      });
      if (this.#ended) unfollow();
      else this.#unfollow = unfollow;
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Ends it. With a code the reader is told that coming back at once is no use. */
  close(code?: string): void {
    if (code !== undefined) this.#stream.send('closed', { code });
    this.#interrupt();
  }

  async #recheck(): Promise<void> {
    try {
      await this.options.recheck();
    } catch (error) {
      // A storage that does not answer is no revocation: the reader keeps what it has, and the next check decides.
      if (problemOf(error).status < 500) this.close(codeOf(error));
    }
  }

  #take(change: FeedChange): void {
    if (change.complete) {
      this.#pending.clear();
      this.#complete = true;
    }
    for (const item of change.items) this.#pending.set(item.key, item);
    if (this.#flushTimer === undefined) this.#flush();
  }

  #flush(): void {
    if (!this.#stream.isReady || this.#flushTimer !== undefined || (this.#pending.size === 0 && !this.#complete)) return;
    const items = [...this.#pending.values()];
    for (const item of items) if (item.changedAt > this.#known) this.#known = item.changedAt;
    const shown = items.filter((item) => item.state !== 'typing').map((item) => wireItem(item, this.options.format));
    const complete = this.#complete;
    this.#pending.clear();
    this.#complete = false;
    const sentLength = shown.reduce((length, item) => length + (item.html ?? item.text ?? '').length, 0);
    if (complete || shown.length > 0) this.#stream.send('feed', { complete, items: shown }, this.#known || undefined);
    const typing = items.find((item) => item.state === 'typing' && item.until !== undefined);
    if (typing?.until) this.#stream.send('typing', { forMs: Math.max(0, Date.parse(typing.until) - Date.now()) });
    const pauseMs = complete ? 0 : Math.min(longestPauseMs, sentLength / lengthPerMs);
    this.#flushTimer = setTimeout(() => {
      this.#flushTimer = undefined;
      this.#flush();
    }, pauseMs);
  }

  #fail(error: unknown): void {
    this.options.log.warn({ error, tenantId: this.visit.tenant.id }, 'an event stream of the web chat was cut off');
    this.#interrupt();
  }

  #interrupt(): void {
    this.#stop();
    this.#stream.end();
  }

  #stop(): void {
    this.#ended = true;
    this.#unfollow?.();
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#flushTimer);
  }
}

/** An item as a reader gets it: `html` of an answer for a page, else `text`. */
type WireItem = Pick<FeedItem, 'key' | 'at' | 'role' | 'state' | 'messageId' | 'html'> & { readonly text?: string };

function wireItem({ key, at, role, state, messageId, text, html }: FeedItem, format: FeedFormat): WireItem {
  const item = { key, at, role, state, messageId };
  return format === 'html' && html !== undefined ? { ...item, html } : { ...item, text };
}
