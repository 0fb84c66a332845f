import type { Documents } from '@rockpool/cloud';
import { expiryOf } from '@rockpool/cloud-google';
import type { StoppedEngine } from '@rockpool/cloud-embedded';
import { carried, ContentHash, contentOf, type CarriedDocument } from './carried.js';
import type { Compared, Difference } from './comparison.js';
import { patiently } from './patience.js';

/** Documents of a page at most; with large ones the source gives fewer, and then no more are asked of the target, so that it can answer in time. */
const pageSize = 100;

/** A document with its place in the order of both engines. */
interface Found extends CarriedDocument {
  readonly id: Buffer;
}

/** Reads a collection of both and compares each document, its expiry too. Both come by id in the order of its UTF-8 bytes, so neither is ever held whole. */
export async function compareCollection(
  collection: string,
  source: StoppedEngine,
  target: Documents,
  signal: AbortSignal,
): Promise<Compared> {
  const size = { ofPage: pageSize };
  const ours = fromSource(collection, source, size);
  const theirs = fromTarget(collection, target, size, signal);
  const [sourceHash, targetHash] = [new ContentHash(), new ContentHash()];
  const differences: Difference[] = [];
  let [sourceCount, targetCount] = [0, 0];
  try {
    let [our, their] = [await take(ours), await take(theirs)];
    while (our !== undefined || their !== undefined) {
      const order = our === undefined ? 1 : their === undefined ? -1 : Buffer.compare(our.id, their.id);
      const ourContent = order <= 0 ? contentOf(our!) : undefined;
      const theirContent = order >= 0 ? contentOf(their!) : undefined;
      const what = ourContent === undefined ? 'extra' : theirContent === undefined ? 'missing' : 'different';
      // What expired while we looked is rightly gone.
      const isGone = what === 'missing' && our!.expireAt !== undefined && our!.expireAt.getTime() <= Date.now();
      if (ourContent !== undefined && !isGone) {
        sourceCount++;
        sourceHash.add(our!.path, ourContent);
      }
      if (theirContent !== undefined) {
        targetCount++;
        targetHash.add(their!.path, theirContent);
      }
      if (ourContent !== theirContent && !isGone) differences.push({ what, path: (our ?? their)!.path });
      if (order <= 0) our = await take(ours);
      if (order >= 0) their = await take(theirs);
    }
  } finally {
    await theirs.return(undefined);
  }
  return { source: { count: sourceCount, hash: sourceHash.hex() }, target: { count: targetCount, hash: targetHash.hex() }, differences };
}

async function take(documents: Iterator<Found> | AsyncIterator<Found>): Promise<Found | undefined> {
  const next = await documents.next();
  return next.done ? undefined : next.value;
}

function* fromSource(collection: string, source: StoppedEngine, size: { ofPage: number }): Generator<Found> {
  for (let after: string | undefined; ;) {
    const page = source.documents({ collection, limit: pageSize, ...(after !== undefined && { after }) });
    size.ofPage = page.length || pageSize;
    for (const document of page) yield { ...carried(document), id: Buffer.from(document.id) };
    after = page.at(-1)?.path;
    if (after === undefined) return;
  }
}

async function* fromTarget(
  collection: string,
  documents: Documents,
  size: { readonly ofPage: number },
  signal: AbortSignal,
): AsyncGenerator<Found, undefined> {
  let cursor: string | undefined;
  do {
    signal.throwIfAborted();
    const query = { from: { collection }, limit: size.ofPage, ...(cursor !== undefined && { cursor }) };
    const page = await patiently(signal, () => documents.query<object>(query));
    for (const document of page.items) {
      yield { path: document.path, id: Buffer.from(document.id), data: document.data, expireAt: expiryOf(document) };
    }
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return undefined;
}
