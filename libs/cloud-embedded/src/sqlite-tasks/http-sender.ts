import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { finished } from 'node:stream/promises';

/** The status of an answer, and the wait it asks for. */
export interface HttpAnswer {
  readonly status: number;
  /** `Retry-After` as it came. */
  readonly retryAfter: string | undefined;
}

/** Idle connections kept to one host. */
const maxIdleConnections = 32;

/**
 * Posts with connections that are kept. Not by `fetch`, which gives up on an answer after five minutes: a task may take thirty.
 */
export class HttpSender {
  readonly #http = new HttpAgent({ keepAlive: true, maxFreeSockets: maxIdleConnections });
  readonly #https = new HttpsAgent({ keepAlive: true, maxFreeSockets: maxIdleConnections });

  /** Resolves when the whole answer has arrived. Rejects when there is none, or with the signal's reason. Follows no redirect. */
  async post(url: string, headers: Readonly<Record<string, string>>, body: Uint8Array, signal: AbortSignal): Promise<HttpAnswer> {
    signal.throwIfAborted();
    const secure = url.startsWith('https:');
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const request = (secure ? httpsRequest : httpRequest)(url, {
      method: 'POST',
      headers: { ...headers, 'content-length': String(body.byteLength) },
      agent: secure ? this.#https : this.#http,
    });
    const abort = () => request.destroy(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    request.on('error', reject);
    request.once('response', (response) => {
      // What the answer says is of no interest, but the connection can be used again only once it was read.
      finished(response.resume()).then(
        () => resolve({ status: response.statusCode!, retryAfter: response.headers['retry-after'] }),
        reject,
      );
    });
    request.end(body);
    try {
      return await promise;
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}
