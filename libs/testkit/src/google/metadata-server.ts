import { createHmac, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { systemClock, type Clock } from '../wire/clock.js';
import { Faults } from '../wire/faults.js';
import { LoopbackServer, type WireAnswer, type WireRequest } from '../wire/loopback-server.js';

const lifetimeS = 3_600;
const basePath = '/computeMetadata/v1/';

export interface MetadataServerOptions {
  /** Addresses of the service accounts: each gets a listener of its own, as each process on Google sees one account only. */
  readonly accounts: readonly string[];
  readonly projectId?: string;
  readonly clock?: Clock;
  /** Ports of the accounts' listeners, in their order; free ones when absent. */
  readonly ports?: readonly number[];
  /** Port of the public keys; a free one when absent. */
  readonly certsPort?: number;
  /** Address to listen on. Default: the loopback. */
  readonly host?: string;
}

/**
 * Google's metadata server, as Cloud Run offers it, and the issuer behind it: identity tokens for whatever audience, access tokens that open nothing, and the public
 * keys. It refuses requests without `Metadata-Flavor: Google`, and those that came through a proxy, as the real one does.
 * https://cloud.google.com/run/docs/container-contract#metadata-server
 */
export interface MetadataServer {
  /** By account, `127.0.0.1:PORT` where its processes find the server: their `GCE_METADATA_HOST`. */
  readonly hosts: Readonly<Record<string, string>>;
  /** The issuer's JSON Web Key Set. */
  readonly certsUrl: string;
  /** How often the key set was asked for. */
  readonly certsAsked: number;
  readonly faults: Faults;
  /** What the issuer says of an account to an audience, lasting an hour from now. */
  claims(account: string, audience: string): Record<string, unknown>;
  /** The token that the issuer gives this account, for this audience. */
  mint(account: string, audience: string): Promise<string>;
  /** A token with exactly these claims, signed by the issuer's key. Header fields that are given replace its own; `undefined` leaves one out. */
  sign(claims: object, header?: Readonly<Record<string, unknown>>): string;
  /** A token signed by HMAC with the public key, and one that is not signed: what must never be believed. */
  forge(kind: 'hmac-with-public-key' | 'unsigned', claims: object): string;
  /** Signs with a new key from now on. The old one is published until it is said otherwise. */
  rotate(options?: { keepOld: boolean }): void;
  stop(): Promise<void>;
}

interface SigningKey {
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** Starts the server. */
export async function startMetadataServer(options: MetadataServerOptions): Promise<MetadataServer> {
  const issuer = new Issuer(options.clock ?? systemClock);
  const faults = new Faults();
  const servers: LoopbackServer[] = [];
  const listen = async (port: number | undefined, handle: (request: WireRequest) => WireAnswer): Promise<string> => {
    const server = new LoopbackServer({
      clock: options.clock ?? systemClock,
      faults,
      operation: ({ path }) => path.split('/').at(-1)!,
      handle,
      failure: (status) => ({ status, body: 'a fault was asked for' }),
    });
    servers.push(server);
    return server.listen(port, options.host);
  };
  let certsAsked = 0;
  const certsUrl = await listen(options.certsPort, () => {
    certsAsked += 1;
    const headers = { 'content-type': 'application/json; charset=UTF-8', 'cache-control': 'public, max-age=19800, must-revalidate' };
    return { status: 200, headers, body: JSON.stringify({ keys: issuer.published() }) };
  });
  const hosts: Record<string, string> = {};
  for (const [index, account] of options.accounts.entries()) {
    const metadata = new AccountMetadata(account, options.projectId ?? 'rockpool-test', issuer);
    hosts[account] = new URL(await listen(options.ports?.[index], (request) => metadata.answer(request))).host;
  }
  return {
    hosts,
    certsUrl: `${certsUrl}/oauth2/v3/certs`,
    get certsAsked() {
      return certsAsked;
    },
    faults,
    claims: (account, audience) => issuer.claims(account, audience),
    mint: (account, audience) => Promise.resolve(issuer.sign(issuer.claims(account, audience))),
    sign: (claims, header) => issuer.sign(claims, header),
    forge: (kind, claims) => issuer.forge(kind, claims),
    rotate: ({ keepOld } = { keepOld: true }) => issuer.rotate(keepOld),
    stop: async () => {
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

class Issuer {
  #keys: [SigningKey, ...SigningKey[]] = [newKey()];

  constructor(private readonly clock: Clock) {}

  published(): object[] {
    return this.#keys.map(({ id, publicKey }) => ({ ...publicKey.export({ format: 'jwk' }), kid: id, use: 'sig', alg: 'RS256' }));
  }

  rotate(keepOld: boolean): void {
    this.#keys = [newKey(), ...(keepOld ? this.#keys : [])];
  }

  claims(account: string, audience: string): Record<string, unknown> {
    const now = Math.floor(this.clock.now() / 1000);
    const subject = BigInt(`0x${createHmac('sha256', 'subject').update(account).digest('hex').slice(0, 16)}`).toString();
    const times = { iat: now, exp: now + lifetimeS };
    return {
      iss: 'https://accounts.google.com',
      aud: audience,
      azp: subject,
      sub: subject,
      email: account,
      email_verified: true,
      ...times,
    };
  }

  sign(claims: object, header: Readonly<Record<string, unknown>> = {}): string {
    const [{ id, privateKey }] = this.#keys;
    const signed = `${encoded({ alg: 'RS256', kid: id, typ: 'JWT', ...header })}.${encoded(claims)}`;
    return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
  }

  forge(kind: 'hmac-with-public-key' | 'unsigned', claims: object): string {
    const [{ id, publicKey }] = this.#keys;
    if (kind === 'unsigned') return `${encoded({ alg: 'none', kid: id, typ: 'JWT' })}.${encoded(claims)}.`;
    const signed = `${encoded({ alg: 'HS256', kid: id, typ: 'JWT' })}.${encoded(claims)}`;
    const secret = publicKey.export({ type: 'spki', format: 'pem' });
    return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
  }
}

class AccountMetadata {
  constructor(
    private readonly account: string,
    private readonly projectId: string,
    private readonly issuer: Issuer,
  ) {}

  answer(request: WireRequest): WireAnswer {
    if (request.headers['metadata-flavor'] !== 'Google') return text(403, 'Missing Metadata-Flavor:Google header.');
    if (request.headers['x-forwarded-for'] !== undefined) return text(403, 'Request with X-Forwarded-For is refused.');
    if (request.method !== 'GET') return text(405, 'Method not allowed.');
    if (!request.path.startsWith(basePath)) return text(404, 'Not found.');
    const path = request.path.slice(basePath.length).replace(/\/$/, '');
    const account = /^instance\/service-accounts\/([^/]+)\/([a-z]+)$/.exec(path);
    if (account !== null && ['default', this.account].includes(decodeURIComponent(account[1]!)))
      return this.#ofAccount(account[2]!, request.query);
    switch (path) {
      case 'instance':
        return json({});
      case 'project/project-id':
        return text(200, this.projectId);
      case 'universe/universe-domain':
        return text(200, 'googleapis.com');
      default:
        return text(404, 'Not found.');
    }
  }

  #ofAccount(what: string, query: URLSearchParams): WireAnswer {
    switch (what) {
      case 'email':
        return text(200, this.account);
      case 'token':
        return json({ access_token: `ya29.${randomBytes(24).toString('base64url')}`, expires_in: lifetimeS - 1, token_type: 'Bearer' });
      case 'identity': {
        const audience = query.get('audience');
        if (!audience) return text(400, 'non-empty audience parameter required');
        const claims = this.issuer.claims(this.account, audience);
        // Who asks for less is told less.
        const { email, email_verified: verified, ...standard } = claims;
        return text(200, this.issuer.sign(query.get('format') === 'full' ? { ...standard, email, email_verified: verified } : standard));
      }
      default:
        return text(404, 'Not found.');
    }
  }
}

function newKey(): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { id: randomBytes(20).toString('hex'), privateKey, publicKey };
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function text(status: number, body: string): WireAnswer {
  return {
    status,
    headers: { 'metadata-flavor': 'Google', 'content-type': 'application/text', server: 'Metadata Server for Serverless' },
    body,
  };
}

function json(body: object): WireAnswer {
  return { status: 200, headers: { 'metadata-flavor': 'Google', 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
