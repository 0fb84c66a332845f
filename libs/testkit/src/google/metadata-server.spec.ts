import { createPublicKey, verify, type webcrypto } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startMetadataServer, type MetadataServer } from './metadata-server.js';

const account = 'dispatcher@rockpool-test.iam.gserviceaccount.com';
const identity = 'instance/service-accounts/default/identity';

describe('the metadata server', () => {
  let server: MetadataServer;
  beforeEach(
    async () => void (server = await startMetadataServer({ accounts: [account, 'ingress@rockpool-test.iam.gserviceaccount.com'] })),
  );
  afterEach(() => server.stop());

  const ask = (path: string, headers: Record<string, string> = { 'Metadata-Flavor': 'Google' }, method = 'GET') =>
    fetch(`http://${server.hosts[account]}/computeMetadata/v1/${path}`, { headers, method });

  it('gives out identity tokens for an audience, verifiable with the published keys', async () => {
    const token = await (await ask(`${identity}?audience=https://a.example&format=full`)).text();
    const [header, payload, signature] = token.split('.') as [string, string, string];
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
    const { keys } = (await (await fetch(server.certsUrl)).json()) as { keys: (webcrypto.JsonWebKey & { kid: string })[] };
    const key = createPublicKey({ key: keys.find((candidate) => candidate.kid === kid)!, format: 'jwk' });
    expect(verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'))).toBe(true);
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({ aud: 'https://a.example', email: account });
  });

  it('names the account only to those who ask for the full token', async () => {
    const token = await (await ask(`${identity}?audience=a`)).text();
    expect(JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())).not.toHaveProperty('email');
  });

  it.each<[string, string, Record<string, string> | undefined, string | undefined, number]>([
    ['without its header', identity, {}, undefined, 403],
    ['through a proxy', identity, { 'Metadata-Flavor': 'Google', 'X-Forwarded-For': '10.0.0.1' }, undefined, 403],
    ['without an audience', identity, undefined, undefined, 400],
    ['by POST', `${identity}?audience=a`, undefined, 'POST', 405],
    ['for another account', identity.replace('default', 'ingress@rockpool-test.iam.gserviceaccount.com'), undefined, undefined, 404],
  ])('refuses a request %s', async (_, path, headers, method, status) => {
    expect((await ask(path, headers, method)).status).toBe(status);
  });

  it('tells the project and the account', async () => {
    expect(await (await ask('project/project-id')).text()).toBe('rockpool-test');
    expect(await (await ask('instance/service-accounts/default/email')).text()).toBe(account);
  });

  it('signs with a new key when it rotates, and forgets the old one when told to', async () => {
    const published = async () => ((await (await fetch(server.certsUrl)).json()) as { keys: object[] }).keys;
    const [old] = await published();
    server.rotate();
    expect(await published()).toHaveLength(2);
    server.rotate({ keepOld: false });
    expect(await published()).toHaveLength(1);
    expect(await published()).not.toContainEqual(old);
  });
});
