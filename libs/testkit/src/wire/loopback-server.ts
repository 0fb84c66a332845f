import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from './clock.js';
import type { FaultRule, Faults } from './faults.js';

/** A request with its body read. */
export interface WireRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  /** Aborted when the caller goes away or the server closes. */
  readonly signal: AbortSignal;
}

/** What goes back: a body, or pieces one after another. A stream that throws {@link DropConnection} ends in a closed socket. */
export interface WireAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly stream?: AsyncIterable<string>;
}

/** Thrown by a handler or a stream: the socket is closed instead of an answer. */
export class DropConnection extends Error {}

/** What a simulator gives its server. */
export interface LoopbackOptions {
  readonly clock: Clock;
  readonly faults: Faults;
  /** Names the operation of a request, for faults. */
  operation(request: WireRequest): string;
  handle(request: WireRequest): Promise<WireAnswer> | WireAnswer;
  /** The service's own way to say that it failed with this status. */
  failure(status: number, retryAfterSeconds: number | undefined): WireAnswer;
}

/** The HTTP server under every simulator: on the loopback unless it is told otherwise, applies faults, and never leaves a connection behind when it closes. */
export class LoopbackServer {
  private readonly server: Server;
  private readonly closing = new AbortController();
  private address = '';

  constructor(private readonly options: LoopbackOptions) {
    this.server = createServer((request, response) => void this.serve(request, response));
  }

  /** `http://127.0.0.1:<port>`. Throws before {@link listen}. */
  get url(): string {
    if (!this.address) throw new Error('the simulator is not started yet');
    return this.address;
  }

  /** Starts on the port, or on a free one. Resolves with a URL of this machine, also when it listens on every address. */
  async listen(port = 0, host = '127.0.0.1'): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () => resolve());
    });
    this.address = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return this.address;
  }

  /** Ends every connection and stops listening. */
  async close(): Promise<void> {
    this.closing.abort();
    if (!this.server.listening) return;
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  private async serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    try {
      const request = await read(incoming, AbortSignal.any([gone.signal, this.closing.signal]));
      await this.answer(request, response);
    } catch (error) {
      // A caller that hung up is its own business; a dropped connection was asked for; anything else is a fault of the simulator and is told.
      if (!(error instanceof DropConnection) && !gone.signal.aborted && !response.headersSent) {
        response.writeHead(500, { 'content-type': 'text/plain' }).end(`simulator: ${error instanceof Error ? error.stack : String(error)}`);
      } else {
        response.destroy();
      }
    }
  }

  private async answer(request: WireRequest, response: ServerResponse): Promise<void> {
    const { clock, faults, failure, handle, operation } = this.options;
    const fault: FaultRule | undefined = faults.strike({
      operation: operation(request),
      method: request.method,
      path: request.path,
      headers: request.headers,
      body: request.body.toString('utf8'),
    });
    switch (fault?.kind) {
      case 'drop-before':
        throw new DropConnection();
      case 'reset':
        response.socket?.resetAndDestroy();
        return;
      case 'status':
        await send(response, failure(fault.status ?? 500, fault.retryAfterSeconds));
        return;
      case 'delay':
        await clock.sleep(fault.delayMs ?? 1000, request.signal);
        break;
      case 'accept-then-drop':
        await handle(request);
        throw new DropConnection();
      case undefined:
    }
    await send(response, await handle(request));
  }
}

async function read(incoming: IncomingMessage, signal: AbortSignal): Promise<WireRequest> {
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(piece as Buffer);
  const url = new URL(incoming.url ?? '/', 'http://127.0.0.1');
  return {
    method: incoming.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    headers: incoming.headers,
    body: Buffer.concat(pieces),
    signal,
  };
}

async function send(response: ServerResponse, answer: WireAnswer): Promise<void> {
  response.writeHead(answer.status, answer.headers);
  if (!answer.stream) {
    response.end(answer.body ?? '');
    return;
  }
  response.flushHeaders();
  for await (const piece of answer.stream) {
    if (response.destroyed) return;
    response.write(piece);
  }
  response.end();
}
