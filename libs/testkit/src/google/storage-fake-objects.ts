import { createHash } from 'node:crypto';
import type { Clock } from '../wire/clock.js';
import type { Json } from '../wire/json.js';
import { crc32c } from './crc32c.js';

const maxNameBytes = 1_024;
const maxPageSize = 1_000;

/** An answer that is an error, as the JSON API gives it. */
export class StorageFailure extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
  ) {
    super(message);
  }
}

/** One generation of an object. */
export interface StoredObject {
  readonly name: string;
  readonly generation: string;
  readonly content: Buffer;
  readonly contentType: string;
  readonly createdAt: number;
  readonly custom: Json;
  /** Checksums in base64, as they travel. */
  readonly crc32c: string;
  readonly md5: string;
}

/** What a writer says of an object. */
export interface ObjectUpload {
  readonly name: string;
  readonly content: Buffer;
  readonly metadata: Json;
  /** `0`: only where nothing is. */
  readonly ifGeneration: string | undefined;
}

/** The objects of one bucket: one live generation each, no versioning. */
export class FakeBucket {
  readonly #objects = new Map<string, StoredObject>();
  readonly #clock: Clock;
  #lastGeneration = 0;

  constructor(
    readonly name: string,
    clock: Clock,
  ) {
    this.#clock = clock;
  }

  /** Throws 404 when there is none, or when it is another generation by now. */
  get(name: string, generation?: string): StoredObject {
    const found = this.#objects.get(name);
    if (found === undefined || (generation !== undefined && generation !== found.generation)) {
      throw new StorageFailure(404, 'notFound', `No such object: ${this.name}/${name}`);
    }
    return found;
  }

  put({ name, content, metadata, ifGeneration }: ObjectUpload): StoredObject {
    refuseBadName(name);
    this.#refuseOtherGeneration(name, ifGeneration);
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32BE(crc32c(content));
    const sums = { crc32c: checksum.toString('base64'), md5: createHash('md5').update(content).digest('base64') };
    if (metadata['crc32c'] !== undefined && metadata['crc32c'] !== sums.crc32c) {
      throw new StorageFailure(400, 'invalid', 'Provided CRC32C does not match the one calculated by the service.');
    }
    if (metadata['md5Hash'] !== undefined && metadata['md5Hash'] !== sums.md5) {
      throw new StorageFailure(400, 'invalid', 'Provided MD5 hash does not match the one calculated by the service.');
    }
    const now = this.#clock.now();
    // Microseconds, as the service counts; never the same twice.
    this.#lastGeneration = Math.max(this.#lastGeneration + 1, Math.floor(now * 1000));
    const stored: StoredObject = {
      name,
      generation: String(this.#lastGeneration),
      content,
      contentType: String(metadata['contentType'] ?? 'application/octet-stream'),
      createdAt: now,
      custom: (metadata['metadata'] as Json | undefined) ?? {},
      ...sums,
    };
    this.#objects.set(name, stored);
    return stored;
  }

  delete(name: string, ifGeneration: string | undefined): void {
    this.get(name);
    this.#refuseOtherGeneration(name, ifGeneration);
    this.#objects.delete(name);
  }

  /** Ascending by the bytes of their names, from `startOffset` on, that one included. A page token is the first name of its page. */
  list(query: URLSearchParams): { items: StoredObject[]; nextPageToken?: string } {
    const limit = Math.min(Number(query.get('maxResults') ?? maxPageSize), maxPageSize);
    const start = query.get('pageToken') ?? query.get('startOffset') ?? '';
    const found = [...this.#objects.values()]
      .filter(({ name }) => name.startsWith(query.get('prefix') ?? '') && Buffer.compare(Buffer.from(name), Buffer.from(start)) >= 0)
      .sort((one, other) => Buffer.compare(Buffer.from(one.name), Buffer.from(other.name)));
    const items = found.slice(0, limit);
    return found.length > limit ? { items, nextPageToken: found[limit]!.name } : { items };
  }

  /** The object as the JSON API shows it. */
  show(stored: StoredObject): Json {
    const time = new Date(stored.createdAt).toISOString();
    return {
      kind: 'storage#object',
      id: `${this.name}/${stored.name}/${stored.generation}`,
      bucket: this.name,
      name: stored.name,
      generation: stored.generation,
      metageneration: '1',
      contentType: stored.contentType,
      size: String(stored.content.length),
      crc32c: stored.crc32c,
      md5Hash: stored.md5,
      metadata: stored.custom,
      storageClass: 'STANDARD',
      timeCreated: time,
      updated: time,
    };
  }

  #refuseOtherGeneration(name: string, wanted: string | undefined): void {
    if (wanted === undefined) return;
    if (!/^\d+$/.test(wanted)) throw new StorageFailure(400, 'invalid', 'Invalid generation');
    const current = this.#objects.get(name)?.generation ?? '0';
    if (wanted !== current) {
      throw new StorageFailure(412, 'conditionNotMet', 'At least one of the pre-conditions you specified did not hold.');
    }
  }
}

function refuseBadName(name: string): void {
  const bytes = Buffer.byteLength(name);
  const bad = bytes === 0 || bytes > maxNameBytes || /[\r\n]/.test(name) || ['.', '..'].includes(name) || !name.isWellFormed();
  if (bad || name.startsWith('.well-known/acme-challenge/')) throw new StorageFailure(400, 'invalid', `Invalid object name: ${name}`);
}
