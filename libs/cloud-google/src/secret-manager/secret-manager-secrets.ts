import type { protos, SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { checkedSecretValue, refuseBadSecretName, secretLabel, type SecretName, Secrets, type SecretVersion } from '@rockpool/cloud';
import { codeOf, NotFound, RockpoolError } from '@rockpool/contracts';
import { timingSafeEqual } from 'node:crypto';
import { callApi, oneAttempt } from '../api-calls.js';
import { plaintextEndpoint } from '../grpc-endpoint.js';
import { crc32c } from './crc32c.js';

export interface SecretManagerSecretsOptions {
  readonly projectId: string;
  /** Where the payloads are kept: `europe-west1`. Default: wherever Google replicates them. */
  readonly region?: string;
  /** `host:port` of a fake. Default: the real service, with the process's own credentials. */
  readonly endpoint?: string;
}

type Versions = protos.google.cloud.secretmanager.v1.ISecretVersion[];

/**
 * Secrets in Secret Manager, one for each tenant and field, under the id `alice_telegram-bot-token`: no tenant's name has a `_`, so `alice_` begins the ids of alice's
 * secrets and of nobody else's, and an IAM condition on that prefix (`resource.name.startsWith("projects/…/secrets/alice_")`) admits a service account to one tenant.
 * Encryption and its binding to the name are the service's: no ciphertext is ever ours to move. Payloads are sent and read with their CRC32C.
 *
 * Reads by version number are consistent at once. Which version is the newest, and that one was disabled, is eventually consistent at Google's end: minutes are usual.
 * What has to be revoked within a minute has to be revoked where it is checked as well. Nothing is cached here.
 */
export class SecretManagerSecrets extends Secrets {
  readonly #client: SecretManagerServiceClient;
  readonly #project: string;
  readonly #replication: object;
  /** Puts of one secret in this process come one after another, so that the same value stored by many at once is one version. */
  readonly #puts = new Map<string, Promise<unknown>>();

  private constructor(client: SecretManagerServiceClient, { projectId, region }: SecretManagerSecretsOptions) {
    super();
    this.#client = client;
    this.#project = `projects/${projectId}`;
    this.#replication = region === undefined ? { automatic: {} } : { userManaged: { replicas: [{ location: region }] } };
  }

  /** Loads the client. Connects with the first call. */
  static async open(options: SecretManagerSecretsOptions): Promise<SecretManagerSecrets> {
    const { SecretManagerServiceClient } = await import('@google-cloud/secret-manager');
    const endpoint = await plaintextEndpoint(options.endpoint);
    return new SecretManagerSecrets(new SecretManagerServiceClient({ projectId: options.projectId, ...endpoint }), options);
  }

  async put(name: SecretName, value: string): Promise<number> {
    refuseBadSecretName(name);
    const bytes = checkedSecretValue(name, value);
    const path = this.#path(name);
    const before = this.#puts.get(path) ?? Promise.resolve();
    const put = before.then(
      () => this.#put(name, bytes),
      () => this.#put(name, bytes),
    );
    this.#puts.set(path, put);
    try {
      return await put;
    } finally {
      if (this.#puts.get(path) === put) this.#puts.delete(path);
    }
  }

  async get(name: SecretName, version?: number): Promise<string> {
    refuseBadSecretName(name);
    if (version === undefined) {
      const current = await this.#current(name);
      if (current === undefined) throw new NotFound(`there is no ${secretLabel(name)}`);
      return current.bytes.toString();
    }
    const found = Number.isSafeInteger(version) && version > 0 ? await this.#access(name, version) : undefined;
    if (found === undefined) throw new NotFound(`there is no version ${version} of ${secretLabel(name)}`);
    return found.bytes.toString();
  }

  async getAll(name: SecretName): Promise<string[]> {
    refuseBadSecretName(name);
    const versions = await this.#list(name, 'state:ENABLED');
    const found = await Promise.all(versions.map((version) => this.#access(name, numberOf(version.name))));
    return found.flatMap((one) => (one === undefined ? [] : [one.bytes.toString()]));
  }

  /** A version that was destroyed behind our back counts as disabled. */
  async versions(name: SecretName): Promise<SecretVersion[]> {
    refuseBadSecretName(name);
    return (await this.#list(name)).map((version) => ({
      version: numberOf(version.name),
      createdAt: new Date(Number(version.createTime?.seconds) * 1000 + Math.floor(Number(version.createTime?.nanos) / 1e6)),
      state: version.state === 'ENABLED' || version.state === 1 ? 'enabled' : 'disabled',
    }));
  }

  async disable(name: SecretName, version: number): Promise<void> {
    refuseBadSecretName(name);
    const label = `version ${version} of ${secretLabel(name)}`;
    if (!Number.isSafeInteger(version) || version < 1) throw new NotFound(`there is no ${label}`);
    const path = `${this.#path(name)}/versions/${version}`;
    try {
      await callApi(`disable ${label}`, () => this.#client.disableSecretVersion({ name: path }, oneAttempt));
    } catch (error) {
      // One that was destroyed cannot be disabled, and needs not be.
      if (codeOf(error) !== 'conflict') throw error;
    }
  }

  /** All versions are destroyed with it, at once. */
  async delete(name: SecretName): Promise<void> {
    refuseBadSecretName(name);
    try {
      await callApi(`delete ${secretLabel(name)}`, () => this.#client.deleteSecret({ name: this.#path(name) }, oneAttempt));
    } catch (error) {
      if (codeOf(error) !== 'not_found') throw error;
    }
  }

  async list(tenant: string): Promise<string[]> {
    refuseBadSecretName({ tenant, field: 'any' });
    // The filter finds what contains the text; only what begins with it is this tenant's.
    const request = { parent: this.#project, filter: `name:${tenant}_` };
    const [secrets] = await callApi(`list the secrets of ${tenant}`, () => this.#client.listSecrets(request, oneAttempt));
    const prefix = `${tenant}_`;
    const ids = secrets.map(({ name }) => String(name).split('/').at(-1)!);
    return ids.flatMap((id) => (id.startsWith(prefix) ? [id.slice(prefix.length)] : [])).sort();
  }

  /** Ends the connections. */
  async close(): Promise<void> {
    await this.#client.close();
  }

  async #put(name: SecretName, bytes: Buffer): Promise<number> {
    const current = await this.#current(name);
    if (current !== undefined && sameBytes(current.bytes, bytes)) return current.version;
    try {
      return await this.#add(name, bytes);
    } catch (error) {
      if (codeOf(error) !== 'not_found') throw error;
    }
    await this.#create(name);
    return this.#add(name, bytes);
  }

  async #add(name: SecretName, bytes: Buffer): Promise<number> {
    const request = { parent: this.#path(name), payload: { data: bytes, dataCrc32c: crc32c(bytes) } };
    return callApi(`store ${secretLabel(name)}`, async (attempt) => {
      if (attempt > 1) {
        // The attempt before may have stored it, although its answer was lost.
        const current = await this.#current(name);
        if (current !== undefined && sameBytes(current.bytes, bytes)) return current.version;
      }
      const [version] = await this.#client.addSecretVersion(request, oneAttempt);
      return numberOf(version.name);
    });
  }

  async #create(name: SecretName): Promise<void> {
    const request = {
      parent: this.#project,
      secretId: secretId(name),
      secret: { replication: this.#replication, labels: { 'managed-by': 'rockpool' } },
    };
    try {
      await callApi(`create ${secretLabel(name)}`, () => this.#client.createSecret(request, oneAttempt));
    } catch (error) {
      if (codeOf(error) !== 'already_exists') throw error;
    }
  }

  /** The newest enabled version. One call, unless the newest of all is disabled. */
  async #current(name: SecretName): Promise<{ version: number; bytes: Buffer } | undefined> {
    const latest = await this.#access(name, 'latest');
    if (latest !== undefined) return latest;
    for (const { name: version } of await this.#list(name, 'state:ENABLED')) {
      const found = await this.#access(name, numberOf(version));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Nothing when there is no such version, or when it is not enabled. */
  async #access(name: SecretName, version: number | 'latest'): Promise<{ version: number; bytes: Buffer } | undefined> {
    const path = `${this.#path(name)}/versions/${version}`;
    try {
      const [answer] = await callApi(`read ${secretLabel(name)}`, () => this.#client.accessSecretVersion({ name: path }, oneAttempt));
      const bytes = Buffer.from((answer.payload?.data as Uint8Array | undefined) ?? []);
      const checksum = answer.payload?.dataCrc32c;
      if (checksum !== undefined && checksum !== null && Number(checksum) !== crc32c(bytes))
        throw new RockpoolError('unavailable', `${secretLabel(name)} was damaged on its way from Secret Manager`);
      return { version: numberOf(answer.name), bytes };
    } catch (error) {
      if (codeOf(error) === 'not_found' || codeOf(error) === 'conflict') return undefined;
      throw error;
    }
  }

  /** Newest first. */
  async #list(name: SecretName, filter = ''): Promise<Versions> {
    const request = { parent: this.#path(name), filter };
    try {
      const [versions] = await callApi(`list the versions of ${secretLabel(name)}`, () =>
        this.#client.listSecretVersions(request, oneAttempt),
      );
      return versions.sort((one, other) => numberOf(other.name) - numberOf(one.name));
    } catch (error) {
      if (codeOf(error) === 'not_found') return [];
      throw error;
    }
  }

  #path(name: SecretName): string {
    return `${this.#project}/secrets/${secretId(name)}`;
  }
}

function secretId({ tenant, field }: SecretName): string {
  return `${tenant}_${field}`;
}

function numberOf(versionPath: string | null | undefined): number {
  return Number(String(versionPath).split('/').at(-1));
}

function sameBytes(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
