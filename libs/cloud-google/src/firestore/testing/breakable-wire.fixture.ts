import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

/** Bytes between a client and a server, which can be cut. */
export class BreakableWire {
  readonly #open = new Set<Socket>();
  #isCut = false;
  #losesNextAnswer = false;
  #lost = Promise.withResolvers<void>();

  private constructor(
    private readonly server: Server,
    /** `127.0.0.1:<port>`, where the client connects. */
    readonly endpoint: string,
  ) {}

  static async to(target: string): Promise<BreakableWire> {
    const [host, port] = target.split(':') as [string, string];
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const wire = new BreakableWire(server, `127.0.0.1:${(server.address() as { port: number }).port}`);
    server.on('connection', (client) => wire.#join(client, connect(Number(port), host)));
    return wire;
  }

  /** Breaks every connection and refuses new ones. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#open) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  /** Breaks the connection instead of passing on what the server says next. Resolves when that has happened. */
  loseNextAnswer(): Promise<void> {
    this.#lost = Promise.withResolvers<void>();
    this.#losesNextAnswer = true;
    return this.#lost.promise;
  }

  async close(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  #join(client: Socket, server: Socket): void {
    const both = [client, server];
    for (const socket of both) {
      this.#open.add(socket);
      // Whatever ends one end, ends the other; why, is the business of the two that talk.
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#open.delete(socket);
        for (const one of both) one.destroy();
      });
    }
    if (this.#isCut) return void client.destroy();
    client.on('data', (bytes) => server.write(bytes));
    server.on('data', (bytes) => {
      if (!this.#losesNextAnswer) return void client.write(bytes);
      this.#losesNextAnswer = false;
      this.#lost.resolve();
      client.destroy();
    });
  }
}
