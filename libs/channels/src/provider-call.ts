import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { OutcomeUnknown } from '@rockpool/contracts';

/** What a provider answered. `json` is `undefined` when the body was not JSON. */
export interface ProviderAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly json: unknown;
}

const timeoutMs = 15_000;
const maxAnswerBytes = 1024 * 1024;

/** Some providers' front doors refuse who does not say what it is. Compressed answers would only cost time: they are a few hundred bytes. */
const ownHeaders = { 'user-agent': 'Rockpool', 'accept-encoding': 'identity' };

/**
 * Posts once to a provider over a kept-alive connection: no redirect is followed and nothing is retried, since only the reply ledger knows whether a second
 * request is harmless. Rejects with `OutcomeUnknown` when the request left and no answer came, with an ordinary error when it surely did not leave. `operation`
 * stands in for the address in every message, for that may hold a token.
 */
export async function postOnce(
  operation: string,
  url: string,
  request: { readonly headers: Readonly<Record<string, string>>; readonly body: string },
): Promise<ProviderAnswer> {
  const sent = new SentRequest();
  try {
    const response = await sent.answer(url, request);
    return { status: response.statusCode ?? 0, headers: response.headers, json: parsed(await readText(response)) };
  } catch (error) {
    const { code, name } = error as { code?: unknown; name?: unknown };
    const reason = typeof code === 'string' ? code : String(name);
    if (sent.hasLeft) throw new OutcomeUnknown(`${operation}: no answer came (${reason})`, { cause: error });
    throw new Error(`${operation}: the request could not be sent (${reason})`, { cause: error });
  } finally {
    sent.end();
  }
}

/** Milliseconds of a `Retry-After` header in seconds or as a date; the fallback when there is none that makes sense. */
export function retryAfterMs(headers: IncomingHttpHeaders, fallbackMs: number, now = Date.now()): number {
  const value = headers['retry-after']?.trim() ?? '';
  if (/^\d{1,6}$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) || at < now ? fallbackMs : at - now;
}

/**
 * One request, and whether any byte of it can have reached the other side: not while the name is resolved, the connection made and TLS agreed on. `node:http`
 * and not `fetch`, because it shows that moment, and because it costs less processor time and much less garbage.
 */
class SentRequest {
  hasLeft = false;
  #timer: NodeJS.Timeout | undefined;

  /** Resolves with the head of the answer. The time limit holds until {@link end}, for the body as well. */
  answer(url: string, { headers, body }: { readonly headers: Readonly<Record<string, string>>; readonly body: string }) {
    return new Promise<IncomingMessage>((resolve, reject) => {
      const secure = url.startsWith('https:');
      const request = (secure ? https : http).request(url, { method: 'POST', headers: { ...ownHeaders, ...headers } });
      request.on('socket', (socket: Socket) => {
        if (request.reusedSocket) this.hasLeft = true;
        else socket.once(secure ? 'secureConnect' : 'connect', () => (this.hasLeft = true));
      });
      request.on('response', resolve).on('error', reject);
      this.#timer = setTimeout(() => request.destroy(new NoAnswerInTime()), timeoutMs);
      request.end(body);
    });
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

class NoAnswerInTime extends Error {
  override readonly name = 'TimeoutError';
}

async function readText(response: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let size = 0;
    response.on('data', (piece: Buffer) => {
      size += piece.length;
      pieces.push(piece);
      if (size <= maxAnswerBytes) return;
      // A provider's answers are small; what is not is no answer of its.
      response.destroy();
      resolve('');
    });
    response.on('end', () => resolve(Buffer.concat(pieces).toString()));
    response.on('error', reject);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Gateways in front of a provider answer in HTML. The status says all there is to know then.
    return undefined;
  }
}
