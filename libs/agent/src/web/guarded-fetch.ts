import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { InvalidInput, isTerminal, RetryLater } from '@rockpool/contracts';
import type { Dispatcher } from 'undici';
import { abortable } from '../abortable.js';
import { Scope } from '../scope.js';
import { isPublicAddress } from './public-address.js';
import { readableText } from './readable-text.js';
import { webTarget } from './web-target.js';

/** An address a name resolved to. */
export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** What may be reached, and how much of it. */
export interface FetchPolicy {
  resolve(hostname: string): Promise<readonly ResolvedAddress[]>;
  /** Decides over every address before it is connected to, whether a name resolved to it or it was written out. */
  mayConnect(address: string, port: number): boolean;
  readonly ports: readonly number[];
  /** For the whole of it: names, connections, redirects, body. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly maxRedirects: number;
}

/** The public web: ports 80 and 443, public addresses, 10 seconds, 2 MB, 5 redirects. */
export const publicWeb: FetchPolicy = {
  resolve: async (hostname) => (await lookup(hostname, { all: true, verbatim: true })) as ResolvedAddress[],
  mayConnect: isPublicAddress,
  ports: [80, 443],
  timeoutMs: 10_000,
  maxBytes: 2_000_000,
  maxRedirects: 5,
};

/** A page as text. */
export interface FetchedPage {
  /** Where the redirects ended. */
  readonly url: string;
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  /** True when the body went on after `maxBytes`. */
  readonly truncated: boolean;
}

const readableTypes = /^(?:text\/|application\/(?:json|xml|xhtml\+xml|ld\+json|rss\+xml|atom\+xml|javascript|yaml|[\w.-]+\+(?:json|xml))$)/;
const requestHeaders = {
  accept: 'text/html, text/plain, application/json, application/xml;q=0.9, text/*;q=0.8',
  'accept-encoding': 'identity',
  'user-agent': 'Rockpool (assistant fetching a page for a person)',
};

/**
 * Reads web pages for a model that may be under an attacker's control. A page is asked for only at an address that was checked, and the connection goes
 * to that very address, so a name that resolves differently the second time gains nothing. Every redirect is checked like a first request. A request
 * carries no cookies, no credentials and no body, and no proxy is ever used, whatever the environment says.
 */
export class GuardedFetch {
  constructor(private readonly policy: FetchPolicy = publicWeb) {}

  /**
   * Rejects with `InvalidInput` when the address is refused or is not text, `RetryLater` when the site does not answer in time, and with the signal's
   * reason when it aborts. An HTTP error status is a page like any other.
   */
  async get(address: string, signal: AbortSignal): Promise<FetchedPage> {
    const seconds = this.policy.timeoutMs / 1000;
    const scope = new Scope(signal).limit(
      this.policy.timeoutMs,
      () => new RetryLater(60_000, `the page did not arrive within ${seconds} s`),
    );
    try {
      return await this.follow(webTarget(address, this.policy.ports), scope.signal);
    } catch (error) {
      throw scope.signal.aborted ? scope.signal.reason : error;
    } finally {
      scope.end();
    }
  }

  private async follow(first: URL, signal: AbortSignal): Promise<FetchedPage> {
    let url = first;
    for (let redirects = 0; redirects <= this.policy.maxRedirects; redirects++) {
      const outcome = await this.request(url, signal);
      if (!(outcome instanceof URL)) return outcome;
      url = outcome;
    }
    throw new InvalidInput(`more than ${this.policy.maxRedirects} redirects`);
  }

  /** One hop: the page, or where it redirects to. */
  private async request(url: URL, signal: AbortSignal): Promise<FetchedPage | URL> {
    const addresses = await this.checkedAddresses(url, signal);
    const { Agent } = await import('undici');
    // One connection, to what was checked, for one request: nothing is pooled that a later request could reach by another name.
    const agent = new Agent({ connect: { lookup: pinned(addresses) }, pipelining: 0, allowH2: false });
    try {
      const response = await agent.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: 'GET',
        headers: requestHeaders,
        signal,
      });
      const location = response.headers['location'];
      if (response.statusCode >= 300 && response.statusCode < 400 && location !== undefined)
        return webTarget(String(location), this.policy.ports, url);
      return await this.read(url, response);
    } catch (cause) {
      if (signal.aborted || isTerminal(cause)) throw cause;
      throw new RetryLater(60_000, `${url.hostname} does not answer (${reasonOf(cause)})`, { cause });
    } finally {
      await agent.destroy();
    }
  }

  private async checkedAddresses(url: URL, signal: AbortSignal): Promise<readonly ResolvedAddress[]> {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const family = isIP(host);
    const addresses = family ? [{ address: host, family: family as 4 | 6 }] : await this.resolve(host, signal);
    const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
    // One private address among public ones is refused too: which of them is used would be up to chance.
    if (!addresses.length || !addresses.every(({ address }) => this.policy.mayConnect(address, port)))
      throw new InvalidInput(`${url.hostname} is not on the public internet`);
    return addresses;
  }

  private async resolve(host: string, signal: AbortSignal): Promise<readonly ResolvedAddress[]> {
    try {
      return await abortable(this.policy.resolve(host), signal);
    } catch (cause) {
      if (signal.aborted) throw cause;
      throw new InvalidInput(`${host} does not resolve`, { cause });
    }
  }

  private async read(url: URL, response: Dispatcher.ResponseData): Promise<FetchedPage> {
    const contentType = String(response.headers['content-type'] ?? 'text/plain').toLowerCase();
    const [type = '', ...parameters] = contentType.split(';').map((part) => part.trim());
    if (!readableTypes.test(type)) throw new InvalidInput(`${url.hostname} sent ${type || 'something'}, which is not text`);
    if (response.headers['content-encoding'] && response.headers['content-encoding'] !== 'identity')
      throw new InvalidInput(`${url.hostname} sent a compressed answer that was not asked for`);
    const { bytes, truncated } = await this.readBytes(response.body);
    const text = decoderFor(parameters).decode(bytes);
    return {
      url: url.href,
      status: response.statusCode,
      contentType: type,
      text: type.includes('html') ? readableText(text) : text,
      truncated,
    };
  }

  private async readBytes(body: AsyncIterable<Buffer>): Promise<{ bytes: Buffer; truncated: boolean }> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body) {
      chunks.push(chunk.subarray(0, this.policy.maxBytes - size));
      size += chunk.length;
      if (size > this.policy.maxBytes) return { bytes: Buffer.concat(chunks), truncated: true };
    }
    return { bytes: Buffer.concat(chunks), truncated: false };
  }
}

/** Answers every look-up of the connection with the addresses that were checked. */
function pinned(addresses: readonly ResolvedAddress[]): LookupFunction {
  return (_hostname, options, callback) => {
    if (options.all) callback(null, [...addresses]);
    else callback(null, addresses[0]!.address, addresses[0]!.family);
  };
}

function decoderFor(parameters: readonly string[]): TextDecoder {
  const charset = parameters
    .find((parameter) => parameter.startsWith('charset='))
    ?.slice(8)
    .replaceAll('"', '');
  try {
    return new TextDecoder(charset ?? 'utf-8');
  } catch {
    // A label nobody knows: most such pages are UTF-8 all the same.
    return new TextDecoder();
  }
}

function reasonOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : 'connection lost';
}
