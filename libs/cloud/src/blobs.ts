import type { Readable } from 'node:stream';

export interface BlobInfo {
  readonly key: string;
  readonly sizeBytes: number;
  readonly contentType: string;
  /** Changes with every write. `'0'` stands for "does not exist" in a condition. */
  readonly generation: string;
  readonly updatedAt: Date;
}

/** Bytes under a key (`tenant/…`), written whole or not at all. Keys are `/`-separated parts, none of them empty, `.` or `..`; at most 1,000 bytes. */
export abstract class Blobs {
  /** With `ifGeneration` it rejects with `conflict` unless that is the current generation (`'0'`: there is none). */
  abstract put(key: string, content: Uint8Array | Readable, options?: { contentType?: string; ifGeneration?: string }): Promise<BlobInfo>;
  /** Rejects with `not_found`. */
  abstract get(key: string): Promise<{ info: BlobInfo; content: Readable }>;
  abstract head(key: string): Promise<BlobInfo | undefined>;
  /** Absent is no error. */
  abstract delete(key: string, options?: { ifGeneration?: string }): Promise<void>;
  /** By key, ascending. */
  abstract list(prefix: string, page?: { limit?: number; cursor?: string }): Promise<{ items: BlobInfo[]; nextCursor?: string }>;
  /** An absolute URL that lets anyone read this blob until it expires. */
  abstract signedUrl(key: string, options: { expiresInMs: number }): Promise<string>;
}
