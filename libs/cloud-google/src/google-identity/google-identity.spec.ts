import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { identityContract } from '@rockpool/cloud/testing';
import { codeOf } from '@rockpool/contracts';
import { startMetadataServer, type MetadataServer } from '@rockpool/testkit';
import { GoogleIdentity, type GoogleIdentityOptions } from './google-identity.js';

const projectId = 'rockpool-test';
const accountOf = (service: string): string => `${service}@${projectId}.iam.gserviceaccount.com`;
const audience = 'https://agent-host.example';
const expected = { audience, callers: ['dispatcher'] };
const start = Date.parse('2026-03-01T12:00:00Z');

let now: number;
let server: MetadataServer;

async function startServer(): Promise<void> {
  now = start;
  server = await startMetadataServer({
    accounts: [accountOf('dispatcher'), accountOf('scheduler')],
    clock: { now: () => now, sleep: () => Promise.resolve() },
  });
}

/** The identity of a process that runs as this service: google-auth-library finds its metadata server by this variable. */
function identityOf(service: string, options: Partial<GoogleIdentityOptions> = {}): GoogleIdentity {
  process.env['GCE_METADATA_HOST'] = server.hosts[accountOf(service)];
  return new GoogleIdentity({ projectId, service, certsUrl: server.certsUrl, now: () => now, ...options });
}

async function stopServer(): Promise<void> {
  delete process.env['GCE_METADATA_HOST'];
  await server.stop();
}

identityContract('GoogleIdentity', async () => {
  await startServer();
  return {
    identity: identityOf('dispatcher'),
    as: (service) => identityOf(service),
    advance: (milliseconds) => void (now += milliseconds),
    close: stopServer,
  };
});

describe('a token of Google', () => {
  let identity: GoogleIdentity;
  let good: Record<string, unknown>;
  beforeEach(async () => {
    await startServer();
    identity = identityOf('dispatcher', { keysCooldownMs: 0 });
    good = server.claims(accountOf('dispatcher'), audience);
  });
  afterEach(stopServer);

  const outcome = (token: string, by = identity) => by.verify(token, expected).then(() => 'accepted', codeOf);

  it('is accepted when everything is right, from both spellings of the issuer', async () => {
    expect(await outcome(server.sign(good))).toBe('accepted');
    expect(await outcome(server.sign({ ...good, iss: 'accounts.google.com' }))).toBe('accepted');
  });

  it.each<[string, Record<string, unknown>]>([
    ['another issuer', { iss: 'https://rockpool.local' }],
    ['an issuer that only looks like it', { iss: 'https://accounts.google.com.example' }],
    ['a list of issuers', { iss: ['https://accounts.google.com'] }],
    ['no issuer', { iss: undefined }],
    ['another audience', { aud: 'https://elsewhere.example' }],
    ['a list of one audience', { aud: [audience] }],
    ['no audience', { aud: undefined }],
    ['the account of another app', { email: accountOf('ingress') }],
    ['the same name in another project', { email: 'dispatcher@elsewhere.iam.gserviceaccount.com' }],
    ['a person of that name', { email: 'dispatcher@gmail.com' }],
    ['an account in other letters', { email: accountOf('Dispatcher') }],
    ['no email', { email: undefined }],
    ['an unverified email', { email_verified: false }],
    ['an email verified only in words', { email_verified: 'true' }],
    ['no word on the email', { email_verified: undefined }],
    ['an expiry in the past', { exp: start / 1000 - 31 }],
    ['no expiry', { exp: undefined }],
    ['an expiry in words', { exp: '9999999999' }],
    ['an issue in the future', { iat: start / 1000 + 31 }],
    ['a start in the future', { nbf: start / 1000 + 31 }],
  ])('is refused with %s, although the signature is right', async (_what, claims) => {
    expect(await outcome(server.sign({ ...good, ...claims }))).toBe('unauthenticated');
  });

  it('is refused when it is unsigned, or signed by HMAC with the public key', async () => {
    expect(await outcome(server.forge('unsigned', good))).toBe('unauthenticated');
    expect(await outcome(server.forge('hmac-with-public-key', good))).toBe('unauthenticated');
  });

  it.each<[string, Record<string, unknown>]>([
    ['no key', { kid: undefined, alg: 'ES256' }],
    ['an unknown key', { kid: 'unknown' }],
    ['a path for a key', { kid: '../../../../dev/null' }],
    ['the name of a property for a key', { kid: '__proto__' }],
    ['a key that is no text', { kid: 7 }],
    ['a place for keys of its own', { kid: 'unknown', jku: 'http://127.0.0.1:9/keys' }],
    ['an extension that must be understood', { crit: ['x'], x: 1 }],
    ['another algorithm than the signature has', { alg: 'PS256' }],
  ])('is refused when its header names %s', async (_what, header) => {
    expect(await outcome(server.sign(good, header))).toBe('unauthenticated');
  });

  it('is refused when another issuer signed it, whatever its claims say', async () => {
    const stranger = await startMetadataServer({ accounts: [], clock: { now: () => now, sleep: () => Promise.resolve() } });
    expect(await outcome(stranger.sign(good))).toBe('unauthenticated');
    await stranger.stop();
  });

  it('is accepted when the key that signed it was published after the keys were fetched', async () => {
    expect(await outcome(server.sign(good))).toBe('accepted');
    const old = server.sign({ ...good, note: 'old' });
    server.rotate();
    expect(await outcome(server.sign(good))).toBe('accepted');
    expect(await outcome(old)).toBe('accepted');
    expect(server.certsAsked).toBe(2);
  });

  it('is refused when its key is published no longer', async () => {
    const old = server.sign(good);
    server.rotate({ keepOld: false });
    expect(await outcome(old)).toBe('unauthenticated');
  });

  it('cannot be used to have the keys fetched over and over', async () => {
    const careful = identityOf('dispatcher');
    for (let attempt = 0; attempt < 20; attempt += 1)
      expect(await outcome(server.sign(good, { kid: `k${attempt}` }), careful)).toBe('unauthenticated');
    expect(server.certsAsked).toBe(1);
  });

  it('is refused when the keys cannot be fetched, and accepted once they can', async () => {
    const fault = server.faults.add({ kind: 'status', match: 'certs', status: 503 });
    expect(await outcome(server.sign(good))).toBe('unauthenticated');
    expect(await identity.jwks().catch(codeOf)).toBe('unavailable');
    fault.remove();
    expect(await outcome(server.sign(good))).toBe('accepted');
  });

  describe('whose signature Cloud Run took off', () => {
    const withoutSignature = (claims: object): string => server.sign(claims).replace(/[^.]+$/, 'SIGNATURE_REMOVED_BY_GOOGLE');

    it('is refused, for on a public service nobody has checked it', async () => {
      expect(await outcome(withoutSignature(good))).toBe('unauthenticated');
    });

    it('is accepted where Cloud Run lets in only whom it has checked, with every claim in order', async () => {
      const behindIam = identityOf('dispatcher', { signaturesCheckedByCloudRun: true });
      expect(await outcome(withoutSignature(good), behindIam)).toBe('accepted');
      expect(await outcome(withoutSignature({ ...good, email: accountOf('ingress') }), behindIam)).toBe('unauthenticated');
      expect(await outcome(withoutSignature({ ...good, exp: start / 1000 - 31 }), behindIam)).toBe('unauthenticated');
      expect(await outcome(server.forge('unsigned', good), behindIam)).toBe('unauthenticated');
    });
  });
});

describe('minting', () => {
  beforeEach(startServer);
  afterEach(stopServer);

  it('asks the metadata server once when many ask at the same moment', async () => {
    const identity = identityOf('dispatcher');
    const tokens = await Promise.all(Array.from({ length: 20 }, () => identity.mint({ audience, service: 'dispatcher' })));
    expect(new Set(tokens).size).toBe(1);
  });

  it('speaks for the process itself only', async () => {
    const identity = identityOf('dispatcher');
    expect(await identity.mint({ audience, service: 'scheduler' }).catch(codeOf)).toBe('invalid');
  });

  it('says so when the process runs as somebody else', async () => {
    const identity = identityOf('scheduler');
    const mistaken = new GoogleIdentity({ projectId, service: 'dispatcher', certsUrl: server.certsUrl });
    await expect(mistaken.mint({ audience, service: 'dispatcher' })).rejects.toThrow(`runs as ${accountOf('scheduler')}`);
    expect(await identity.mint({ audience, service: 'scheduler' })).toEqual(expect.any(String));
  });

  it.each(['', 'a b', 'https://a.example/?x=1&y=2', 'a#b'])('refuses the audience %j', async (strange) => {
    expect(await identityOf('dispatcher').mint({ audience: strange, service: 'dispatcher' }).catch(codeOf)).toBe('invalid');
  });

  it('says unavailable when the metadata server does not answer, and asks again the next time', async () => {
    const identity = identityOf('dispatcher');
    const fault = server.faults.add({ kind: 'status', match: 'identity', status: 404 });
    expect(await identity.mint({ audience, service: 'dispatcher' }).catch(codeOf)).toBe('unavailable');
    fault.remove();
    expect(await identity.mint({ audience, service: 'dispatcher' })).toEqual(expect.any(String));
  });
});
