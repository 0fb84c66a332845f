import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One answer of the server: what it says, and how it goes wrong. */
export type Reply =
  | {
      readonly say: readonly string[];
      readonly finish?: string;
      readonly then?: 'hang' | 'drop' | 'end';
      readonly usage?: { input: number; output: number };
    }
  | { readonly call: readonly { readonly name: string; readonly input: unknown }[]; readonly say?: readonly string[] }
  | { readonly status: number; readonly headers?: Record<string, string>; readonly error?: object }
  | { readonly hang: true };

/** The body of a chat completion request, as far as tests look at it. */
export interface ChatRequest {
  readonly model: string;
  readonly stream: boolean;
  readonly messages: readonly {
    readonly role: string;
    readonly content: unknown;
    readonly tool_calls?: unknown;
    readonly tool_call_id?: string;
  }[];
  readonly tools?: readonly { readonly function: { readonly name: string } }[];
  readonly tool_choice?: unknown;
}

/** A real HTTP server that speaks OpenAI's streaming chat completions and answers by script: replies in order, the last one for ever. */
export class LoopbackProvider {
  readonly requests: ChatRequest[] = [];
  readonly headers: IncomingMessage['headers'][] = [];
  private replies: Reply[] = [{ say: ['ok'] }];
  private readonly server = createServer((request, response) => void this.handle(request, response));
  private readonly hungUp = Promise.withResolvers<void>();

  /** Resolves when a client closes a connection before its answer was complete. */
  readonly clientLeft: Promise<void> = this.hungUp.promise;

  static async start(...replies: Reply[]): Promise<LoopbackProvider> {
    const provider = new LoopbackProvider();
    if (replies.length) provider.replies = replies;
    await new Promise<void>((resolve) => provider.server.listen(0, '127.0.0.1', resolve));
    return provider;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('close', () => response.writableFinished || this.hungUp.resolve());
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    this.headers.push(request.headers);
    this.requests.push(JSON.parse(Buffer.concat(chunks).toString()) as ChatRequest);
    const reply = this.replies.length > 1 ? this.replies.shift()! : this.replies[0]!;
    if ('hang' in reply) return;
    if ('status' in reply) {
      response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
      response.end(JSON.stringify({ error: reply.error ?? { message: 'no', type: 'some_error' } }));
      return;
    }
    await this.stream(reply, response);
  }

  private async stream(reply: Extract<Reply, { call: unknown } | { say: unknown }>, response: ServerResponse): Promise<void> {
    const send = (choice: object, extra: object = {}): Promise<void> =>
      new Promise((resolve) =>
        response.write(
          `data: ${JSON.stringify({ id: 'chat-1', object: 'chat.completion.chunk', created: 1, model: 'served-model', choices: [choice], ...extra })}\n\n`,
          () => resolve(),
        ),
      );
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const content of reply.say ?? []) await send({ index: 0, delta: { role: 'assistant', content } });
    if ('call' in reply) {
      const tool_calls = reply.call.map(({ name, input }, index) => ({
        index,
        id: `call-${this.requests.length}-${index}`,
        type: 'function',
        function: { name, arguments: typeof input === 'string' ? input : JSON.stringify(input) },
      }));
      await send({ index: 0, delta: { tool_calls } });
    } else if (reply.then === 'hang') return;
    else if (reply.then === 'drop') return void response.destroy();
    else if (reply.then === 'end') return void response.end();
    const { input: prompt_tokens, output: completion_tokens } = ('usage' in reply && reply.usage) || { input: 10, output: 5 };
    await send({ index: 0, delta: {}, finish_reason: 'call' in reply ? 'tool_calls' : (reply.finish ?? 'stop') });
    await send(
      { index: 0, delta: {} },
      { choices: [], usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens } },
    );
    response.end('data: [DONE]\n\n');
  }
}
