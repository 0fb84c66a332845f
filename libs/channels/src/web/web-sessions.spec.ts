import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database, EncryptedSecrets } from '@rockpool/cloud-embedded';
import { tenantId } from '@rockpool/contracts';
import fc from 'fast-check';
import { WebSessions } from './web-sessions.js';

const alice = tenantId.parse('alice');
const bob = tenantId.parse('bob');
const keyName = { tenant: 'alice', field: 'web-session-key' };
const dayMs = 86_400_000;

let folder: string;
let database: Database;
let secrets: EncryptedSecrets;
let nowMs: number;
let sessions: WebSessions;

const instance = () => new WebSessions(secrets, () => nowMs);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-web-sessions-'));
  database = Database.open(join(folder, 'rockpool.db'), { synchronous: 'OFF' });
  secrets = await EncryptedSecrets.open(database, { keyFile: join(folder, 'keys', 'master.key'), dataFolder: join(folder, 'data') });
  nowMs = Date.parse('2026-03-01T12:00:00Z');
  sessions = instance();
});
afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

describe('a session', () => {
  it('proves its visitor to every instance', async () => {
    const { token, session } = await sessions.open(alice, 'public');
    expect(await instance().verify(alice, token)).toEqual({ state: 'valid', session });
    expect(session).toMatchObject({ tenantId: 'alice', origin: 'public', issuedAt: new Date(nowMs) });
  });

  it('is for a visitor of its own unless a visitor is named', async () => {
    const first = await sessions.open(alice, 'public');
    const second = await sessions.open(alice, 'public');
    const renewed = await sessions.open(alice, 'public', first.session.visitorId);
    expect(second.session.visitorId).not.toBe(first.session.visitorId);
    expect(renewed.session.visitorId).toBe(first.session.visitorId);
  });

  it('expires after 30 days, to the millisecond', async () => {
    const { token } = await sessions.open(alice, 'link');
    nowMs += 30 * dayMs - 1;
    expect((await sessions.verify(alice, token)).state).toBe('valid');
    nowMs += 1;
    expect((await sessions.verify(alice, token)).state).toBe('expired');
  });

  it('means nothing to another tenant, even one that was given the same key', async () => {
    const { token } = await sessions.open(alice, 'public');
    expect(await sessions.verify(bob, token)).toEqual({ state: 'invalid' });
    await secrets.put({ ...keyName, tenant: 'bob' }, await secrets.get(keyName));
    expect(await instance().verify(bob, token)).toEqual({ state: 'invalid' });
  });

  it('made with a key that nobody has is refused', async () => {
    const { token } = await sessions.open(bob, 'public');
    expect(await sessions.verify(alice, token)).toEqual({ state: 'invalid' });
  });

  it('ends within 30 s on every instance once its key is disabled', async () => {
    const other = instance();
    const { token } = await sessions.open(alice, 'link');
    expect((await other.verify(alice, token)).state).toBe('valid');
    await secrets.disable(keyName, 1);
    nowMs += 30_000;
    expect((await sessions.verify(alice, token)).state).toBe('invalid');
    expect((await other.verify(alice, token)).state).toBe('invalid');
  });

  it('outlives a rotation of the key while the old version stays enabled', async () => {
    const { token } = await sessions.open(alice, 'link');
    await secrets.put(keyName, 'a newer key that signs from now on');
    nowMs += 30_000;
    expect((await sessions.verify(alice, token)).state).toBe('valid');
  });

  it('is valid whichever of several instances made the first key at the same moment', async () => {
    const instances = [instance(), instance(), instance(), instance()];
    const opened = await Promise.all(instances.map((one) => one.open(alice, 'public')));
    nowMs += 1_000;
    for (const one of instances) {
      for (const { token } of opened) expect((await one.verify(alice, token)).state).toBe('valid');
    }
  });
});

describe('a link', () => {
  it('opens sessions for seven days, or as long as was asked', async () => {
    const week = await sessions.mintLink(alice);
    const hour = await sessions.mintLink(alice, { lifetimeMs: 3_600_000 });
    expect(week.path).toBe(`/chat/alice?link=${week.token}`);
    expect(week.expiresAt).toEqual(new Date(nowMs + 7 * dayMs));
    nowMs += 3_600_000;
    expect((await sessions.verifyLink(alice, week.token)).state).toBe('valid');
    expect((await sessions.verifyLink(alice, hour.token)).state).toBe('expired');
  });

  it('is no session, nor a session a link', async () => {
    const link = await sessions.mintLink(alice);
    const { token } = await sessions.open(alice, 'link');
    expect(await sessions.verify(alice, link.token)).toEqual({ state: 'invalid' });
    expect(await sessions.verifyLink(alice, token)).toEqual({ state: 'invalid' });
    expect(await sessions.verify(alice, link.token.replace(/^link/, 'session'))).toEqual({ state: 'invalid' });
  });

  it('has only characters that need no escaping in a URL', async () => {
    expect((await sessions.mintLink(alice)).token).toMatch(/^[A-Za-z0-9._-]+$/);
  });
});

describe('a token that was tampered with', () => {
  it('is refused, whichever character was changed into whatever', async () => {
    const { token } = await sessions.open(alice, 'public');
    const change = fc.record({ at: fc.nat(token.length - 1), to: fc.string({ unit: 'grapheme-ascii', minLength: 0, maxLength: 2 }) });
    await fc.assert(
      fc.asyncProperty(change, async ({ at, to }) => {
        const forged = token.slice(0, at) + to + token.slice(at + 1);
        fc.pre(forged !== token);
        expect(await sessions.verify(alice, forged)).toEqual({ state: 'invalid' });
      }),
      { numRuns: 500 },
    );
  });

  it('is refused in every single-character substitution of its last character, where base64url has spare bits', async () => {
    const { token } = await sessions.open(alice, 'public');
    for (const last of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
      if (last === token.at(-1)) continue;
      expect(await sessions.verify(alice, token.slice(0, -1) + last)).toEqual({ state: 'invalid' });
    }
  });

  it('is refused when it is no token at all', async () => {
    await sessions.open(alice, 'public');
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `session.${text}.${text}`),
        ),
        async (text) => {
          expect(await sessions.verify(alice, text)).toEqual({ state: 'invalid' });
        },
      ),
    );
    expect(await sessions.verify(alice, `session.${'A'.repeat(1_000_000)}.x`)).toEqual({ state: 'invalid' });
  });
});
