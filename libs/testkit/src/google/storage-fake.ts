import { randomUUID } from 'node:crypto';
import { systemClock, type Clock } from '../wire/clock.js';
import { Faults } from '../wire/faults.js';
import { isJson, parseJson, type Json } from '../wire/json.js';
import { LoopbackServer, type WireAnswer, type WireRequest } from '../wire/loopback-server.js';
import { FakeBucket, StorageFailure, type ObjectUpload, type StoredObject } from './storage-fake-objects.js';
import { FakeSigners } from './storage-fake-signing.js';

export interface StorageFakeOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** Address to listen on. Default: the loopback. */
  readonly host?: string;
  readonly clock?: Clock;
}

/**
 * Cloud Storage on the loopback: the JSON API for buckets and objects (multipart and resumable uploads, generation preconditions, checksums, pages), with and without the
 * prefix `/storage/v1`; signed URLs of version 4, and the `signBlob` call by which a service account signs them. What it holds is gone when it stops.
 */
export interface StorageFake {
  /** `http://127.0.0.1:PORT`, for `STORAGE_EMULATOR_HOST` and `apiEndpoint`. */
  readonly url: string;
  /** Operations: `upload`, `resume`, `media`, `get`, `list`, `delete`, `signed`, `signBlob`, `bucket`. */
  readonly faults: Faults;
  stop(): Promise<void>;
}

/** Starts without buckets. */
export async function startStorageFake(options: StorageFakeOptions = {}): Promise<StorageFake> {
  const { clock = systemClock } = options;
  const faults = new Faults();
  const service = new StorageService(clock);
  const server = new LoopbackServer({
    clock,
    faults,
    operation: (request) => routeOf(request).operation,
    handle: (request) => service.answer(request),
    failure: (status, retryAfterSeconds) => failure(new StorageFailure(status, 'backendError', 'a fault was asked for'), retryAfterSeconds),
  });
  const url = await server.listen(options.port, options.host);
  return { url, faults, stop: () => server.close() };
}

interface Route {
  readonly operation: 'upload' | 'resume' | 'media' | 'get' | 'list' | 'delete' | 'signed' | 'signBlob' | 'bucket' | 'unknown';
  readonly bucket: string;
  /** Name of the object, or address of the account that signs. */
  readonly name: string;
}

/** An upload that comes in pieces. */
interface Session {
  readonly bucket: FakeBucket;
  readonly upload: Omit<ObjectUpload, 'content'>;
  content: Buffer;
  /** Once it is whole. */
  stored?: StoredObject;
}

class StorageService {
  readonly #buckets = new Map<string, FakeBucket>();
  readonly #sessions = new Map<string, Session>();
  readonly #signers: FakeSigners;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#signers = new FakeSigners(clock);
  }

  answer(request: WireRequest): WireAnswer {
    try {
      return this.#answer(request, routeOf(request));
    } catch (error) {
      if (error instanceof StorageFailure) return failure(error);
      throw error;
    }
  }

  #answer(request: WireRequest, { operation, bucket, name }: Route): WireAnswer {
    const { query } = request;
    const generation = query.get('generation') ?? undefined;
    const ifGeneration = query.get('ifGenerationMatch') ?? undefined;
    switch (operation) {
      case 'bucket':
        return this.#bucketAnswer(request, bucket);
      case 'upload':
        return this.#upload(request, this.#bucket(bucket), ifGeneration);
      case 'resume':
        return this.#resume(request);
      case 'get':
        return json(this.#bucket(bucket).show(this.#bucket(bucket).get(name, generation)));
      case 'media':
        return media(this.#bucket(bucket).get(name, generation));
      case 'delete':
        this.#bucket(bucket).delete(name, ifGeneration);
        return { status: 204 };
      case 'list': {
        const { items, nextPageToken } = this.#bucket(bucket).list(query);
        return json({
          kind: 'storage#objects',
          items: items.map((item) => this.#bucket(bucket).show(item)),
          ...(nextPageToken && { nextPageToken }),
        });
      }
      case 'signed':
        this.#signers.verify(request);
        return media(this.#bucket(bucket).get(name));
      case 'signBlob':
        return this.#signBlob(request, name);
      case 'unknown':
        throw new StorageFailure(404, 'notFound', `this fake has no ${request.method} ${request.path}`);
    }
  }

  #bucket(name: string): FakeBucket {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw new StorageFailure(404, 'notFound', 'The specified bucket does not exist.');
    return bucket;
  }

  #bucketAnswer({ method, query, body }: WireRequest, name: string): WireAnswer {
    if (method === 'GET') return json({ kind: 'storage#bucket', name: this.#bucket(name).name });
    const given = parseJson(body.toString('utf8'));
    const wanted = isJson(given) ? String(given['name']) : '';
    if (!query.get('project')) throw new StorageFailure(400, 'required', 'Required parameter: project');
    if (!/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/.test(wanted)) throw new StorageFailure(400, 'invalid', `Invalid bucket name: '${wanted}'`);
    if (this.#buckets.has(wanted)) throw new StorageFailure(409, 'conflict', 'Your previous request to create the named bucket succeeded.');
    this.#buckets.set(wanted, new FakeBucket(wanted, this.#clock));
    return json({ kind: 'storage#bucket', name: wanted });
  }

  #upload(request: WireRequest, bucket: FakeBucket, ifGeneration: string | undefined): WireAnswer {
    const { query, headers } = request;
    if (query.get('uploadType') === 'multipart') {
      const { metadata, content } = multipartOf(request);
      const name = query.get('name') ?? String(metadata['name'] ?? '');
      return json(bucket.show(bucket.put({ name, content, metadata, ifGeneration })));
    }
    if (query.get('uploadType') !== 'resumable')
      throw new StorageFailure(400, 'invalid', 'this fake knows multipart and resumable uploads');
    const given = parseJson(request.body.toString('utf8'));
    const metadata = { contentType: headers['x-upload-content-type'], ...(isJson(given) ? given : {}) };
    const id = randomUUID();
    const name = query.get('name') ?? String(metadata['name' as keyof typeof metadata] ?? '');
    this.#sessions.set(id, { bucket, upload: { name, metadata, ifGeneration }, content: Buffer.alloc(0) });
    return { status: 200, headers: { location: `http://${headers.host}${request.path}?uploadType=resumable&upload_id=${id}` } };
  }

  /** Takes the next piece, or tells how far it has come. https://cloud.google.com/storage/docs/performing-resumable-uploads */
  #resume({ query, headers, body }: WireRequest): WireAnswer {
    const session = this.#sessions.get(query.get('upload_id') ?? '');
    if (session === undefined) throw new StorageFailure(404, 'notFound', 'there is no such upload');
    if (session.stored === undefined) {
      const [, from, total] = /^bytes (?:(\d+)-(?:\d+|\*)|\*)\/(\d+|\*)$/.exec(headers['content-range'] ?? '') ?? [];
      if (total === undefined) throw new StorageFailure(400, 'invalid', 'the Content-Range is none');
      if (from !== undefined) {
        if (Number(from) > session.content.length) throw new StorageFailure(503, 'backendError', 'a piece is missing');
        session.content = Buffer.concat([session.content.subarray(0, Number(from)), body]);
      }
      const open = headers['content-range']!.includes('-*/*');
      if (total === '*' ? !open : Number(total) !== session.content.length) {
        const { length } = session.content;
        return { status: 308, headers: length > 0 ? { range: `bytes=0-${length - 1}` } : {} };
      }
      const crc = /crc32c=([^,]+)/.exec(String(headers['x-goog-hash'] ?? ''))?.[1];
      const metadata = { ...session.upload.metadata, ...(crc !== undefined && { crc32c: crc }) };
      session.stored = session.bucket.put({ ...session.upload, metadata, content: session.content });
    }
    return json(session.bucket.show(session.stored));
  }

  #signBlob({ body }: WireRequest, account: string): WireAnswer {
    const given = parseJson(body.toString('utf8'));
    const payload = isJson(given) ? given['payload'] : undefined;
    if (typeof payload !== 'string') throw new StorageFailure(400, 'invalid', 'there is no payload to sign');
    return json({ keyId: 'fake', signedBlob: this.#signers.sign(account, Buffer.from(payload, 'base64')) });
  }
}

function routeOf({ method, path, query }: WireRequest): Route {
  const route = (operation: Route['operation'], bucket = '', name = ''): Route => ({
    operation,
    bucket: decodeURIComponent(bucket),
    name: decodeURIComponent(name),
  });
  const [, account] = /^\/v1\/projects\/-\/serviceAccounts\/([^/:]+):signBlob$/.exec(path) ?? [];
  if (account !== undefined) return route('signBlob', '', account);
  const [, uploadBucket] = /^\/upload\/storage\/v1\/b\/([^/]+)\/o$/.exec(path) ?? [];
  if (uploadBucket !== undefined) return route(query.has('upload_id') ? 'resume' : 'upload', uploadBucket);
  const [, bucket, objects, name] = /^(?:\/storage\/v1)?\/b(?:\/([^/]+)(\/o(?:\/([^/]+))?)?)?$/.exec(path) ?? [];
  if (name !== undefined) return route(method === 'DELETE' ? 'delete' : query.get('alt') === 'media' ? 'media' : 'get', bucket, name);
  if (objects !== undefined) return route('list', bucket);
  if (bucket !== undefined || /^(?:\/storage\/v1)?\/b$/.test(path)) return route('bucket', bucket);
  const [, signedBucket, signedName] = /^\/([^/]+)\/(.+)$/.exec(path) ?? [];
  return signedName !== undefined && method === 'GET' ? route('signed', signedBucket, signedName) : route('unknown');
}

/** `multipart/related`: the metadata as JSON, then the content. */
function multipartOf({ headers, body }: WireRequest): { metadata: Json; content: Buffer } {
  const boundary = /boundary="?([^";]+)/.exec(headers['content-type'] ?? '')?.[1];
  const [first, second] = [body.indexOf(`--${boundary}`), body.indexOf(`\r\n--${boundary}`)];
  const end = body.lastIndexOf(`\r\n--${boundary}--`);
  if (boundary === undefined || first < 0 || second < 0 || end <= second)
    throw new StorageFailure(400, 'badContent', 'the multipart body is none');
  const contentOf = (part: Buffer): Buffer => part.subarray(part.indexOf('\r\n\r\n') + 4);
  const metadata = parseJson(contentOf(body.subarray(first, second)).toString('utf8'));
  if (!isJson(metadata)) throw new StorageFailure(400, 'parseError', 'the metadata is no JSON object');
  return { metadata, content: contentOf(body.subarray(second + 2, end)) };
}

function media(stored: StoredObject): WireAnswer {
  return {
    status: 200,
    headers: {
      'content-type': stored.contentType,
      'content-length': String(stored.content.length),
      'x-goog-generation': stored.generation,
      'x-goog-stored-content-encoding': 'identity',
      'x-goog-stored-content-length': String(stored.content.length),
      'x-goog-hash': `crc32c=${stored.crc32c},md5=${stored.md5}`,
    },
    body: stored.content,
  };
}

function json(body: Json): WireAnswer {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

function failure({ status, reason, message }: StorageFailure, retryAfterSeconds?: number): WireAnswer {
  const body = { error: { code: status, message, errors: [{ domain: 'global', reason, message }] } };
  const headers = {
    'content-type': 'application/json',
    ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
  };
  return { status, headers, body: JSON.stringify(body) };
}
