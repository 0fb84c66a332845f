import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { secretsContract } from '@rockpool/cloud/testing';
import { codeOf } from '@rockpool/contracts';
import { type SecretManagerFake, startSecretManagerFake } from '@rockpool/testkit';
import { SecretManagerSecrets } from './secret-manager-secrets.js';

const token = { tenant: 'alice', field: 'telegram-bot-token' };

let fake: SecretManagerFake;
let secrets: SecretManagerSecrets;
beforeEach(async () => {
  fake = await startSecretManagerFake();
  secrets = await SecretManagerSecrets.open({ projectId: 'rockpool-test', region: 'europe-west1', endpoint: fake.host });
});
afterEach(async () => {
  await secrets.close();
  await fake.stop();
});

secretsContract('SecretManagerSecrets', async () => ({ secrets, close: async () => undefined }));

describe('SecretManagerSecrets', () => {
  it("names a secret by tenant first, so that a tenant's prefix is nobody else's", async () => {
    await secrets.put(token, 'x');
    await secrets.put({ tenant: 'a'.repeat(100), field: 'b'.repeat(100) }, 'x');
    expect(fake.names()).toEqual([
      'projects/rockpool-test/secrets/alice_telegram-bot-token',
      `projects/rockpool-test/secrets/${'a'.repeat(100)}_${'b'.repeat(100)}`,
    ]);
  });

  it('stores one version when many store the same value at once', async () => {
    expect(await Promise.all(Array.from({ length: 10 }, () => secrets.put(token, 'same')))).toEqual(Array(10).fill(1));
  });

  it('lists more fields and versions than one page holds', async () => {
    for (let count = 0; count < 101; count += 1) await secrets.put({ tenant: 'alice', field: `f-${String(count).padStart(3, '0')}` }, 'x');
    expect(await secrets.list('alice')).toHaveLength(101);
    for (let count = 0; count < 101; count += 1) await secrets.put(token, `value ${count}`);
    expect((await secrets.versions(token)).map(({ version }) => version)).toEqual(Array.from({ length: 101 }, (_, index) => 101 - index));
  });

  it('bears it when the service is away for a moment', async () => {
    fake.faults.add({ kind: 'status', status: 503, times: 2 });
    await secrets.put(token, 'x');
    const fault = fake.faults.add({ kind: 'status', status: 503, times: 2 });
    expect(await secrets.get(token)).toBe('x');
    expect(fault.hits).toBe(2);
  });

  it('stores a value once although the answer to the first attempt was lost', async () => {
    await secrets.put(token, 'old');
    fake.faults.add({ kind: 'accept-then-drop', match: 'AddSecretVersion', times: 1 });
    expect(await secrets.put(token, 'new')).toBe(2);
    expect(await secrets.versions(token)).toHaveLength(2);
  });

  it('reports a service that stays away, or turns us down, as unavailable, and never what the value was', async () => {
    for (const status of [503, 403, 401]) {
      const fault = fake.faults.add({ kind: 'status', status });
      const error = await secrets.put(token, 'hunter2').catch((reason: unknown) => reason);
      expect(codeOf(error)).toBe('unavailable');
      expect(String((error as Error).stack)).not.toContain('hunter2');
      expect(fault.hits).toBe(status === 503 ? 4 : 1);
      fault.remove();
    }
  });
});
