import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { finished } from 'node:stream/promises';

/** What came back: a status, and `Retry-After` as it was sent. */
export interface PostAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/**
 * One request of a task. Rejects when no whole answer comes, and with the signal's reason. Redirects are not followed: the real service may follow them, so a receiver should
 * send none. Not by `fetch`, which gives up after five minutes where a task may take thirty.
 */
export async function postTask(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
  signal: AbortSignal,
): Promise<PostAnswer> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<PostAnswer>();
  const request = (url.startsWith('https:') ? httpsRequest : httpRequest)(url, {
    method: 'POST',
    headers: { ...headers, 'content-length': String(body.byteLength) },
    agent: false,
  });
  const abort = (): void => void request.destroy(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  request.on('error', reject);
  request.once('response', (response) => {
    finished(response.resume()).then(() => resolve({ status: response.statusCode!, retryAfter: response.headers['retry-after'] }), reject);
  });
  request.end(body);
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
