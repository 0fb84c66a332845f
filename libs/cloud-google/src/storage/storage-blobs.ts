import type { Bucket, File, FileMetadata, GetSignedUrlConfig, StorageOptions } from '@google-cloud/storage';
import { blobCursor, type BlobInfo, Blobs, checkedBlobPage, refuseBadBlobKey, refuseBadContentType } from '@rockpool/cloud';
import { codeOf, Conflict, InvalidInput, NotFound, RockpoolError } from '@rockpool/contracts';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { callApi, callFailure, codeOfCall } from '../api-calls.js';
import { Uploads } from './uploads.js';

const notFound = 404;
const preconditionFailed = 412;
const maxReadAttempts = 10;
const listenersOnAnswer = 32;
const defaultPatienceMs = 15_000;
const maxUrlLifeMs = 7 * 86_400_000;
/** The client puts the project's id wherever a key or content type says `{{projectId}}`. As the replacement of a pattern this stands for what was found. */
const itself = '$&';

export interface StorageBlobsOptions {
  readonly projectId: string;
  readonly bucket: string;
  /** Where a bucket that is made here lies: `europe-west1`. */
  readonly region: string;
  /** Makes the bucket when it is missing. In production Terraform does. */
  readonly createTopology: boolean;
  /** URL of a fake. Default: the real service, with the process's own credentials. */
  readonly endpoint?: string;
  /** Whom a fake is to sign URLs for. The real service signs for the process's own account, which needs to be token creator of itself. */
  readonly serviceAccount?: string;
  /** Milliseconds since the epoch. Default: the system's clock. */
  readonly now?: () => number;
  /** How long one request may take, or the beginning of its answer when that is large. The client itself would wait for ever. Default 15 s. */
  readonly patienceMs?: number;
}

/**
 * Blobs in a bucket of Cloud Storage, each under its key. Generations are the service's own. A signed URL is one of version 4, and may end up to a second early, for it counts
 * whole seconds.
 */
export class StorageBlobs extends Blobs {
  readonly #options: StorageBlobsOptions;
  readonly #now: () => number;
  readonly #patienceMs: number;
  #client: Promise<Client> | undefined;

  private constructor(options: StorageBlobsOptions) {
    super();
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#patienceMs = options.patienceMs ?? defaultPatienceMs;
  }

  /** The client is loaded with the first call, for some apps never make one. Rejects with `unavailable` when the bucket is to be made and the service does not answer. */
  static async open(options: StorageBlobsOptions): Promise<StorageBlobs> {
    const blobs = new StorageBlobs(options);
    if (options.createTopology) await ensureBucket((await blobs.#connected()).administration, options.region);
    return blobs;
  }

  async put(key: string, content: Uint8Array | Readable, options: { contentType?: string; ifGeneration?: string } = {}): Promise<BlobInfo> {
    refuseBadBlobKey(key);
    const { contentType = 'application/octet-stream', ifGeneration } = options;
    refuseBadContentType(contentType);
    const ifGenerationMatch = generationNumber(key, ifGeneration);
    try {
      const { uploads } = await this.#connected();
      return infoOf(await uploads.upload({ key, contentType, ifGenerationMatch }, content));
    } catch (error) {
      if (codeOf(error) === 'conflict') throw new Conflict(`blob ${key} is not at generation ${ifGeneration}`, { cause: error });
      // An upload needs nothing to exist but the bucket.
      if (codeOf(error) === 'not_found') throw this.#noBucket(error);
      throw error;
    }
  }

  async get(key: string): Promise<{ info: BlobInfo; content: Readable }> {
    refuseBadBlobKey(key);
    for (let attempt = 1; attempt <= maxReadAttempts; attempt += 1) {
      const info = await this.head(key);
      if (info === undefined) throw new NotFound(`there is no blob ${key}`);
      const content = await this.#read(key, info.generation);
      if (content !== undefined) return { info, content };
      // It was replaced or deleted between the two requests.
    }
    throw new RockpoolError('unavailable', `blob ${key} is replaced faster than it can be read`);
  }

  async head(key: string): Promise<BlobInfo | undefined> {
    refuseBadBlobKey(key);
    try {
      const [metadata] = await callApi(`look at blob ${key}`, async () => (await this.#file(key)).getMetadata(), this.#patienceMs);
      return infoOf(metadata);
    } catch (error) {
      if (codeOf(error) === 'not_found') return undefined;
      throw error;
    }
  }

  async delete(key: string, options: { ifGeneration?: string } = {}): Promise<void> {
    refuseBadBlobKey(key);
    const { ifGeneration } = options;
    const ifGenerationMatch = generationNumber(key, ifGeneration);
    await callApi(
      `delete blob ${key}`,
      async (attempt) => {
        try {
          await (await this.#file(key)).delete(ifGenerationMatch === undefined ? {} : { ifGenerationMatch });
        } catch (error) {
          const code = codeOfCall(error);
          const gone = code === notFound;
          // Gone, and nobody minds; or an attempt before this one deleted it, although its answer was lost.
          if (gone && (ifGeneration === undefined || ifGeneration === '0' || attempt > 1)) return;
          if (gone || code === preconditionFailed) throw new Conflict(`blob ${key} is not at generation ${ifGeneration}`, { cause: error });
          throw error;
        }
      },
      this.#patienceMs,
    );
  }

  async list(prefix: string, page: { limit?: number; cursor?: string } = {}): Promise<{ items: BlobInfo[]; nextCursor?: string }> {
    const { limit, afterKey } = checkedBlobPage(prefix, page);
    const items: BlobInfo[] = [];
    let pageToken: string | undefined;
    // One more than asked for tells whether there is a next page. The service may give less than asked, and begins with the key after which we want to begin.
    do {
      const query = { prefix, startOffset: afterKey, maxResults: limit + 2, autoPaginate: false, pageToken };
      const [files, next] = await callApi(
        `list blobs ${prefix}…`,
        async () => (await this.#connected()).bucket.getFiles(query),
        this.#patienceMs,
      );
      items.push(...files.filter(({ name }) => name !== afterKey).map(({ metadata }) => infoOf(metadata)));
      pageToken = (next as { pageToken?: string } | null)?.pageToken;
    } while (pageToken !== undefined && items.length <= limit);
    if (items.length <= limit) return { items };
    const shown = items.slice(0, limit);
    return { items: shown, nextCursor: blobCursor(shown.at(-1)!.key) };
  }

  async signedUrl(key: string, { expiresInMs }: { expiresInMs: number }): Promise<string> {
    refuseBadBlobKey(key);
    if (!(expiresInMs >= 1 && expiresInMs <= maxUrlLifeMs)) throw new InvalidInput('a signed URL lives 1 ms to 7 days');
    const from = Math.floor(this.#now() / 1000) * 1000;
    const { endpoint } = this.#options;
    const config: GetSignedUrlConfig = {
      version: 'v4',
      action: 'read',
      accessibleAt: from,
      expires: Math.max(this.#now() + expiresInMs, from + 1000),
      ...(endpoint !== undefined && { signingEndpoint: `${endpoint.replace(/\/+$/, '')}/v1/projects/-/serviceAccounts/` }),
    };
    const [url] = await callApi(`sign a URL of blob ${key}`, async () => (await this.#file(key)).getSignedUrl(config), this.#patienceMs);
    return url;
  }

  /** Nothing is to be ended: idle connections hold no process back. */
  async close(): Promise<void> {
    await Promise.resolve();
  }

  /** The content of this generation once the service has begun to send it; nothing when it is not there any more. */
  async #read(key: string, generation: string): Promise<Readable | undefined> {
    const begunStreams: Readable[] = [];
    let chosen: Readable | undefined;
    const read = async (): Promise<Readable | undefined> => {
      const content = (await this.#file(key, generation)).createReadStream({ decompress: false });
      begunStreams.push(content);
      const begun = new Promise<void>((resolve) => {
        content.once('response', (response: Readable & { statusCode: number }) => {
          // The client puts a few more listeners on its answer than Node takes for sound.
          response.setMaxListeners(listenersOnAnswer);
          if (response.statusCode === 200) resolve();
        });
      });
      const failed = once(content, 'error').then(([error]) => error as unknown);
      // The client asks for the content when it is first read.
      content.read(0);
      const error = await Promise.race([begun, failed]);
      if (error === undefined) return content;
      if (codeOfCall(error) === notFound) return undefined;
      throw error;
    };
    try {
      chosen = await callApi(`read blob ${key}`, read, this.#patienceMs);
      return chosen;
    } finally {
      for (const content of begunStreams) if (content !== chosen) content.destroy();
    }
  }

  #noBucket(cause: unknown): RockpoolError {
    return new RockpoolError('unavailable', `there is no bucket ${this.#options.bucket}`, { cause });
  }

  async #file(key: string, generation?: string): Promise<File> {
    const { bucket } = await this.#connected();
    return bucket.file(key, generation === undefined ? {} : { generation });
  }

  #connected(): Promise<Client> {
    return (this.#client ??= connect(this.#options));
  }
}

/** The bucket, and the same for whoever makes it. */
interface Client {
  readonly bucket: Bucket;
  readonly uploads: Uploads;
  readonly administration: Bucket;
}

async function connect(options: StorageBlobsOptions): Promise<Client> {
  const { CRC32C, IdempotencyStrategy, Storage } = await import('@google-cloud/storage');
  const plain = await plaintext(options);
  // Retries by the client would hide that an attempt may have been carried out.
  const single = { ...plain, retryOptions: { autoRetry: false } };
  const resuming = { ...plain, retryOptions: { autoRetry: true, idempotencyStrategy: IdempotencyStrategy.RetryAlways } };
  const checksum = (bytes: Uint8Array) => {
    const crc = new CRC32C();
    crc.update(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return crc.toString();
  };
  const bucket = new Storage({ ...single, projectId: itself }).bucket(options.bucket);
  const inPieces = new Storage({ ...resuming, projectId: itself }).bucket(options.bucket);
  return {
    bucket,
    uploads: new Uploads(bucket, inPieces, checksum, options.patienceMs),
    administration: new Storage({ ...single, projectId: options.projectId }).bucket(options.bucket),
  };
}

/** Client options for a fake: plaintext, no look for real credentials, and an account to sign for. */
async function plaintext({ endpoint, serviceAccount }: StorageBlobsOptions): Promise<StorageOptions> {
  if (endpoint === undefined) return {};
  const { GoogleAuth, PassThroughClient } = await import('google-auth-library');
  const auth = new GoogleAuth({ authClient: new PassThroughClient() });
  auth.jsonContent = { client_email: serviceAccount ?? 'rockpool@localhost' };
  return { apiEndpoint: endpoint, authClient: auth };
}

async function ensureBucket(bucket: Bucket, region: string): Promise<void> {
  await callApi(`make the bucket ${bucket.name}`, async () => {
    try {
      await bucket.getMetadata();
    } catch (error) {
      if (codeOfCall(error) !== notFound) throw error;
      const options = {
        location: region,
        iamConfiguration: { publicAccessPrevention: 'enforced', uniformBucketLevelAccess: { enabled: true } },
      };
      await bucket.create(options).catch((failure: unknown) => {
        // Another process made it first.
        if (codeOfCall(failure) !== 409) throw failure;
      });
    }
  }).catch((error: unknown) => {
    throw callFailure(`make the bucket ${bucket.name}`, error);
  });
}

/** The generation that a condition names. What cannot be one is never the current one. */
function generationNumber(key: string, ifGeneration: string | undefined): number | undefined {
  if (ifGeneration === undefined) return undefined;
  const generation = /^\d+$/.test(ifGeneration) ? Number(ifGeneration) : NaN;
  if (!Number.isSafeInteger(generation)) throw new Conflict(`blob ${key} is not at generation ${ifGeneration}`);
  return generation;
}

function infoOf({ name, size, contentType, generation, timeCreated }: FileMetadata): BlobInfo {
  return {
    key: String(name),
    sizeBytes: Number(size),
    contentType: String(contentType),
    generation: String(generation),
    updatedAt: new Date(String(timeCreated)),
  };
}
