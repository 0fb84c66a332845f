import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { BlobInfo, Blobs, Cloud, SecretName } from '@rockpool/cloud';
import type { StoppedEngine } from '@rockpool/cloud-embedded';
import { codeOf } from '@rockpool/contracts';
import { ContentHash, kindOf } from './carried.js';
import { compareCollection } from './compare-documents.js';
import { enabledValues, movedSecrets, nameOf } from './moved-secrets.js';
import { inParallel, patiently } from './patience.js';

const collectionsAtOnce = 8;
const blobsAtOnce = 4;
const pageSize = 100;
/** That a version was added may take a moment to be seen everywhere. */
const secretPausesMs = [500, 2_000];

/** One thing that is not the same at both ends. Never what a secret says. */
export interface Difference {
  /** `extra`: it is in the target only. */
  readonly what: 'missing' | 'different' | 'extra';
  readonly path: string;
}

/** Things of one end, and the hash of their contents in order. */
interface Counted {
  readonly count: number;
  readonly hash: string;
}

export interface Compared {
  readonly source: Counted;
  readonly target: Counted;
  readonly differences: readonly Difference[];
}

/** What comparing both ends has found. */
export interface Comparison {
  /** By kind: `tenants/<>/turns`, `secrets`, `blobs of alice`. A hash of secrets would help whoever guesses at them: they have none. */
  readonly kinds: Readonly<Record<string, { source: Partial<Counted> & { count: number }; target: Partial<Counted> & { count: number } }>>;
  /** The first of them. */
  readonly differences: readonly Difference[];
  readonly differenceCount: number;
}

/** Differences that are kept. */
const differencesKept = 1_000;

/** Reads everything back from the target and compares it. */
export class Comparing {
  readonly #kinds = new Map<string, { source: Sum; target: Sum }>();
  readonly #differences: Difference[] = [];
  #differenceCount = 0;

  constructor(
    private readonly source: StoppedEngine,
    private readonly target: Cloud,
    private readonly options: {
      readonly signal: AbortSignal;
      /** What only the target has may be there. */
      readonly merge: boolean;
      readonly onProgress: (compared: number) => void;
    },
  ) {}

  async run(): Promise<Comparison> {
    await this.#documents();
    await this.#secrets();
    await this.#blobs();
    const kinds = [...this.#kinds].map(([kind, { source, target }]) => [
      kind,
      { source: source.result(kind), target: target.result(kind) },
    ]);
    return { kinds: Object.fromEntries(kinds), differences: this.#differences, differenceCount: this.#differenceCount };
  }

  async #documents(): Promise<void> {
    const { signal } = this.options;
    let compared = 0;
    for (let last = ''; ;) {
      const collections = this.source.collectionsAfter(last, collectionsAtOnce * 8);
      if (collections.length === 0) return;
      const results = await inParallel(collections, collectionsAtOnce, (collection) =>
        compareCollection(collection, this.source, this.target.documents, signal),
      );
      for (const [index, result] of results.entries()) {
        this.#add(kindOf(collections[index]!), result);
        compared += result.source.count;
      }
      this.options.onProgress(compared);
      last = collections.at(-1)!;
    }
  }

  async #secrets(): Promise<void> {
    const names = await movedSecrets(this.source);
    const results = await inParallel(names, blobsAtOnce, (name) => this.#isSameSecret(name));
    for (const [index, result] of results.entries()) {
      const differences = result === 'same' ? [] : [{ what: result, path: `secret://${nameOf(names[index]!)}` }];
      this.#add('secrets', { source: { count: 1, hash: '' }, target: { count: result === 'missing' ? 0 : 1, hash: '' }, differences });
    }
  }

  async #isSameSecret(name: SecretName): Promise<'same' | 'missing' | 'different'> {
    const { signal } = this.options;
    const ours = await enabledValues(this.source.secrets, name);
    for (const pauseMs of [...secretPausesMs, undefined]) {
      const theirs = await patiently(signal, () => enabledValues(this.target.secrets, name));
      if (ours.length === theirs.length && ours.every((value, index) => value === theirs[index])) return 'same';
      if (pauseMs === undefined) return theirs.length === 0 ? 'missing' : 'different';
      await setTimeout(pauseMs, undefined, { signal });
    }
    return 'different';
  }

  async #blobs(): Promise<void> {
    const { signal } = this.options;
    let cursor: string | undefined;
    do {
      signal.throwIfAborted();
      const page = await this.source.blobs.list('', { limit: pageSize, ...(cursor !== undefined && { cursor }) });
      const results = await inParallel(page.items, blobsAtOnce, (info) => this.#compareBlob(info));
      for (const [index, result] of results.entries()) this.#add(`blobs of ${page.items[index]!.key.split('/')[0]}`, result);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
  }

  async #compareBlob({ key }: BlobInfo): Promise<Compared> {
    const ours = (await digestOf(this.source.blobs, key))!;
    const theirs = await patiently(this.options.signal, () => digestOf(this.target.blobs, key));
    const what = theirs === undefined ? 'missing' : 'different';
    return {
      source: { count: 1, hash: ours },
      target: { count: theirs === undefined ? 0 : 1, hash: theirs ?? '' },
      differences: ours === theirs ? [] : [{ what, path: key }],
    };
  }

  #add(kind: string, { source, target, differences }: Compared): void {
    const sums = this.#kinds.get(kind) ?? { source: new Sum(), target: new Sum() };
    this.#kinds.set(kind, sums);
    sums.source.add(source);
    sums.target.add(target);
    const counting = differences.filter(({ what }) => what !== 'extra' || !this.options.merge);
    this.#differenceCount += counting.length;
    this.#differences.push(...counting.slice(0, differencesKept - this.#differences.length));
  }
}

/** Collections, or blobs, of one kind, in their order. */
class Sum {
  #count = 0;
  readonly #hash = new ContentHash();

  add({ count, hash }: Counted): void {
    this.#count += count;
    this.#hash.add(hash);
  }

  result(kind: string): Partial<Counted> & { count: number } {
    return kind === 'secrets' ? { count: this.#count } : { count: this.#count, hash: this.#hash.hex() };
  }
}

/** The SHA-256 of content and type; `undefined` when there is no such blob. */
async function digestOf(blobs: Blobs, key: string): Promise<string | undefined> {
  try {
    const { info, content } = await blobs.get(key);
    const hash = createHash('sha256').update(`${info.contentType}\n`);
    for await (const chunk of content) hash.update(chunk as Buffer);
    return hash.digest('hex');
  } catch (error) {
    if (codeOf(error) === 'not_found') return undefined;
    throw error;
  }
}
