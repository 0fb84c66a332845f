import type { ServerResponse } from 'node:http';

/**
 * Server-sent events over one response. https://html.spec.whatwg.org/multipage/server-sent-events.html
 * It never queues: whoever writes asks `isReady` first and otherwise waits for `onReady`, so that a slow reader costs one socket buffer.
 */
export class EventStream {
  #ready = true;

  /** `onReady` is called each time the reader has caught up. */
  constructor(
    private readonly response: ServerResponse,
    onReady: () => void,
  ) {
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      // Nginx and its like would hold back a streamed answer.
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
      connection: 'keep-alive',
    });
    response.flushHeaders();
    response.on('drain', () => {
      this.#ready = true;
      onReady();
    });
  }

  /** False while the reader is behind. */
  get isReady(): boolean {
    return this.#ready && this.isOpen;
  }

  get isOpen(): boolean {
    return !this.response.destroyed && !this.response.writableEnded;
  }

  /** Sends one event. With an id, the reader gives it back as `Last-Event-ID` when it comes again. */
  send(event: string, data: object, id?: string): void {
    this.#write(`${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** A comment: it keeps proxies from closing a quiet connection, and tells the reader that it is still there. */
  beat(): void {
    if (this.isReady) this.#write(': beat\n\n');
  }

  /** Ends the response after what was written. */
  end(): void {
    if (this.isOpen) this.response.end();
  }

  #write(text: string): void {
    if (this.isOpen) this.#ready = this.response.write(text) && this.#ready;
  }
}
