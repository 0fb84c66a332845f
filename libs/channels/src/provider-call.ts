import { OutcomeUnknown } from '@rockpool/contracts';

/** What a provider answered. `json` is `undefined` when the body was not JSON. */
export interface ProviderAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: unknown;
}

const timeoutMs = 15_000;
const maxAnswerBytes = 1024 * 1024;

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
  try {
    const response = await fetch(url, { method: 'POST', ...request, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
    return { status: response.status, headers: response.headers, json: parsed(await readText(response)) };
  } catch (error) {
    const reason = reasonOf(error);
    if (reason.left) throw new OutcomeUnknown(`${operation}: no answer came (${reason.text})`, { cause: error });
    throw new Error(`${operation}: the request could not be sent (${reason.text})`, { cause: error });
  }
}

/** Milliseconds of a `Retry-After` header in seconds or as a date; the fallback when there is none that makes sense. */
export function retryAfterMs(headers: Headers, fallbackMs: number, now = Date.now()): number {
  const value = headers.get('retry-after')?.trim() ?? '';
  if (/^\d{1,6}$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) || at < now ? fallbackMs : at - now;
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for await (const piece of response.body ?? []) {
    size += piece.byteLength;
    // Leaving the loop cancels the rest. A provider's answers are small; what is not is no answer of its.
    if (size > maxAnswerBytes) return '';
    text += decoder.decode(piece, { stream: true });
  }
  return text;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Gateways in front of a provider answer in HTML. The status says all there is to know then.
    return undefined;
  }
}

/** While it connects, a request has not left: name resolution, TCP and TLS fail with these. */
const beforeLeaving =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_\w+|E(?:HOST|NET)UNREACH|ENETDOWN|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_\w+|ERR_SSL_\w+|CERT_\w+|UNABLE_TO_\w+|\w*SELF_SIGNED\w*|ERR_INVALID_URL)$/;

function reasonOf(error: unknown): { left: boolean; text: string } {
  const cause = (error as { cause?: unknown }).cause ?? error;
  const { code, syscall, name, message } = cause as { code?: unknown; syscall?: unknown; name?: unknown; message?: unknown };
  // fetch never calls some ports, and gives this no code.
  if (message === 'bad port') return { left: false, text: message };
  const text = typeof code === 'string' ? code : String(name);
  return { left: !(beforeLeaving.test(text) || syscall === 'connect'), text };
}
