import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A webhook that was received. */
export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What the receiver answers: a status, with headers and body; or nothing, with the socket closed. */
export type Reply = { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string } | 'hang-up';

/** A product stand-in for the specs: takes webhooks and answers each as the script says. */
export class WebhookReceiver {
  readonly received: Received[] = [];
  private readonly waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  private readonly server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const received = { headers: request.headers, body: Buffer.concat(pieces).toString('utf8') };
      this.received.push(received);
      for (const waiter of this.waiting) if (this.received.length >= waiter.count) waiter.resolve();
      void Promise.resolve(this.reply(received, this.received.length)).then((reply) => {
        if (reply === 'hang-up') response.destroy();
        else response.writeHead(reply.status, reply.headers).end(reply.body ?? '');
      });
    });
  });

  /** @param reply decides by the request and its number, beginning with 1. */
  constructor(private readonly reply: (received: Received, count: number) => Reply | Promise<Reply> = () => ({ status: 200 })) {}

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/webhook`;
  }

  /** Resolves once so many webhooks have come. */
  receives(count: number): Promise<void> {
    return this.received.length >= count ? Promise.resolve() : new Promise((resolve) => this.waiting.push({ count, resolve }));
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }
}
