import { setTimeout as after } from 'node:timers/promises';
import { RockpoolError, Unauthenticated, type ErrorCode } from '@rockpool/contracts';
import { z } from 'zod';

const item = z.object({
  key: z.string(),
  at: z.string(),
  role: z.enum(['user', 'assistant']),
  state: z.enum(['placed', 'streaming', 'final']),
  /** Of an answer: the id of the message it answers. */
  messageId: z.string().optional(),
  text: z.string().default(''),
});
/** A message of the conversation, or as much of an answer as there is. */
export type ChatItem = z.output<typeof item>;

const eventData = {
  hello: z.object({ displayName: z.string(), paused: z.boolean() }),
  feed: z.object({ complete: z.boolean(), items: z.array(item) }),
  typing: z.object({ forMs: z.number() }),
  closed: z.object({ code: z.string() }),
};

/** What is told while a conversation is followed. `lost`: the connection broke and is being made again. */
export type ChatEvent =
  | { readonly type: 'hello'; readonly displayName: string; readonly paused: boolean }
  | { readonly type: 'feed'; readonly complete: boolean; readonly items: readonly ChatItem[] }
  | { readonly type: 'typing'; readonly forMs: number }
  | { readonly type: 'lost' };

const sendTries = 8;
const backoffMs = (attempt: number): number => Math.min(250 * 2 ** (attempt - 1), 5_000);

/** One conversation over HTTP, just as the page has it: messages are posted, answers come over the event stream. */
export class ChatClient {
  /** `url` is the ingress without trailing slash; the token is a session's. */
  constructor(
    private readonly url: string,
    private readonly tenant: string,
    private readonly token: string,
  ) {}

  /**
   * Resolves once the message was accepted; `id` is a UUID. What the server cannot take at the moment is sent again under the same id, so it counts once;
   * after eight tries it rejects with `unavailable`.
   */
  async send(id: string, text: string, signal?: AbortSignal): Promise<void> {
    const body = JSON.stringify({ id, text });
    for (let attempt = 1; ; attempt += 1) {
      const response = await this.#request('messages', { method: 'POST', body, signal }).catch((error: unknown) => error);
      if (response instanceof Response) {
        if (response.ok) return;
        if (response.status < 500 && response.status !== 429) throw await problemOfResponse(response);
      }
      if (signal?.aborted) throw signal.reason;
      if (attempt === sendTries) {
        throw response instanceof Response ? await problemOfResponse(response) : unreachable(this.url, response);
      }
      const retryAfterMs = response instanceof Response ? Number(response.headers.get('retry-after')) * 1_000 || 0 : 0;
      await after(Math.max(retryAfterMs, backoffMs(attempt)), undefined, { signal });
    }
  }

  /**
   * Tells the conversation's history and then every change, until the signal aborts. A broken connection is made again. Rejects with `unauthenticated` when the
   * session is not accepted, and with `unavailable` when nothing answered for `patienceMs`.
   */
  async follow(listener: (event: ChatEvent) => void, options: { signal: AbortSignal; patienceMs: number }): Promise<void> {
    const { signal, patienceMs } = options;
    let lastId: string | undefined;
    let lostAt: number | undefined;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        const headers: Record<string, string> = lastId === undefined ? {} : { 'last-event-id': lastId };
        const response = await this.#request('events?format=text', { headers, signal });
        if (!response.ok || !response.body) throw await problemOfResponse(response);
        lostAt = undefined;
        attempt = 0;
        for await (const event of readEvents(response.body)) {
          lastId = event.id ?? lastId;
          dispatch(event, listener);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof RockpoolError && !['unavailable', 'internal', 'rate_limited'].includes(error.code)) throw error;
        if (lostAt !== undefined && Date.now() - lostAt > patienceMs) throw unreachable(this.url, error);
      }
      lostAt ??= Date.now();
      listener({ type: 'lost' });
      await after(backoffMs(Math.max(attempt, 1)), undefined, { signal }).catch(() => undefined);
    }
  }

  #request(path: string, init: RequestInit): Promise<Response> {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${this.token}`, ...init.headers };
    return fetch(`${this.url}/chat/${this.tenant}/${path}`, { ...init, headers });
  }
}

/** Nobody answers: what to do is said in one sentence. */
export function unreachable(url: string, cause: unknown): RockpoolError {
  return new RockpoolError('unavailable', `${url} does not answer. Start it (npm start), or say where it runs: --url`, {
    cause,
  });
}

/** The error a failed response stands for, in the server's own words. */
export async function problemOfResponse(response: Response): Promise<RockpoolError> {
  const problem = z.object({ code: z.string(), detail: z.string().optional() }).safeParse(await response.json().catch(() => undefined));
  const code = (problem.data?.code ?? 'internal') as ErrorCode;
  return new RockpoolError(code, problem.data?.detail ?? `the server answered ${response.status}`);
}

interface ServerEvent {
  readonly event: string;
  readonly data: string;
  readonly id?: string;
}

/** Reads server-sent events; comments and fields we never send are skipped. */
async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const bytes of body) {
    const blocks = (rest + decoder.decode(bytes, { stream: true })).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = Object.fromEntries(
        block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      if (fields['event'] !== undefined && fields['data'] !== undefined) {
        yield { event: fields['event'], data: fields['data'], id: fields['id'] };
      }
    }
  }
}

function dispatch({ event, data }: ServerEvent, listener: (event: ChatEvent) => void): void {
  const json: unknown = JSON.parse(data);
  if (event === 'hello') listener({ type: 'hello', ...eventData.hello.parse(json) });
  if (event === 'feed') listener({ type: 'feed', ...eventData.feed.parse(json) });
  if (event === 'typing') listener({ type: 'typing', ...eventData.typing.parse(json) });
  if (event === 'closed') {
    const { code } = eventData.closed.parse(json);
    if (code !== 'superseded') throw new Unauthenticated('the session has ended');
  }
}
