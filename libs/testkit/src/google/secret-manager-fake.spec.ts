import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GrpcCaller } from '../testing/grpc-caller.js';
import { crc32c } from './crc32c.js';
import { startSecretManagerFake, type SecretManagerFake } from './secret-manager-fake.js';

const parent = 'projects/my-project';
const name = `${parent}/secrets/my-secret`;

let fake: SecretManagerFake;
let service: GrpcCaller;
beforeEach(async () => {
  fake = await startSecretManagerFake();
  service = new GrpcCaller('@google-cloud/secret-manager', 'google.cloud.secretmanager.v1.SecretManagerService', fake.host);
});
afterEach(async () => {
  service.close();
  await fake.stop();
});

const create = (secretId = 'my-secret', secret: object = { replication: { automatic: {} } }) =>
  service.codeOf('CreateSecret', { parent, secretId, secret });
const add = (data: Buffer, more: object = {}) => service.codeOf('AddSecretVersion', { parent: name, payload: { data, ...more } });
const access = (version: string) => service.codeOf('AccessSecretVersion', { name: `${name}/versions/${version}` });

describe('the fake of Secret Manager', () => {
  it('takes ids of letters, digits, _ and -, up to 255, once each', async () => {
    expect(await create()).toBe('OK');
    expect(await create()).toBe('ALREADY_EXISTS');
    expect(await create('x'.repeat(255))).toBe('OK');
    for (const id of ['', 'a.b', 'a/b', 'é', 'x'.repeat(256)]) expect(await create(id)).toBe('INVALID_ARGUMENT');
  });

  it('needs a replication policy, and labels as they have to be', async () => {
    expect(await create('a', {})).toBe('INVALID_ARGUMENT');
    const replication = { automatic: {} };
    expect(await create('a', { replication, labels: { tenant: 'Alice' } })).toBe('INVALID_ARGUMENT');
    expect(await create('a', { replication, labels: { tenant: 'x'.repeat(64) } })).toBe('INVALID_ARGUMENT');
    expect(await create('a', { replication, labels: { tenant: 'alice' } })).toBe('OK');
  });

  it('takes 64 KiB with a checksum that is right', async () => {
    await create();
    expect(await add(Buffer.alloc(65_536))).toBe('OK');
    expect(await add(Buffer.alloc(65_537))).toBe('INVALID_ARGUMENT');
    expect(await add(Buffer.from('x'), { dataCrc32c: crc32c(Buffer.from('x')) })).toBe('OK');
    expect(await add(Buffer.from('x'), { dataCrc32c: 1 })).toBe('INVALID_ARGUMENT');
  });

  it('means by latest what was added last, though it be disabled', async () => {
    await create();
    expect(await access('latest')).toBe('NOT_FOUND');
    await add(Buffer.from('one'));
    await add(Buffer.from('two'));
    await service.call('DisableSecretVersion', { name: `${name}/versions/2` });
    expect([await access('latest'), await access('2'), await access('1')]).toEqual(['FAILED_PRECONDITION', 'FAILED_PRECONDITION', 'OK']);
    await service.call('EnableSecretVersion', { name: `${name}/versions/2` });
    expect(await access('latest')).toBe('OK');
  });

  it('gives nothing back of a version that was destroyed', async () => {
    await create();
    await add(Buffer.from('one'));
    await service.call('DestroySecretVersion', { name: `${name}/versions/1` });
    expect(await access('1')).toBe('FAILED_PRECONDITION');
    expect(await service.codeOf('EnableSecretVersion', { name: `${name}/versions/1` })).toBe('FAILED_PRECONDITION');
  });

  it('finds by what a name contains, and refuses filters that it does not know', async () => {
    for (const id of ['alice_a', 'alice_b', 'malice_c', 'bob_a']) await create(id);
    const found = (await service.call('ListSecrets', { parent, filter: 'name:alice_' }))['secrets'] as { name: string }[];
    expect(found.map((secret) => secret.name.split('/').at(-1))).toEqual(['alice_a', 'alice_b', 'malice_c']);
    expect(await service.codeOf('ListSecrets', { parent, filter: 'labels.x=y' })).toBe('INVALID_ARGUMENT');
  });

  it('knows nothing that is not there', async () => {
    for (const method of ['GetSecret', 'DeleteSecret']) expect(await service.codeOf(method, { name })).toBe('NOT_FOUND');
    expect(await service.codeOf('ListSecretVersions', { parent: name })).toBe('NOT_FOUND');
    expect(await access('1')).toBe('NOT_FOUND');
    expect(await access('0')).toBe('INVALID_ARGUMENT');
  });
});
