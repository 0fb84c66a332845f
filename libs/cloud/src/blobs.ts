import type { Readable } from 'node:stream';

export interface BlobInfo {
  readonly key: string;
  readonly sizeBytes: number;
  readonly contentType: string;
  /** Changes with every write. `'0'` stands for "does not exist" in a condition. */
  readonly generation: string;
  readonly updatedAt: Date;
}

/**
 * Bytes under a key (`tenant/…`), written whole or not at all, and durable once a write resolved. Keys are `/`-separated parts, none of them empty, `.` or `..`;
 * at most 1,000 bytes of UTF-8 without control characters. They are compared byte by byte: letter case and Unicode forms tell keys apart. Other keys are refused
 * with `invalid`.
 */
export abstract class Blobs {
  /**
   * Creates or replaces. With `ifGeneration` it rejects with `conflict` unless that is the current generation (`'0'`: there is none); of several writers with
   * the same condition one succeeds. When the stream fails it rejects with the stream's error and nothing has changed. The bytes may not be changed until it
   * resolves. `contentType` is 1 to 255 printable ASCII characters, by default `application/octet-stream`.
   */
  abstract put(key: string, content: Uint8Array | Readable, options?: { contentType?: string; ifGeneration?: string }): Promise<BlobInfo>;
  /**
   * Rejects with `not_found`. Info and content belong together, also when the blob is replaced or deleted while it is read. Read the stream to its end or destroy it.
   */
  abstract get(key: string): Promise<{ info: BlobInfo; content: Readable }>;
  abstract head(key: string): Promise<BlobInfo | undefined>;
  /** Absent is no error, unless a generation other than `'0'` was asked for: then it is a `conflict`. */
  abstract delete(key: string, options?: { ifGeneration?: string }): Promise<void>;
  /** Keys that begin with `prefix` (of any form: `alice/f` finds `alice/files/x`), ascending by their UTF-8 bytes. `limit` is 100 by default, at most 1,000. */
  abstract list(prefix: string, page?: { limit?: number; cursor?: string }): Promise<{ items: BlobInfo[]; nextCursor?: string }>;
  /** An absolute URL that lets anyone read what is under this key, now or later, until it expires: 1 ms to 7 days from now. */
  abstract signedUrl(key: string, options: { expiresInMs: number }): Promise<string>;
}
