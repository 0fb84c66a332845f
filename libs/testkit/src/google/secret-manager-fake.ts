import { status } from '@grpc/grpc-js';
import { systemClock, type Clock } from '../wire/clock.js';
import { Faults } from '../wire/faults.js';
import { isJson, type Json } from '../wire/json.js';
import { crc32c } from './crc32c.js';
import { GrpcFailure, GrpcServer, type GrpcMethods } from './grpc-server.js';
import { timestampOf } from './grpc-time.js';

const maxPayloadBytes = 65_536;
const maxSecretIdLength = 255;
const secretIdPattern = /^[A-Za-z0-9_-]+$/;
const labelKeyPattern = /^\p{Ll}[\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u;
const labelValuePattern = /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u;
const maxLabels = 64;
/** The service pages by 25 000 at most; a fake that did would never be asked for a second page. */
const maxPageSize = 100;

type VersionState = 'ENABLED' | 'DISABLED' | 'DESTROYED';

interface Version {
  readonly number: number;
  readonly createdAt: number;
  state: VersionState;
  data: Buffer;
}

interface Secret {
  readonly name: string;
  readonly createdAt: number;
  readonly replication: Json;
  readonly labels: Json;
  readonly versions: Version[];
}

export interface SecretManagerFakeOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** Address to listen on. Default: the loopback. */
  readonly host?: string;
  readonly clock?: Clock;
}

/** Secret Manager on the loopback, over gRPC, strict: names, labels, sizes, checksums, version states and filters are as the service documents them. */
export interface SecretManagerFake {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly faults: Faults;
  /** Full names of the secrets there are. */
  names(): string[];
  stop(): Promise<void>;
}

/** Starts empty; what is stored is gone when it stops. */
export async function startSecretManagerFake(options: SecretManagerFakeOptions = {}): Promise<SecretManagerFake> {
  const { clock = systemClock } = options;
  const faults = new Faults();
  const store = new SecretStore(clock);
  const service = 'google.cloud.secretmanager.v1.SecretManagerService';
  const server = new GrpcServer({
    clientPackage: '@google-cloud/secret-manager',
    services: { [service]: store.methods },
    clock,
    faults,
  });
  const host = await server.listen(options.port, options.host);
  return { host, faults, names: () => store.names(), stop: async () => server.close() };
}

class SecretStore {
  readonly #secrets = new Map<string, Secret>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  names(): string[] {
    return [...this.#secrets.keys()];
  }

  readonly methods: GrpcMethods = {
    CreateSecret: (request) => this.#create(request),
    GetSecret: ({ name }) => show(this.#secret(String(name))),
    ListSecrets: (request) => this.#list(request),
    DeleteSecret: ({ name }) => {
      this.#secret(String(name));
      this.#secrets.delete(String(name));
      return {};
    },
    AddSecretVersion: (request) => this.#add(request),
    GetSecretVersion: ({ name }) => showVersion(...this.#version(String(name))),
    ListSecretVersions: (request) => this.#listVersions(request),
    AccessSecretVersion: ({ name }) => this.#access(String(name)),
    DisableSecretVersion: ({ name }) => this.#change(String(name), 'DISABLED'),
    EnableSecretVersion: ({ name }) => this.#change(String(name), 'ENABLED'),
    DestroySecretVersion: ({ name }) => this.#change(String(name), 'DESTROYED'),
  };

  #create({ parent, secretId, secret }: Json): object {
    const id = String(secretId);
    if (!/^projects\/[a-z0-9-]+$/.test(String(parent))) throw invalid(`${String(parent)} is no project`);
    if (!secretIdPattern.test(id) || id.length > maxSecretIdLength) throw invalid(`${id} is no secret id`);
    if (!isJson(secret) || !isJson(secret['replication']) || secret['replication']['replication'] === undefined) {
      throw invalid('a secret needs a replication policy');
    }
    const labels = isJson(secret['labels']) ? secret['labels'] : {};
    const badLabel = Object.entries(labels).some(([key, value]) => !labelKeyPattern.test(key) || !labelValuePattern.test(String(value)));
    if (badLabel || Object.keys(labels).length > maxLabels) throw invalid('a label breaks the rules for labels');
    const name = `${String(parent)}/secrets/${id}`;
    if (this.#secrets.has(name)) throw new GrpcFailure(status.ALREADY_EXISTS, `Secret [${name}] already exists.`);
    const created: Secret = { name, createdAt: this.#clock.now(), replication: secret['replication'], labels, versions: [] };
    this.#secrets.set(name, created);
    return show(created);
  }

  #list({ parent, pageSize, pageToken, filter }: Json): object {
    // `name:text` finds secrets whose name contains the text; other filters are not known here, and refused rather than ignored.
    const [, text] = /^(?:name:([A-Za-z0-9_/-]+))?$/.exec(String(filter)) ?? unknownFilter(filter);
    const prefix = `${String(parent)}/secrets/`;
    const found = [...this.#secrets.values()]
      .filter(({ name }) => name.startsWith(prefix) && (text === undefined || name.slice(prefix.length).includes(text)))
      .sort((one, other) => (one.name < other.name ? -1 : 1));
    const { items, nextPageToken } = page(found, pageSize, pageToken);
    return { secrets: items.map(show), nextPageToken, totalSize: found.length };
  }

  #add({ parent, payload }: Json): object {
    const secret = this.#secret(String(parent));
    const data = isJson(payload) ? payload['data'] : undefined;
    if (!Buffer.isBuffer(data) || data.length > maxPayloadBytes) throw invalid(`a payload has at most ${maxPayloadBytes} bytes`);
    const checksum = isJson(payload) ? payload['dataCrc32c'] : undefined;
    if (checksum !== undefined && Number(checksum) !== crc32c(data)) throw invalid('the payload does not have the checksum that was sent');
    const version: Version = { number: secret.versions.length + 1, createdAt: this.#clock.now(), state: 'ENABLED', data };
    secret.versions.push(version);
    return showVersion(secret, version);
  }

  #listVersions({ parent, pageSize, pageToken, filter }: Json): object {
    const [, state] = /^(?:state[:=](ENABLED|DISABLED|DESTROYED))?$/.exec(String(filter)) ?? unknownFilter(filter);
    const secret = this.#secret(String(parent));
    const found = secret.versions.filter((version) => state === undefined || version.state === state).reverse();
    const { items, nextPageToken } = page(found, pageSize, pageToken);
    return { versions: items.map((version) => showVersion(secret, version)), nextPageToken, totalSize: found.length };
  }

  #access(name: string): object {
    const [secret, version] = this.#version(name);
    if (version.state !== 'ENABLED') {
      throw new GrpcFailure(status.FAILED_PRECONDITION, `Secret Version [${nameOf(secret, version)}] is in ${version.state} state.`);
    }
    return { name: nameOf(secret, version), payload: { data: version.data, dataCrc32c: String(crc32c(version.data)) } };
  }

  #change(name: string, state: VersionState): object {
    const [secret, version] = this.#version(name);
    if (version.state === 'DESTROYED') {
      throw new GrpcFailure(status.FAILED_PRECONDITION, `Secret Version [${nameOf(secret, version)}] is in DESTROYED state.`);
    }
    version.state = state;
    if (state === 'DESTROYED') version.data = Buffer.alloc(0);
    return showVersion(secret, version);
  }

  #secret(name: string): Secret {
    const secret = this.#secrets.get(name);
    if (secret === undefined) throw new GrpcFailure(status.NOT_FOUND, `Secret [${name}] not found.`);
    return secret;
  }

  /** `latest` is the version that was added last, whatever its state. */
  #version(name: string): [Secret, Version] {
    const [, parent, id] = /^(.+)\/versions\/(latest|[1-9][0-9]*)$/.exec(name) ?? [];
    if (parent === undefined) throw invalid(`${name} is no secret version`);
    const secret = this.#secret(parent);
    const version = id === 'latest' ? secret.versions.at(-1) : secret.versions[Number(id) - 1];
    if (version === undefined) throw new GrpcFailure(status.NOT_FOUND, `Secret Version [${name}] not found.`);
    return [secret, version];
  }
}

function invalid(message: string): GrpcFailure {
  return new GrpcFailure(status.INVALID_ARGUMENT, message);
}

function unknownFilter(filter: unknown): never {
  throw invalid(`the filter ${String(filter)} is not one that this fake knows`);
}

function show({ name, createdAt, replication, labels }: Secret): object {
  return { name, createTime: timestampOf(createdAt), replication, labels };
}

function nameOf(secret: Secret, version: Version): string {
  return `${secret.name}/versions/${version.number}`;
}

function showVersion(secret: Secret, version: Version): object {
  return { name: nameOf(secret, version), createTime: timestampOf(version.createdAt), state: version.state };
}

function page<T>(all: readonly T[], pageSize: unknown, pageToken: unknown): { items: T[]; nextPageToken: string } {
  const size = Math.min(Number(pageSize) || maxPageSize, maxPageSize);
  const start = Number(pageToken || 0);
  if (!Number.isInteger(start) || start < 0) throw invalid('the page token is none that was given out');
  return { items: all.slice(start, start + size), nextPageToken: start + size < all.length ? String(start + size) : '' };
}
