import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { genuineRequest } from './wire-forgeries.js';
import { Wire } from './wire.js';

/** What each member of a crowd does with its connection. */
export interface Crowd {
  readonly name: string;
  readonly size: number;
  /** Said at once. */
  readonly opening: Buffer;
  /** Poured in after it for as long as the other side reads. */
  readonly endless?: Buffer;
  /** Said a byte at a time after it. */
  readonly dribble?: boolean;
}

const mebibyte = 1024 * 1024;
const head = (path: string, ...headers: string[]) =>
  Buffer.from([`POST ${path} HTTP/1.1`, 'host: rockpool', 'content-type: application/json', ...headers, '', ''].join('\r\n'));
const chunk = (bytes: Buffer) => Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
const alice = '/webhooks/telegram/alice';

/** Crowds that cost a careless server its memory or its connections. */
export const crowds: readonly Crowd[] = [
  { name: 'promise 100 MiB', size: 200, opening: head(alice, `content-length: ${100 * mebibyte}`), endless: Buffer.alloc(65_536, 'x') },
  {
    name: 'pour without a length',
    size: 200,
    opening: head(alice, 'transfer-encoding: chunked'),
    endless: chunk(Buffer.alloc(65_536, 'x')),
  },
  {
    name: 'stop just below the cap',
    size: 200,
    opening: Buffer.concat([head(alice, `content-length: ${mebibyte}`), Buffer.alloc(mebibyte - 1, 'x')]),
  },
  {
    name: 'stop just below the cap elsewhere',
    size: 100,
    opening: Buffer.concat([head('/internal/conversations/drive', `content-length: ${mebibyte}`), Buffer.alloc(mebibyte - 1, 'x')]),
  },
  {
    name: 'send a body in pieces of one byte',
    size: 20,
    opening: Buffer.concat([head(alice, 'transfer-encoding: chunked'), ...Array.from({ length: 50_000 }, () => Buffer.from('1\r\nx\r\n'))]),
  },
  { name: 'send a gzip bomb', size: 100, opening: bomb() },
  { name: 'dribble headers', size: 200, opening: Buffer.from('POST /webhooks/telegram/alice HTTP/1.1\r\nx: '), dribble: true },
  { name: 'dribble a body', size: 100, opening: head(alice, 'content-length: 1000'), dribble: true },
  { name: 'say nothing', size: 200, opening: Buffer.alloc(0) },
];

function bomb(): Buffer {
  const zipped = gzipSync(Buffer.alloc(64 * mebibyte));
  return Buffer.concat([head(alice, 'content-encoding: gzip', `content-length: ${zipped.length}`), zipped]);
}

/** A crowd at work. */
export class CrowdAtWork {
  private readonly sockets: Socket[];
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly said: Promise<void>[] = [];
  /** The first line of every answer, as they come. */
  readonly answers: string[] = [];

  constructor(url: string, crowd: Crowd) {
    const { port, hostname } = new URL(url);
    this.sockets = Array.from({ length: crowd.size }, () => this.join(connect(Number(port), hostname), crowd));
  }

  /** Resolves when every member has said what it says at once, or was cut off before. */
  async arrived(): Promise<void> {
    await Promise.all(this.said);
  }

  /** Ends it, whatever the other side thinks. */
  disperse(): void {
    for (const timer of this.timers) clearInterval(timer);
    for (const socket of this.sockets) socket.destroy();
  }

  private join(socket: Socket, { opening, endless, dribble }: Crowd): Socket {
    // Being cut off may show as a reset.
    socket.on('error', () => undefined);
    socket.on('data', (answer: Buffer) => this.answers.push(answer.toString('latin1').split('\r\n', 1)[0]!));
    const said = new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.once('connect', () => socket.write(opening, () => resolve()));
    });
    this.said.push(said);
    if (endless) {
      const pour = () => {
        while (socket.writable && socket.write(endless));
      };
      void said.then(pour);
      socket.on('drain', pour);
    }
    if (dribble) this.timers.push(setInterval(() => socket.writable && socket.write('x'), 100));
    return socket;
  }
}

/** Sends genuine requests one after another and resolves with how long each took, in milliseconds. Throws when one is not accepted. */
export async function genuineTraffic(url: string, options: { count: number; firstUpdateId: number }): Promise<number[]> {
  const wire = new Wire(new URL(url));
  const took: number[] = [];
  try {
    for (let n = 0; n < options.count; n++) {
      const startedAt = performance.now();
      const { status } = await wire.send(genuineRequest(options.firstUpdateId + n));
      if (status !== 200) throw new Error(`a genuine request was answered ${status ?? 'with nothing'}`);
      took.push(performance.now() - startedAt);
    }
  } finally {
    wire.close();
  }
  return took;
}
