import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identityContract } from '@rockpool/cloud/testing';
import { codeOf } from '@rockpool/contracts';
import { createLocalJWKSet, importJWK, jwtVerify, SignJWT, type JSONWebKeySet, type JWK } from 'jose';
import { LocalIdentity } from './local-identity.js';

const start = Date.parse('2026-03-01T12:00:00Z');
const hour = 3_600_000;
const audience = 'https://agent-host.example';
const expected = { audience, callers: ['dispatcher'] };

let folder: string;
let keysFile: string;
let now: number;
const open = (options: object = {}) => LocalIdentity.open({ keysFile, now: () => now, ...options });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-identity-'));
  keysFile = join(folder, 'keys', 'identity-keys.json');
  now = start;
});
afterEach(() => rm(folder, { recursive: true }));

identityContract('LocalIdentity', async () => ({
  identity: await open(),
  advance: (milliseconds) => void (now += milliseconds),
  close: async () => undefined,
}));

describe('a token of the local issuer', () => {
  let identity: LocalIdentity;
  let sign: (claims: Record<string, unknown>) => Promise<string>;

  beforeEach(async () => {
    identity = await open();
    const { signing } = JSON.parse(await readFile(keysFile, 'utf8')) as { signing: { jwk: JWK } };
    const key = await importJWK(signing.jwk, 'ES256');
    const kid = ((await identity.jwks()).keys[0] as JWK).kid!;
    const good = {
      iss: 'https://rockpool.local',
      aud: audience,
      email: 'dispatcher@rockpool.local',
      email_verified: true,
      iat: start / 1000,
      exp: start / 1000 + 3600,
    };
    sign = (claims) => new SignJWT({ ...good, ...claims }).setProtectedHeader({ alg: 'ES256', kid }).sign(key);
  });

  const outcome = (token: string) => identity.verify(token, expected).then(() => 'accepted', codeOf);

  it('is accepted when everything is right', async () => {
    expect(await outcome(await sign({}))).toBe('accepted');
  });

  it.each<[string, Record<string, unknown>]>([
    ['another issuer', { iss: 'https://accounts.google.com' }],
    ['no issuer', { iss: undefined }],
    ['a list of issuers', { iss: ['https://rockpool.local'] }],
    ['another audience', { aud: 'https://elsewhere.example' }],
    ['several audiences, ours among them', { aud: [audience, 'https://elsewhere.example'] }],
    ['a list of one audience', { aud: [audience] }],
    ['no audience', { aud: undefined }],
    ['another email', { email: 'ingress@rockpool.local' }],
    ['the email of another domain', { email: 'dispatcher@rockpool.local.example' }],
    ['the service without domain', { email: 'dispatcher' }],
    ['an email in other letters', { email: 'Dispatcher@rockpool.local' }],
    ['a list of emails', { email: ['dispatcher@rockpool.local'] }],
    ['no email', { email: undefined }],
    ['an unverified email', { email_verified: false }],
    ['an email verified only in words', { email_verified: 'true' }],
    ['no word on the email', { email_verified: undefined }],
    ['an expiry in the past', { exp: start / 1000 - 11 }],
    ['no expiry', { exp: undefined }],
    ['an expiry in words', { exp: '9999999999' }],
    ['an expiry that is no number', { exp: null }],
    ['an issue in the future', { iat: start / 1000 + 11 }],
    ['no time of issue', { iat: undefined }],
    ['a start in the future', { nbf: start / 1000 + 11 }],
    ['a start that is no number', { nbf: 'now' }],
  ])('is refused with %s, although the signature is right', async (_what, claims) => {
    expect(await outcome(await sign(claims))).toBe('unauthenticated');
  });

  it('is accepted within a small step of the clocks', async () => {
    expect(await outcome(await sign({ exp: start / 1000 - 9, iat: start / 1000 - 3600 }))).toBe('accepted');
    expect(await outcome(await sign({ nbf: start / 1000 + 9, iat: start / 1000 + 9 }))).toBe('accepted');
  });

  it('is checked claim by claim also after its signature was found good', async () => {
    const token = await sign({ exp: start / 1000 + 60 });
    expect(await outcome(token)).toBe('accepted');
    now += 71_000;
    expect(await outcome(token)).toBe('unauthenticated');
  });

  it('can be verified by any OIDC library that reads the key set', async () => {
    const keys = createLocalJWKSet((await identity.jwks()) as JSONWebKeySet);
    const token = await identity.mint({ audience, service: 'dispatcher' });
    const { payload } = await jwtVerify(token, keys, { issuer: 'https://rockpool.local', audience, currentDate: new Date(now) });
    expect(payload).toMatchObject({ sub: 'dispatcher@rockpool.local', email: 'dispatcher@rockpool.local', email_verified: true });
  });

  it('is refused when it comes from another installation', async () => {
    const stranger = await LocalIdentity.open({ keysFile: join(folder, 'other', 'keys.json'), now: () => now });
    expect(await outcome(await stranger.mint({ audience, service: 'dispatcher' }))).toBe('unauthenticated');
  });

  it('is signed once when many ask at the same moment', async () => {
    const tokens = await Promise.all(Array.from({ length: 50 }, () => identity.mint({ audience, service: 'ingress' })));
    expect(new Set(tokens).size).toBe(1);
  });

  it.each(['', 'a b', 'A', 'dispatcher@rockpool.local', '../x', 'a\n'])('is not minted for a service named %j', async (service) => {
    await expect(identity.mint({ audience, service }).catch(codeOf)).resolves.toBe('invalid');
  });

  it('is not minted for nobody', async () => {
    await expect(identity.mint({ audience: '', service: 'dispatcher' }).catch(codeOf)).resolves.toBe('invalid');
  });

  it('stays verifiable while thousands of others pass by', async () => {
    const first = await identity.mint({ audience, service: 'dispatcher' });
    for (let other = 0; other < 1_100; other += 1) {
      const token = await identity.mint({ audience: `https://host-${other}.example`, service: 'dispatcher' });
      await identity.verify(token, { audience: `https://host-${other}.example`, callers: ['dispatcher'] });
    }
    expect(await outcome(first)).toBe('accepted');
  });
});

describe('the keys of the local issuer', () => {
  it('survive a restart, so that tokens do', async () => {
    const token = await (await open()).mint({ audience, service: 'dispatcher' });
    await expect((await open()).verify(token, expected)).resolves.toMatchObject({ email: 'dispatcher@rockpool.local' });
  });

  it('are made once when two processes start together', async () => {
    const [one, two] = await Promise.all([open(), open()]);
    expect(await one.jwks()).toEqual(await two.jwks());
    expect(await readdir(join(folder, 'keys'))).toEqual(['identity-keys.json']);
  });

  it('lie in a file that only their owner may read, in a folder only the owner may enter', async () => {
    await open();
    expect((await stat(keysFile)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'keys'))).mode & 0o777).toBe(0o700);
  });

  it.each([0o644, 0o640, 0o604])('are refused when the file has mode %o', async (mode) => {
    await open();
    await chmod(keysFile, mode);
    await expect(open()).rejects.toThrow(`chmod 600 ${keysFile}`);
  });

  it('are refused when others may replace the file', async () => {
    await open();
    await chmod(join(folder, 'keys'), 0o777);
    await expect(open()).rejects.toThrow('chmod 700');
  });

  it.each(['', '{', '[]', '{"signing":{}}', '{"signing":{"createdAt":1,"jwk":{"kty":"EC","d":"c2VjcmV0"}},"retired":[]}'])(
    'say so when the file is damaged, without quoting it (%j)',
    async (text) => {
      await open();
      await writeFile(keysFile, text);
      const error = (await open().catch((reason: unknown) => reason)) as Error;
      expect(error.message).toContain('damaged');
      expect(error.message).not.toContain('c2VjcmV0');
      expect(error.cause).toBeUndefined();
    },
  );

  it('rotate: the new one signs, the old one verifies until its last token has expired', async () => {
    const identity = await open();
    const old = await identity.mint({ audience, service: 'dispatcher' });
    await identity.rotate();
    const fresh = await identity.mint({ audience, service: 'dispatcher' });
    expect(fresh).not.toBe(old);
    expect((await identity.jwks()).keys).toHaveLength(2);
    for (const token of [old, fresh]) await identity.verify(token, expected);

    now += hour + 11_000;
    expect((await identity.jwks()).keys).toHaveLength(1);
    await identity.rotate();
    expect((await identity.jwks()).keys).toHaveLength(2);
  });

  it('verify nothing once they are retired, not even a known token that was made to live longer', async () => {
    const identity = await open();
    const { signing } = JSON.parse(await readFile(keysFile, 'utf8')) as { signing: { jwk: JWK } };
    const kid = ((await identity.jwks()).keys[0] as JWK).kid!;
    const eternal = await new SignJWT({ email: 'dispatcher@rockpool.local', email_verified: true })
      .setProtectedHeader({ alg: 'ES256', kid })
      .setIssuer('https://rockpool.local')
      .setAudience(audience)
      .setIssuedAt(start / 1000)
      .setExpirationTime(start / 1000 + 10 * 365 * 86_400)
      .sign(await importJWK(signing.jwk, 'ES256'));
    await identity.verify(eternal, expected);
    await identity.rotate();
    await identity.verify(eternal, expected);
    now += hour + 11_000;
    await expect(identity.verify(eternal, expected).catch(codeOf)).resolves.toBe('unauthenticated');
    await expect((await open()).verify(eternal, expected).catch(codeOf)).resolves.toBe('unauthenticated');
  });

  it('rotate without keeping the private part of the old one', async () => {
    const identity = await open();
    const before = JSON.parse(await readFile(keysFile, 'utf8')) as { signing: { jwk: JWK } };
    await identity.rotate();
    expect(await readFile(keysFile, 'utf8')).not.toContain(before.signing.jwk.d);
    expect((await stat(keysFile)).mode & 0o777).toBe(0o600);
  });

  it('rotate durably: tokens of both keys are accepted after a restart', async () => {
    const identity = await open();
    const old = await identity.mint({ audience, service: 'dispatcher' });
    await identity.rotate();
    const fresh = await identity.mint({ audience, service: 'dispatcher' });
    const reopened = await open();
    for (const token of [old, fresh]) await reopened.verify(token, expected);
  });

  it('rotate by themselves when the signing key has grown old, once for all who ask', async () => {
    const identity = await open({ rotateAfterMs: 24 * hour });
    const [before] = (await identity.jwks()).keys;
    now += 24 * hour;
    await Promise.all([1, 2, 3].map((host) => identity.mint({ audience: `https://${host}.example`, service: 'dispatcher' })));
    const { keys } = await identity.jwks();
    expect(keys).toHaveLength(2);
    expect(keys).toContainEqual(before);
  });
});
