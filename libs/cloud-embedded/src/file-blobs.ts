import { blobCursor, type BlobInfo, Blobs, checkedBlobPage, refuseBadBlobKey, refuseBadContentType, type Secrets } from '@rockpool/cloud';
import { Conflict, NotFound, RockpoolError } from '@rockpool/contracts';
import type { Readable } from 'node:stream';
import type { Database } from './database.js';
import { ContentFiles } from './file-blobs/content-files.js';
import { UrlSigner } from './file-blobs/url-signer.js';

// SQLite compares text by its UTF-8 bytes: the order and the identity that the port promises.
const schema = `
  CREATE TABLE IF NOT EXISTS blobs (
    key TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    file TEXT NOT NULL UNIQUE,
    size_bytes INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    updated_at INTEGER NOT NULL
  ) WITHOUT ROWID, STRICT;
`;

export interface FileBlobsOptions {
  /** Where the content lies; made when absent. Only with the database does it make sense: back up both together. */
  folder: string;
  /** Keeps the key that signs URLs. */
  secrets: Secrets;
  /** Where `GET /blobs/…` is served: `http://127.0.0.1:8080`. Asked for when a URL is made, for a port may be known only after listening. */
  baseUrl: () => string;
  /** Milliseconds since the epoch. Default: the system's clock. */
  now?: () => number;
}

interface BlobRow {
  key: string;
  generation: number;
  file: string;
  size_bytes: number;
  content_type: string;
  updated_at: number;
}

/**
 * Blobs as files, each under a random name that is never used again, and a row that says which file a key means. The row is written after the file is on
 * disk, so a key means one whole file at every instant, with its own size, type and generation. A crash leaves at worst a file that no row means; see {@link sweep}.
 * Since no part of a key becomes a file name, no key can leave the folder or meet another one on a file system that folds letters.
 */
export class FileBlobs extends Blobs {
  readonly #database: Database;
  readonly #files: ContentFiles;
  readonly #signer: UrlSigner;
  readonly #now: () => number;

  private constructor(database: Database, files: ContentFiles, options: FileBlobsOptions) {
    super();
    this.#database = database;
    this.#files = files;
    this.#now = options.now ?? Date.now;
    this.#signer = new UrlSigner(options.secrets, options.baseUrl, this.#now);
  }

  static async open(database: Database, options: FileBlobsOptions): Promise<FileBlobs> {
    database.define(schema);
    return new FileBlobs(database, await ContentFiles.open(options.folder), options);
  }

  async put(key: string, content: Uint8Array | Readable, options: { contentType?: string; ifGeneration?: string } = {}): Promise<BlobInfo> {
    refuseBadBlobKey(key);
    const { contentType = 'application/octet-stream', ifGeneration } = options;
    refuseBadContentType(contentType);
    const { file, sizeBytes } = await this.#files.create(content);
    let written: { info: BlobInfo; replaced: string | undefined };
    try {
      written = await this.#database.write(() => {
        const before = this.#row(key);
        refuseOtherGeneration(key, before, ifGeneration);
        const row = {
          key,
          generation: this.#database.uniqueNumber(),
          file,
          size_bytes: sizeBytes,
          content_type: contentType,
          updated_at: this.#now(),
        };
        this.#database
          .prepare('INSERT OR REPLACE INTO blobs VALUES ($key, $generation, $file, $size_bytes, $content_type, $updated_at)')
          .run(row);
        return { info: infoOf(row), replaced: before?.file };
      });
    } catch (error) {
      await this.#files.remove(file);
      throw error;
    }
    if (written.replaced !== undefined) await this.#files.remove(written.replaced);
    return written.info;
  }

  async get(key: string): Promise<{ info: BlobInfo; content: Readable }> {
    refuseBadBlobKey(key);
    for (;;) {
      const row = this.#database.read(() => this.#row(key));
      if (row === undefined) throw new NotFound(`there is no blob ${key}`);
      const content = await this.#files.read(row.file);
      if (content !== undefined) return { info: infoOf(row), content };
      // Its file is gone: either it was replaced since the row was read, or somebody removed files behind our back.
      const current = this.#database.read(() => this.#row(key));
      if (current?.file === row.file) throw new RockpoolError('internal', `the content of blob ${key} is missing from the blobs folder`);
    }
  }

  async head(key: string): Promise<BlobInfo | undefined> {
    refuseBadBlobKey(key);
    const row = this.#database.read(() => this.#row(key));
    return row && infoOf(row);
  }

  async delete(key: string, options: { ifGeneration?: string } = {}): Promise<void> {
    refuseBadBlobKey(key);
    const deleted = await this.#database.write(() => {
      const before = this.#row(key);
      refuseOtherGeneration(key, before, options.ifGeneration);
      this.#database.prepare('DELETE FROM blobs WHERE key = ?').run(key);
      return before?.file;
    });
    if (deleted !== undefined) await this.#files.remove(deleted);
  }

  async list(prefix: string, page: { limit?: number; cursor?: string } = {}): Promise<{ items: BlobInfo[]; nextCursor?: string }> {
    const { limit, afterKey } = checkedBlobPage(prefix, page);
    // Keys with one prefix stand side by side, so the first that lacks it ends the page. One more than asked for tells whether there is a next page.
    const [start, condition] = afterKey === undefined ? [prefix, 'key >= ?'] : [afterKey, 'key > ?'];
    const rows = this.#database
      .read(() => this.#database.prepare(`SELECT * FROM blobs WHERE ${condition} ORDER BY key LIMIT ?`).all(start, limit + 1))
      .map((row) => row as unknown as BlobRow)
      .filter(({ key }) => key.startsWith(prefix));
    const items = rows.slice(0, limit).map(infoOf);
    return rows.length > limit ? { items, nextCursor: blobCursor(items.at(-1)!.key) } : { items };
  }

  async signedUrl(key: string, { expiresInMs }: { expiresInMs: number }): Promise<string> {
    refuseBadBlobKey(key);
    return this.#signer.sign(key, expiresInMs);
  }

  /**
   * The key that a request for a signed URL may read; `url` is absolute or, as a server sees it, path and query. Rejects with `unauthenticated` when it was not made
   * by {@link signedUrl}, was changed, or has expired. Whoever serves the content should not let a browser run it: anybody may have written it.
   */
  async verifySignedUrl(url: string): Promise<string> {
    return this.#signer.verify(url);
  }

  /**
   * Removes files that no key means: what a crash left behind. Files changed within the last hour are left alone, for they may be about to get their row.
   * Resolves with how many were removed. For now and then; it reads the whole folder.
   */
  async sweep(): Promise<number> {
    return this.#files.sweep(
      (file) => this.#database.read(() => this.#database.prepare('SELECT 1 FROM blobs WHERE file = ?').get(file)) !== undefined,
    );
  }

  #row(key: string): BlobRow | undefined {
    return this.#database.prepare('SELECT * FROM blobs WHERE key = ?').get(key) as unknown as BlobRow | undefined;
  }
}

function infoOf(row: Omit<BlobRow, 'file'>): BlobInfo {
  return {
    key: row.key,
    sizeBytes: row.size_bytes,
    contentType: row.content_type,
    generation: String(row.generation),
    updatedAt: new Date(row.updated_at),
  };
}

function refuseOtherGeneration(key: string, row: BlobRow | undefined, wanted: string | undefined): void {
  const current = String(row?.generation ?? 0);
  if (wanted !== undefined && wanted !== current) throw new Conflict(`blob ${key} is not at generation ${wanted}`);
}
