import type { ServerResponse } from 'node:http';
import type { WebFeed } from '@rockpool/channels';
import { RetryLater } from '@rockpool/contracts';
import type { Logger, Shutdown } from '@rockpool/service';
import { FeedStream, defaultTiming, type FeedFormat, type FeedStreamTiming } from './feed-stream.js';
import type { Visit } from './web-access.js';

const maxStreamsPerVisitor = 8;
const maxStreams = 5_000;

/** The open event streams of this process. A visitor has at most eight: the ninth ends the oldest, which is told that it was `superseded`. */
export class WebStreams {
  readonly #byVisitor = new Map<string, Set<FeedStream>>();
  #count = 0;

  constructor(
    private readonly feed: WebFeed,
    private readonly shutdown: Shutdown,
    private readonly log: Logger,
    private readonly timing: FeedStreamTiming = defaultTiming,
  ) {
    // Otherwise the server would wait for streams that have no end; readers come back to another process, or after the restart.
    shutdown.signal.addEventListener('abort', () => this.#closeAll());
  }

  /** Throws `RetryLater` while this process has all the streams it can carry, or shuts down. Call it before anything is written to a response. */
  assertRoom(): void {
    if (this.shutdown.signal.aborted || this.#count >= maxStreams)
      throw new RetryLater(2_000, 'no more event streams can be opened here at the moment');
  }

  /** Takes over the response and follows the visitor's conversation on it until either side ends it. Resolves once it follows; never rejects. */
  async open(
    visit: Visit,
    response: ServerResponse,
    options: { format: FeedFormat; since?: string; recheck: () => Promise<unknown> },
  ): Promise<void> {
    const visitor = `${visit.tenant.id}/${visit.session.visitorId}`;
    const streams = this.#byVisitor.get(visitor) ?? new Set();
    this.#byVisitor.set(visitor, streams);
    const [oldest] = streams;
    if (oldest && streams.size >= maxStreamsPerVisitor) {
      streams.delete(oldest);
      oldest.close('superseded');
    }
    const stream = new FeedStream(this.feed, visit, response, { ...options, timing: this.timing, log: this.log });
    streams.add(stream);
    this.#count += 1;
    response.once('close', () => {
      streams.delete(stream);
      this.#count -= 1;
      if (streams.size === 0 && this.#byVisitor.get(visitor) === streams) this.#byVisitor.delete(visitor);
    });
    await stream.start();
  }

  #closeAll(): void {
    for (const streams of this.#byVisitor.values()) for (const stream of streams) stream.close();
  }
}
