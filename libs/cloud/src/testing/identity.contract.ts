import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHmac, createPublicKey, generateKeyPairSync, sign, type KeyObject, type webcrypto } from 'node:crypto';
import { codeOf } from '@rockpool/contracts';
import fc from 'fast-check';
import type { Identity } from '../identity.js';

/** An engine's identity under test. The services `dispatcher` and `scheduler` exist in it. */
export interface IdentityHarness {
  /** Mints for `dispatcher` at least, and verifies. */
  readonly identity: Identity;
  /** Where a process can speak for itself only: the identity as this other service has it. */
  as?(service: string): Identity | Promise<Identity>;
  /** Moves the clock the driver looks at. */
  advance(milliseconds: number): void | Promise<void>;
  close(): Promise<void>;
}

const audience = 'https://agent-host.example';
const expected = { audience, callers: ['dispatcher'] };

/** What every driver of {@link Identity} does: who is let in, and above all who is not. */
export function identityContract(driver: string, open: () => Promise<IdentityHarness>): void {
  describe(`${driver} keeps the contract of Identity`, () => {
    let harness: IdentityHarness;
    let identity: Identity;
    let token: string;

    beforeEach(async () => {
      harness = await open();
      identity = harness.identity;
      token = await identity.mint({ audience, service: 'dispatcher' });
    });
    afterEach(() => harness.close());

    const refused = async (hostile: string, wanted = expected) => {
      await expect(identity.verify(hostile, wanted).then(() => 'accepted', codeOf)).resolves.toBe('unauthenticated');
    };

    it('says who calls', async () => {
      const caller = await identity.verify(token, { audience, callers: ['scheduler', 'dispatcher'] });
      expect(caller.email).toMatch(/^dispatcher@/);
      expect(caller.audience).toBe(audience);
      expect(caller.issuer).not.toBe('');
      expect(caller.expiresAt).toBeInstanceOf(Date);
    });

    it('accepts a token again and again until it expires, and never after', async () => {
      const { expiresAt } = await identity.verify(token, expected);
      await identity.verify(token, expected);
      await harness.advance(30 * 60_000);
      await identity.verify(token, expected);
      await harness.advance(expiresAt.getTime());
      await refused(token);
    });

    it('mints one token for many calls, and a new one before the old expires', async () => {
      expect(await identity.mint({ audience, service: 'dispatcher' })).toBe(token);
      const { expiresAt } = await identity.verify(token, expected);
      await harness.advance(59 * 60_000 + 30_000);
      const next = await identity.mint({ audience, service: 'dispatcher' });
      expect(next).not.toBe(token);
      expect((await identity.verify(next, expected)).expiresAt.getTime()).toBeGreaterThan(expiresAt.getTime());
    });

    it('mints a token for each service and audience', async () => {
      const other = await identity.mint({ audience: 'https://elsewhere.example', service: 'dispatcher' });
      const ofScheduler = (await harness.as?.('scheduler')) ?? identity;
      const scheduler = await ofScheduler.mint({ audience, service: 'scheduler' });
      expect(new Set([token, other, scheduler]).size).toBe(3);
      await refused(other);
      await refused(scheduler);
    });

    it('refuses a token at an audience it was not made for, also when the token is known', async () => {
      await identity.verify(token, expected);
      await refused(token, { ...expected, audience: 'https://elsewhere.example' });
      await refused(token, { ...expected, audience: `${audience}/` });
      await refused(token, { ...expected, audience: '' });
    });

    it('refuses a caller who is not on the list, also when the token is known', async () => {
      await identity.verify(token, expected);
      await refused(token, { audience, callers: ['scheduler'] });
      await refused(token, { audience, callers: [] });
      await refused(token, { audience, callers: ['dispatch', 'dispatcher2', 'dispatcher@', ''] });
    });

    it('publishes public keys only', async () => {
      const { keys } = await identity.jwks();
      expect(keys.length).toBeGreaterThan(0);
      for (const key of keys) for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) expect(key).not.toHaveProperty(secret);
    });

    describe('refuses a token', () => {
      it('cut short anywhere', async () => {
        await fc.assert(
          fc.asyncProperty(fc.nat({ max: token.length - 1 }), (length) => refused(token.slice(0, length))),
          { numRuns: 50 },
        );
      });

      it('with any one character changed', async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.nat({ max: token.length - 1 }),
            fc.constantFrom('A', '_', '.', '=', ' ', '\n', 'é'),
            async (at, character) => {
              fc.pre(token[at] !== character);
              await refused(token.slice(0, at) + character + token.slice(at + 1));
            },
          ),
          { numRuns: 100 },
        );
      });

      it('spelled in another way that decodes to the same bytes', async () => {
        const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
        const last = alphabet.indexOf(token.at(-1)!);
        for (let spare = 1; spare < 16; spare += 1) await refused(token.slice(0, -1) + alphabet[last ^ spare]!);
        await refused(`${token}=`);
        await refused(`${token}==`);
      });

      it.each(['', ' ', '.', '..', '...', 'a.b.c', 'null', 'undefined', 'Bearer', '{}', '\u0000', 'e30.e30.', 'x'.repeat(100_000)])(
        'that is none: %#',
        (garbage) => refused(garbage),
      );

      it('with parts doubled, added or dropped', async () => {
        const [head, payload, signature] = token.split('.') as [string, string, string];
        await refused(`${token}.${signature}`);
        await refused(`${token}.`);
        await refused(`.${token}`);
        await refused(`${head}.${payload}.${payload}.${signature}`);
        await refused(`${head}.${payload}.${signature}${signature}`);
        await refused(`${head}..${payload}.${signature}.`);
        await refused(`${head}.${payload}`);
        await refused(`${head}.${payload}.`);
        await refused(`${token},${token}`);
        await refused(`Bearer ${token}`);
      });

      it.each(['none', 'None', 'NONE', 'nOnE', ''])('without a signature (alg %p)', async (alg) => {
        const { header, payload } = decoded(token);
        await refused(`${encoded({ ...header, alg })}.${encoded(payload)}.`);
        await refused(`${encoded({ ...header, alg })}.${encoded(payload)}.${token.split('.')[2]}`);
      });

      it('signed by HMAC with a public key as the secret', async () => {
        const { header, payload } = decoded(token);
        const { keys } = await identity.jwks();
        for (const jwk of keys) {
          const key = createPublicKey({ key: jwk as webcrypto.JsonWebKey, format: 'jwk' });
          const secrets = [key.export({ type: 'spki', format: 'pem' }), key.export({ type: 'spki', format: 'der' }), JSON.stringify(jwk)];
          for (const secret of secrets) {
            const signed = `${encoded({ ...header, alg: 'HS256' })}.${encoded(payload)}`;
            await refused(`${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`);
          }
        }
      });

      it('signed by somebody else', async () => {
        const { header, payload } = decoded(token);
        const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' });
        const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
        await refused(forged({ ...header, alg: 'ES256' }, payload, elliptic.privateKey));
        await refused(forged({ ...header, alg: 'RS256' }, payload, rsa.privateKey));
      });

      it('that brings or names a key of its own', async () => {
        const { header, payload } = decoded(token);
        const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
        const jwk = publicKey.export({ format: 'jwk' });
        const attempts = [
          { jwk },
          { kid: undefined, jwk },
          { jku: 'http://127.0.0.1:9/keys' },
          { x5u: 'http://127.0.0.1:9/cert' },
          { kid: '' },
          { kid: 'unknown' },
          { kid: '../../../../dev/null' },
          { kid: "' OR '1'='1" },
          { kid: '__proto__' },
          { kid: 'constructor' },
          { kid: 7 },
          { kid: null },
          { kid: [header['kid']] },
          { crit: ['b64'], b64: false },
          { crit: ['x'], x: 1 },
        ];
        for (const attempt of attempts) await refused(forged({ ...header, alg: 'ES256', ...attempt }, payload, privateKey));
      });

      it('whose content was changed', async () => {
        const { payload } = decoded(token);
        const [head, , signature] = token.split('.');
        for (const change of [{ email: 'scheduler@rockpool.local' }, { aud: 'https://elsewhere.example' }, { exp: 9_999_999_999 }, {}]) {
          const body = encoded({ ...payload, ...change, padding: 1 });
          await refused(`${head}.${body}.${signature}`, { audience, callers: ['dispatcher', 'scheduler'] });
        }
      });
    });

    it('never says in its message what the token was', async () => {
      const error = await identity.verify(`${token}x`, expected).catch((reason: unknown) => reason);
      expect((error as Error).message).not.toContain(token.slice(0, 20));
    });
  });
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decoded(token: string): { header: Record<string, unknown>; payload: Record<string, unknown> } {
  const [header, payload] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString());
  return { header: JSON.parse(header!) as Record<string, unknown>, payload: JSON.parse(payload!) as Record<string, unknown> };
}

function forged(header: object, payload: object, key: KeyObject): string {
  const signed = `${encoded(header)}.${encoded(payload)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
