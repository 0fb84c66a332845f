import { InvalidInput } from '@rockpool/contracts';
import { createHash, randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import type { Blobs } from './blobs.js';
import { maxTaskBodyBytes } from './task-rules.js';
import type { TaskRequest } from './tasks.js';

/** Says in a task's request that its body is elsewhere: an id and the SHA-256 of the body, both in hexadecimal. */
const referenceHeader = 'x-rockpool-body-reference';
const referencePattern = /^([0-9a-f]{64}) ([0-9a-f]{64})$/;
const pageSize = 1_000;

/** Headers of a request as Node gives them. */
export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Bodies of tasks that are larger than a task may be. They lie in Blobs under `<tenant>/task-bodies/`, and the task carries a reference. The tenant is not part of the reference:
 * who receives the task names it, and so cannot be led to what is another tenant's.
 */
export class TaskBodies {
  constructor(private readonly blobs: Blobs) {}

  /**
   * The request as it is when its body fits, else one that refers to the body, which is durable by then. Packing the same named task again writes nothing else: whoever creates
   * the task may repeat both together.
   */
  async pack(tenantId: string, request: TaskRequest): Promise<TaskRequest> {
    if (request.body.byteLength <= maxTaskBodyBytes) return request;
    const digest = hexDigest(request.body);
    const id = hexDigest(`${request.queue}/${request.name ?? randomUUID()}/${digest}`);
    await this.blobs.put(keyOf(tenantId, id), request.body);
    return { ...request, body: new Uint8Array(), headers: { ...request.headers, [referenceHeader]: `${id} ${digest}` } };
  }

  /**
   * The body that was packed, of a task that arrived and whose token has been verified. Rejects with `invalid` when the reference is none, or the bytes are others; with
   * `not_found` when they were discarded: then the task was done before, and is repeated.
   */
  async unpack(tenantId: string, headers: RequestHeaders, body: Uint8Array): Promise<Uint8Array> {
    const reference = referenceOf(headers);
    if (reference === undefined) return body;
    const { content } = await this.blobs.get(keyOf(tenantId, reference.id));
    const bytes = await buffer(content);
    if (hexDigest(bytes) !== reference.digest)
      throw new InvalidInput('the body that the task refers to is another than it was created with');
    return bytes;
  }

  /** To be called when the task is done for good. Without a reference, and again, it does nothing. */
  async discard(tenantId: string, headers: RequestHeaders): Promise<void> {
    const reference = referenceOf(headers);
    if (reference !== undefined) await this.blobs.delete(keyOf(tenantId, reference.id));
  }

  /** Removes what tasks left behind that were given up or never created. `before` lies further back than any task lives, 31 days. Resolves with how many were removed. */
  async sweep(tenantId: string, before: Date): Promise<number> {
    let removed = 0;
    let cursor: string | undefined;
    do {
      const page = await this.blobs.list(`${tenantId}/task-bodies/`, { limit: pageSize, ...(cursor !== undefined && { cursor }) });
      for (const { key } of page.items.filter(({ updatedAt }) => updatedAt < before)) {
        await this.blobs.delete(key);
        removed += 1;
      }
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return removed;
  }
}

function keyOf(tenantId: string, id: string): string {
  if (!/^[a-z0-9-]+$/.test(tenantId)) throw new InvalidInput('a tenant is named by a-z, 0-9 and -');
  return `${tenantId}/task-bodies/${id}`;
}

function referenceOf(headers: RequestHeaders): { id: string; digest: string } | undefined {
  const value = headers[referenceHeader];
  if (value === undefined) return undefined;
  const [, id, digest] = referencePattern.exec(String(value)) ?? [];
  if (id === undefined || digest === undefined)
    throw new InvalidInput(`the header ${referenceHeader} of the task is none that was written here`);
  return { id, digest };
}

function hexDigest(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}
