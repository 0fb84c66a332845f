import type { Bucket, CreateWriteStreamOptions, File, FileMetadata } from '@google-cloud/storage';
import { codeOf } from '@rockpool/contracts';
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { callApi, callFailure } from '../api-calls.js';

/** What is not larger goes up in one request, which can be made again; what is larger goes up in pieces of this size. */
const pieceBytes = 8 << 20;
/** Enough for a piece over a slow line. */
const defaultPatienceMs = 60_000;
/** Which write made a generation: tells our own from another's when the answer to it was lost. */
const writeLabel = 'rockpool-write';

/** What is written where, and on which condition: `0` means that nothing may be there. */
export interface UploadTarget {
  readonly key: string;
  readonly contentType: string;
  readonly ifGenerationMatch: number | undefined;
}

/** Writes whole objects. Nothing is visible of an upload that did not come to its end. */
export class Uploads {
  /** `resuming` is the same bucket by a client that repeats the pieces of a resumable upload. `checksum` is CRC32C in base64. */
  constructor(
    private readonly bucket: Bucket,
    private readonly resuming: Bucket,
    private readonly checksum: (bytes: Uint8Array) => string,
    private readonly patienceMs = defaultPatienceMs,
  ) {}

  /** The metadata of the new generation. Rejects with `conflict`, `not_found` when there is no bucket, or the error of the content's stream. */
  async upload(target: UploadTarget, content: Uint8Array | Readable): Promise<FileMetadata> {
    if (!(content instanceof Readable)) return this.#atOnce(target, content);
    const beginning = await readUpTo(content, pieceBytes);
    return beginning.whole ? this.#atOnce(target, beginning.bytes) : this.#inPieces(target, beginning.rest);
  }

  async #atOnce(target: UploadTarget, bytes: Uint8Array): Promise<FileMetadata> {
    const write = randomUUID();
    const crc32c = this.checksum(bytes);
    return callApi(
      `write blob ${target.key}`,
      async (attempt) => {
        const file = this.bucket.file(target.key);
        try {
          // The service compares the checksum before it writes. The client's own comparison comes after, and deletes whatever is there by then.
          const options = { ...optionsOf(target, write), resumable: false, validation: false };
          await send(file, Readable.from([bytes], { objectMode: false }), { ...options, metadata: { ...options.metadata, crc32c } });
          return file.metadata;
        } catch (error) {
          const earlier = attempt > 1 && codeOf(callFailure('', error)) === 'conflict' ? await this.#written(target.key, write) : undefined;
          if (earlier === undefined) throw error;
          return earlier;
        }
      },
      this.patienceMs,
    );
  }

  async #inPieces(target: UploadTarget, content: Readable): Promise<FileMetadata> {
    const file = this.resuming.file(target.key);
    try {
      await send(file, content, { ...optionsOf(target, randomUUID()), resumable: true, chunkSize: pieceBytes });
    } catch (error) {
      throw callFailure(`write blob ${target.key}`, error);
    }
    return file.metadata;
  }

  /** What this write made, if it is there. */
  async #written(key: string, write: string): Promise<FileMetadata | undefined> {
    const [metadata] = await this.bucket.file(key).getMetadata();
    return metadata.metadata?.[writeLabel] === write ? metadata : undefined;
  }
}

function optionsOf({ contentType, ifGenerationMatch }: UploadTarget, write: string): CreateWriteStreamOptions {
  return {
    metadata: { contentType, metadata: { [writeLabel]: write } },
    ...(ifGenerationMatch !== undefined && { preconditionOpts: { ifGenerationMatch } }),
  };
}

async function send(file: File, content: Readable, options: CreateWriteStreamOptions): Promise<void> {
  await pipeline(content, file.createWriteStream(options));
}

/** All that the stream has, when it is not more than `limitBytes`; else a stream that begins with what was read. */
async function readUpTo(
  content: Readable,
  limitBytes: number,
): Promise<{ whole: true; bytes: Uint8Array } | { whole: false; rest: Readable }> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  const source = content[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  for (let next = await source.next(); !next.done; next = await source.next()) {
    const piece = Buffer.from(next.value);
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > limitBytes) return { whole: false, rest: Readable.from(continued(pieces, source), { objectMode: false }) };
  }
  return { whole: true, bytes: Buffer.concat(pieces) };
}

async function* continued(pieces: readonly Buffer[], source: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* pieces;
  yield* { [Symbol.asyncIterator]: () => source };
}
