import { Agent, createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';

/** How long a request waits for a copy to come up, as one that meets a cold start does. */
const patienceMs = 20_000;
const pauseMs = 50;
/** Longer than any client keeps a connection that is not used, as Google's front end does. */
const keptAliveMs = 620_000;

/**
 * The front of an app that runs in several copies, as Cloud Run has one: spreads requests over the copies, waits while none listens, and answers 502 when a copy is gone
 * after it was given the request, for then nobody knows what it did.
 */
export class Balancer {
  private next = 0;
  private readonly agent = new Agent({ keepAlive: true });

  private constructor(
    private readonly server: Server,
    /** Ports of the copies on loopback. */
    private ports: readonly number[],
  ) {}

  /** Listens on loopback; on a free port when `port` is 0. */
  static async start(ports: readonly number[], port = 0): Promise<Balancer> {
    const server = createServer();
    server.keepAliveTimeout = keptAliveMs;
    const balancer = new Balancer(server, ports);
    server.on('request', (incoming, response) => void balancer.handle(incoming, response));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Gives this copy nothing more, as one that fails its liveness probe gets nothing. */
  leaveOut(port: number): void {
    this.ports = this.ports.filter((other) => other !== port);
  }

  async close(): Promise<void> {
    this.agent.destroy();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    // A caller that goes away in the middle of its own request wants nothing any more.
    const body = await bytesOf(incoming).catch(() => undefined);
    if (body === undefined) return;
    const deadline = Date.now() + patienceMs;
    while (!response.destroyed) {
      for (let tried = 0; tried < this.ports.length; tried++) {
        const port = this.ports[this.next++ % this.ports.length]!;
        if ((await this.forward(port, incoming, body, response)) === 'answered') return;
      }
      if (Date.now() > deadline) return void end(response, 503);
      await after(pauseMs);
    }
  }

  /** `refused`: nobody listens there, so nothing of the request was seen. */
  private forward(port: number, incoming: IncomingMessage, body: Buffer, response: ServerResponse): Promise<'answered' | 'refused'> {
    return new Promise((resolve) => {
      const { method, url, rawHeaders } = incoming;
      const outgoing = request({ host: '127.0.0.1', port, method, path: url, headers: headersOf(rawHeaders, body), agent: this.agent });
      const abandon = () => outgoing.destroy();
      response.once('close', abandon);
      outgoing.once('response', (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.once('error', () => response.destroy());
        answer.pipe(response).once('close', () => resolve('answered'));
      });
      outgoing.once('error', (error: NodeJS.ErrnoException) => {
        response.off('close', abandon);
        if (error.code === 'ECONNREFUSED') return resolve('refused');
        if (response.headersSent) response.destroy();
        else end(response, 502);
        resolve('answered');
      });
      outgoing.end(body);
    });
  }
}

async function bytesOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** As they came, but for what is between two neighbours only. */
function headersOf(raw: readonly string[], body: Buffer): string[] {
  const headers = ['content-length', String(body.byteLength)];
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]!.toLowerCase();
    if (['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'expect'].includes(name)) continue;
    headers.push(name, raw[index + 1]!);
  }
  return headers;
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'retry-after': '1', 'content-length': '0' }).end();
}
