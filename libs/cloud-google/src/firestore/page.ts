import type { Query as FirestoreQuery, QueryDocumentSnapshot, QuerySnapshot } from '@google-cloud/firestore';
import type { Page } from '@rockpool/cloud';
import type { QueryPlan } from './query-plan.js';
import { documentOf, isExpired, storedOf } from './stored-document.js';

const maxRead = 1_000;

/** The documents of a page, none of them expired, and whether more come after them. */
export interface ReadPage {
  readonly documents: readonly QueryDocumentSnapshot[];
  readonly hasMore: boolean;
}

/** Reads a page, past what is expired and not deleted yet. */
export async function readPage(plan: QueryPlan, read: (query: FirestoreQuery) => Promise<QuerySnapshot>): Promise<ReadPage> {
  const found: QueryDocumentSnapshot[] = [];
  for (let query = plan.query, size = plan.limit + 1; ; size = Math.min(size * 2, maxRead)) {
    const { docs } = await read(query.limit(size));
    found.push(...docs.filter((document) => !isExpired(storedOf(document)!)));
    if (docs.length < size || found.length > plan.limit) break;
    query = plan.after(docs.at(-1)!);
  }
  return { documents: found.slice(0, plan.limit), hasMore: found.length > plan.limit };
}

export function pageOf<Data>(plan: QueryPlan, { documents, hasMore }: ReadPage): Page<Data> {
  const items = documents.map((document) => documentOf<Data>(storedOf(document)!));
  return hasMore ? { items, nextCursor: plan.cursorAfter(documents.at(-1)!) } : { items };
}

/** Equal for two readings of a page when nothing in it was added, removed, moved or rewritten between them. */
export function fingerprintOf({ documents, hasMore }: ReadPage): string {
  return JSON.stringify([documents.map(({ ref, updateTime }) => [ref.path, updateTime.seconds, updateTime.nanoseconds]), hasMore]);
}
