import { connect, type Socket } from 'node:net';

/** A request as bytes: the headers are sent in this order, with these names and values, however wrong they are. */
export interface WireRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** What came back: a status, or nothing because the other side closed the connection. */
export interface WireAnswer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends requests one after another over one connection, without any of the checks of an HTTP client. Connects anew when the server has closed it. */
export class Wire {
  private socket: Socket | undefined;
  private received = Buffer.alloc(0);
  private changed = Promise.withResolvers<void>();

  constructor(private readonly url: URL) {}

  async send({ method = 'POST', path, headers, body }: WireRequest): Promise<WireAnswer> {
    const lengthGiven = headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
    const all = [...headers, ...(lengthGiven ? [] : [['content-length', String(body.byteLength)] as const])];
    const hostGiven = headers.some(([name]) => name.toLowerCase() === 'host');
    const lines = [
      `${method} ${path} HTTP/1.1`,
      ...(hostGiven ? [] : [`host: ${this.url.host}`]),
      ...all.map(([name, value]) => `${name}: ${value}`),
    ];
    const socket = this.open();
    socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]));
    return this.answer(socket);
  }

  close(): void {
    this.socket?.destroy();
  }

  private open(): Socket {
    if (this.socket?.writable) return this.socket;
    const socket = connect(Number(this.url.port), this.url.hostname);
    this.socket = socket;
    this.received = Buffer.alloc(0);
    const wake = () => {
      this.changed.resolve();
      this.changed = Promise.withResolvers();
    };
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      wake();
    });
    // A reset shows as the end of the connection.
    socket.on('error', () => undefined).on('close', wake);
    return socket;
  }

  private async answer(socket: Socket): Promise<WireAnswer> {
    for (;;) {
      const answer = this.take();
      if (answer?.status === 100) continue;
      if (answer) {
        // What is no HTTP is answered with 400 by the parser, which then closes without saying so.
        if (answer.headers['connection'] === 'close' || answer.status === 400) socket.destroy();
        return answer;
      }
      if (socket.destroyed || socket.readableEnded) return { status: undefined, headers: {}, body: '' };
      await this.changed.promise;
    }
  }

  /** Takes one whole answer off what was received. */
  private take(): WireAnswer | undefined {
    const end = this.received.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const [first = '', ...lines] = this.received.subarray(0, end).toString('latin1').split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    const length = Number(headers['content-length'] ?? 0);
    const from = end + 4;
    if (this.received.length < from + length) return undefined;
    const body = this.received.subarray(from, from + length).toString('utf8');
    this.received = this.received.subarray(from + length);
    return { status: Number(first.split(' ')[1]), headers, body };
  }
}
