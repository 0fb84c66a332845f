import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** A request as it arrived. */
export interface ReceivedTask {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** By the clock given to the receiver. */
  readonly at: number;
  /** Resolves when the connection broke before the answer was sent. */
  readonly aborted: Promise<void>;
}

export interface TaskAnswer {
  readonly status: number;
  readonly headers?: Record<string, string>;
}

/** A real server on the loopback that tasks are sent to. It notes what arrives, in order, and answers as it is told. */
export class TaskReceiver {
  readonly received: ReceivedTask[] = [];
  /** Most requests that were ever being answered at once. */
  mostAtOnce = 0;
  #running = 0;
  #answer: (task: ReceivedTask, number: number) => TaskAnswer | Promise<TaskAnswer> = () => ({ status: 200 });
  #waiting: { count: number; resolve: () => void }[] = [];
  readonly #server: Server;

  private constructor(now: () => number) {
    this.#server = createServer((request, response) => {
      const aborted = new Promise<void>((resolve) => response.once('close', () => response.writableFinished || resolve()));
      void buffer(request).then(
        async (body) => {
          const { method = '', url: path = '', headers } = request;
          const task = { method, path, headers, body, at: now(), aborted };
          this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#running);
          const number = this.received.push(task);
          this.#waiting = this.#waiting.filter(({ count, resolve }) => count > number || resolve() !== undefined);
          const { status, headers: answered } = await Promise.race([
            this.#answer(task, number),
            aborted.then(() => ({ status: 499, headers: {} })),
          ]);
          this.#running -= 1;
          response.writeHead(status, answered).end('some words that nobody reads');
        },
        () => response.destroy(),
      );
    });
  }

  static async listen(now: () => number): Promise<TaskReceiver> {
    const receiver = new TaskReceiver(now);
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What the path of each request was, in order of arrival. */
  get paths(): string[] {
    return this.received.map(({ path }) => path);
  }

  /** From now on requests are answered by this; `number` counts them from 1 since the beginning. Default: 200. */
  answerWith(answer: (task: ReceivedTask, number: number) => TaskAnswer | Promise<TaskAnswer>): void {
    this.#answer = answer;
  }

  /** Resolves with the `count`-th request once it has arrived. */
  async got(count: number): Promise<ReceivedTask> {
    if (this.received.length < count) await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
    return this.received[count - 1]!;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
