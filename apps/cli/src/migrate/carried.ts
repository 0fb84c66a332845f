import { createHash } from 'node:crypto';

/** A document as it is moved, or as it was read back. */
export interface CarriedDocument {
  readonly path: string;
  readonly data: object;
  readonly expireAt?: Date | undefined;
}

/** Collections of one stage, by their own names; `not`: all others. */
interface Stage {
  readonly names: readonly string[];
  readonly not?: boolean;
}

const tenants = ['tenants', 'routes', 'platform'];
/** What the sweeps of the target look for: it comes when everything it needs is there. */
const work = ['turns', 'jobs', 'schedules'];

/** Documents are moved in this order, so that no app of the target finds work before it finds the tenant, and no tenant before its history. */
export const stages = {
  history: { names: [...tenants, ...work], not: true },
  tenants: { names: tenants },
  work: { names: work },
} as const satisfies Record<string, Stage>;

export type StageName = keyof typeof stages;

/** Fields by which a process held a document. The folder is held by nobody else, so whoever it was is dead. */
const holds: readonly { readonly path: RegExp; readonly fields: readonly string[] }[] = [
  { path: /^tenants\/[^/]+\/(conversations|jobs)\/[^/]+$/, fields: ['lease'] },
  { path: /^tenants\/[^/]+\/schedules\/[^/]+$/, fields: ['busyUntil'] },
  { path: /^operations\/[^/]+$/, fields: ['holder', 'heldUntil'] },
];

/** The document as it is to be in the target: what holders left in it is gone. */
export function carried<Found extends CarriedDocument>(document: Found): Found {
  const fields = holds.find(({ path }) => path.test(document.path))?.fields;
  if (fields === undefined || !fields.some((field) => field in document.data)) return document;
  return { ...document, data: Object.fromEntries(Object.entries(document.data).filter(([name]) => !fields.includes(name))) };
}

/** What a collection's documents are, for counting: `tenants/alice/turns` has turns of a tenant, `tenants/<>/turns`. */
export function kindOf(collection: string): string {
  const parts = collection.split('/');
  return parts.map((part, index) => (index % 2 === 0 ? part : '<>')).join('/');
}

/** One line for one content, whatever the order of names: what is hashed and compared. */
export function contentOf({ data, expireAt }: CarriedDocument): string {
  return JSON.stringify([canonical(data), expireAt?.getTime() ?? null]);
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  // Pairs, since an object would put names that are numbers first, and take `__proto__` for something else.
  return { object: entries.map(([name, part]) => [name, canonical(part)]) };
}

/** A hash of lines in their order. */
export class ContentHash {
  readonly #hash = createHash('sha256');

  add(...parts: readonly string[]): void {
    this.#hash.update(`${JSON.stringify(parts)}\n`);
  }

  hex(): string {
    return this.#hash.digest('hex');
  }
}
