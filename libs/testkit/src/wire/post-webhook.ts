/** A webhook as it goes over the wire: headers in lower case, the body's exact bytes. */
export interface SignedRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** What became of one attempt: an answer, or the reason there was none. */
export interface PostResult {
  readonly status?: number;
  readonly headers?: Headers;
  readonly body: string;
  readonly failure?: 'timeout' | 'connection';
  readonly detail?: string;
}

/** Told of every attempt to deliver a person's message; the ledger listens here. */
export interface DeliveryObserver {
  /** An attempt to deliver this text begins. */
  sending(text: string): void;
  /** The webhook was answered with 2xx. */
  accepted(text: string): void;
}

/** One attempt at a webhook. */
export interface DeliveryAttempt {
  /** Milliseconds since the epoch, by the simulator's clock. */
  readonly at: number;
  readonly status?: number;
  readonly failure?: 'timeout' | 'connection';
}

/** Posts one webhook. Never rejects: a failure to connect or to answer in time is a result. Redirects are not followed. */
export async function postWebhook(url: string, request: SignedRequest, timeoutMs: number, signal: AbortSignal): Promise<PostResult> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const body = typeof request.body === 'string' ? request.body : Buffer.from(request.body);
    const response = await fetch(url, {
      method: 'POST',
      headers: request.headers,
      body,
      redirect: 'manual',
      signal: AbortSignal.any([timeout, signal]),
    });
    return { status: response.status, headers: response.headers, body: await response.text() };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    return { body: '', failure: timeout.aborted ? 'timeout' : 'connection', detail: cause };
  }
}

/** True for a 2xx. */
export function isAccepted(result: PostResult): boolean {
  return result.status !== undefined && result.status >= 200 && result.status <= 299;
}

/** `Retry-After` in milliseconds, from seconds or a date; 0 when there is none. */
export function retryAfterMs(headers: Headers | undefined, now: number): number {
  const value = headers?.get('retry-after');
  if (!value) return 0;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}
