import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { codeOf } from '@rockpool/contracts';
import fc from 'fast-check';
import type { SecretName, Secrets } from '../secrets.js';

/** An engine's secrets under test, empty. */
export interface SecretsHarness {
  readonly secrets: Secrets;
  close(): Promise<void>;
}

const token: SecretName = { tenant: 'alice', field: 'telegram-bot-token' };

/** What every driver of {@link Secrets} does. */
export function secretsContract(driver: string, open: () => Promise<SecretsHarness>): void {
  describe(`${driver} keeps the contract of Secrets`, () => {
    let harness: SecretsHarness;
    let secrets: Secrets;
    beforeEach(async () => {
      harness = await open();
      secrets = harness.secrets;
    });
    afterEach(() => harness.close());

    const codeFrom = (promise: Promise<unknown>) => promise.then(() => 'no error', codeOf);

    it('gives back what was stored', async () => {
      expect(await secrets.put(token, '123:abc')).toBe(1);
      expect(await secrets.get(token)).toBe('123:abc');
    });

    it('gives back any text, exactly', async () => {
      const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 200 });
      await fc.assert(
        fc.asyncProperty(text, async (value) => {
          await secrets.put(token, value);
          expect(await secrets.get(token)).toBe(value);
        }),
        { numRuns: 50 },
      );
    });

    it('numbers versions and serves the newest', async () => {
      await secrets.put(token, 'old');
      expect(await secrets.put(token, 'new')).toBe(2);
      expect(await secrets.get(token)).toBe('new');
      expect(await secrets.get(token, 1)).toBe('old');
      expect(await secrets.getAll(token)).toEqual(['new', 'old']);
      const versions = await secrets.versions(token);
      expect(versions.map(({ version, state }) => [version, state])).toEqual([
        [2, 'enabled'],
        [1, 'enabled'],
      ]);
      for (const { createdAt } of versions) expect(createdAt).toBeInstanceOf(Date);
    });

    it('adds no version for the value that is already current', async () => {
      await secrets.put(token, 'same');
      expect(await secrets.put(token, 'same')).toBe(1);
      expect(await secrets.versions(token)).toHaveLength(1);
    });

    it('does not read a disabled version, whichever way it is asked for', async () => {
      await secrets.put(token, 'good');
      await secrets.put(token, 'leaked');
      await secrets.disable(token, 2);
      expect(await secrets.get(token)).toBe('good');
      expect(await secrets.getAll(token)).toEqual(['good']);
      expect(await codeFrom(secrets.get(token, 2))).toBe('not_found');
      await secrets.disable(token, 2);
      await secrets.disable(token, 1);
      expect(await codeFrom(secrets.get(token))).toBe('not_found');
      expect(await secrets.getAll(token)).toEqual([]);
    });

    it('stores a disabled value again as a new version', async () => {
      await secrets.put(token, 'value');
      await secrets.disable(token, 1);
      expect(await secrets.put(token, 'value')).toBe(2);
      expect(await secrets.get(token)).toBe('value');
    });

    it('finds nothing where nothing is', async () => {
      expect(await codeFrom(secrets.get(token))).toBe('not_found');
      expect(await secrets.getAll(token)).toEqual([]);
      expect(await secrets.versions(token)).toEqual([]);
      expect(await secrets.list('alice')).toEqual([]);
      expect(await codeFrom(secrets.disable(token, 1))).toBe('not_found');
      await secrets.put(token, 'value');
      for (const version of [0, 2, -1]) expect(await codeFrom(secrets.get(token, version))).toBe('not_found');
      expect(await codeFrom(secrets.disable(token, 2))).toBe('not_found');
    });

    it('deletes for good, and deletes what is absent without complaint', async () => {
      await secrets.put(token, 'one');
      await secrets.put(token, 'two');
      await secrets.delete(token);
      expect(await codeFrom(secrets.get(token))).toBe('not_found');
      expect(await codeFrom(secrets.get(token, 1))).toBe('not_found');
      expect(await secrets.list('alice')).toEqual([]);
      await secrets.delete(token);
      expect(await secrets.put(token, 'three')).toBe(1);
    });

    it("lists one tenant's fields, sorted, and nobody else's", async () => {
      for (const field of ['slack-bot-token', 'api-key', 'webhook-secret']) await secrets.put({ tenant: 'alice', field }, 'value');
      await secrets.put({ tenant: 'alice2', field: 'other' }, 'value');
      await secrets.put({ tenant: 'alic', field: 'e-other' }, 'value');
      expect(await secrets.list('alice')).toEqual(['api-key', 'slack-bot-token', 'webhook-secret']);
    });

    it('keeps tenants and fields apart, even where their names run together', async () => {
      await secrets.put({ tenant: 'a', field: 'b-c' }, 'one');
      await secrets.put({ tenant: 'a-b', field: 'c' }, 'two');
      expect(await secrets.get({ tenant: 'a', field: 'b-c' })).toBe('one');
      expect(await secrets.get({ tenant: 'a-b', field: 'c' })).toBe('two');
    });

    it.each([
      { tenant: '', field: 'x' },
      { tenant: 'alice', field: '' },
      { tenant: 'Alice', field: 'x' },
      { tenant: 'alice', field: '../x' },
      { tenant: 'alice/x', field: 'y' },
      { tenant: 'alice', field: 'a b' },
      { tenant: 'alice', field: 'a\n' },
      { tenant: 'alice', field: 'x'.repeat(101) },
    ])('refuses the name %j', async (name) => {
      const attempts = [secrets.put(name, 'value'), secrets.get(name), secrets.getAll(name), secrets.versions(name), secrets.delete(name)];
      for (const attempt of attempts) expect(await codeFrom(attempt)).toBe('invalid');
    });

    it('takes a value of 65,536 bytes, and refuses larger, empty and broken ones without quoting them', async () => {
      await secrets.put(token, 'é'.repeat(32_768));
      expect(await secrets.get(token)).toHaveLength(32_768);
      for (const value of ['', `${'é'.repeat(32_768)}x`, 'hunter2\ud800']) {
        const error = await secrets.put(token, value).catch((reason: unknown) => reason);
        expect(codeOf(error)).toBe('invalid');
        expect((error as Error).message).not.toContain('hunter2');
      }
      expect(await secrets.versions(token)).toHaveLength(1);
    });

    it('gives every one of many concurrent values a version of its own', async () => {
      const values = Array.from({ length: 10 }, (_, index) => `value-${index}`);
      const versions = await Promise.all(values.map((value) => secrets.put(token, value)));
      expect([...versions].sort((one, other) => one - other)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      for (const [index, version] of versions.entries()) expect(await secrets.get(token, version)).toBe(values[index]);
    });

    it('agrees with a simple model, whatever is done in whatever order', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 30 }), async (operations) => {
          const model = new Model();
          for (const name of names) await secrets.delete(name);
          for (const step of operations) {
            const name = names[step.name]!;
            if (step.kind === 'put') expect(await secrets.put(name, step.value)).toBe(model.put(name, step.value));
            else if (step.kind === 'disable')
              expect(await codeFrom(secrets.disable(name, step.version))).toBe(model.disable(name, step.version));
            else await secrets.delete(name).then(() => model.delete(name));
          }
          for (const name of names) {
            const { versions, enabled } = model.state(name);
            expect(await secrets.getAll(name)).toEqual(enabled);
            expect((await secrets.versions(name)).map(({ version, state }) => [version, state])).toEqual(versions);
            expect(await secrets.get(name).catch(codeOf)).toBe(enabled[0] ?? 'not_found');
          }
          for (const tenant of ['alice', 'bob']) expect(await secrets.list(tenant)).toEqual(model.list(tenant));
        }),
        { numRuns: 30 },
      );
    });
  });
}

const names: SecretName[] = [
  { tenant: 'alice', field: 'one' },
  { tenant: 'alice', field: 'two' },
  { tenant: 'bob', field: 'one' },
];

const operation = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), name: fc.nat(2), value: fc.constantFrom('red', 'green', 'blue') }),
  fc.record({ kind: fc.constant('disable' as const), name: fc.nat(2), version: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ kind: fc.constant('delete' as const), name: fc.nat(2) }),
);

/** Secrets as a list of versions per name. */
class Model {
  readonly #secrets = new Map<SecretName, { value: string; enabled: boolean }[]>();

  put(name: SecretName, value: string): number {
    const versions = this.#secrets.get(name) ?? [];
    const current = versions.findLastIndex(({ enabled }) => enabled);
    if (versions[current]?.value === value) return current + 1;
    this.#secrets.set(name, [...versions, { value, enabled: true }]);
    return versions.length + 1;
  }

  disable(name: SecretName, version: number): string {
    const found = this.#secrets.get(name)?.[version - 1];
    if (found === undefined) return 'not_found';
    found.enabled = false;
    return 'no error';
  }

  delete(name: SecretName): void {
    this.#secrets.delete(name);
  }

  state(name: SecretName): { versions: [number, string][]; enabled: string[] } {
    const versions = this.#secrets.get(name) ?? [];
    return {
      versions: versions.map(({ enabled }, index): [number, string] => [index + 1, enabled ? 'enabled' : 'disabled']).reverse(),
      enabled: versions.flatMap(({ value, enabled }) => (enabled ? [value] : [])).reverse(),
    };
  }

  list(tenant: string): string[] {
    return [...this.#secrets.keys()]
      .filter((name) => name.tenant === tenant)
      .map(({ field }) => field)
      .sort();
  }
}
