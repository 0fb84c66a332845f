import { createHash } from 'node:crypto';
import type { Documents, IndexDeclaration } from '@rockpool/cloud';
import { InvalidInput, type TenantId } from '@rockpool/contracts';

/** The indexes that the collections of this library need. */
export const agentIndexes: readonly IndexDeclaration[] = [{ collection: 'memories', scope: 'collection', fields: ['at'] }];

/** A note as it is stored at `tenants/{t}/memories/{m}`. */
export interface MemoryNote {
  readonly text: string;
  /** ISO 8601; when it was last said. */
  readonly at: string;
  /** The sender who had it remembered. */
  readonly by: string;
}

/** Longest note, in characters. */
const maxNoteCharacters = 2_000;
/** Notes of one tenant. When it is full the oldest makes room. Small enough that a search reads them all in one page. */
const maxNotes = 500;

/**
 * Notes an assistant keeps for its tenant, across conversations. The tenant comes first in every path, so a search can only find that tenant's notes.
 * Remembering the same words twice leaves one note: a turn that runs again does not double it.
 */
export class Memory {
  constructor(
    private readonly documents: Documents,
    private readonly limits: { readonly maxNotes: number } = { maxNotes },
  ) {}

  /** Rejects with `InvalidInput` when the text is empty or over 2,000 characters. */
  async remember(tenantId: TenantId, note: MemoryNote): Promise<void> {
    const text = note.text.trim();
    if (!text) throw new InvalidInput('there is nothing to remember');
    if (text.length > maxNoteCharacters)
      throw new InvalidInput(`a note has at most ${maxNoteCharacters} characters; this one has ${text.length}`);
    await this.documents.set(`${collectionOf(tenantId)}/${idOf(text)}`, { text, at: note.at, by: note.by } satisfies MemoryNote);
    await this.makeRoom(tenantId);
  }

  /** The notes that share most with the query's words, best first; with no words in the query, the newest. */
  async recall(tenantId: TenantId, query: string, limit = 10): Promise<MemoryNote[]> {
    const { items } = await this.documents.query<MemoryNote>({
      from: { collection: collectionOf(tenantId) },
      orderBy: { field: 'at', direction: 'desc' },
      limit: this.limits.maxNotes,
    });
    const notes = items.map((item) => item.data);
    const wanted = new Set(wordsOf(query));
    return wanted.size ? rank(notes, wanted).slice(0, limit) : notes.slice(0, limit);
  }

  /** Concurrent callers may both find one note too many and remove the same one: the bound holds, and nothing newer is lost. */
  private async makeRoom(tenantId: TenantId): Promise<void> {
    const { items } = await this.documents.query<MemoryNote>({
      from: { collection: collectionOf(tenantId) },
      orderBy: { field: 'at', direction: 'desc' },
      limit: Math.min(1000, this.limits.maxNotes + 50),
    });
    await Promise.all(items.slice(this.limits.maxNotes).map((item) => this.documents.delete(item.path)));
  }
}

function collectionOf(tenantId: TenantId): string {
  return `tenants/${tenantId}/memories`;
}

function idOf(text: string): string {
  return createHash('sha256').update(text.toLowerCase().replace(/\s+/g, ' ')).digest('hex').slice(0, 32);
}

function wordsOf(text: string): string[] {
  return (
    text
      .normalize('NFKC')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? []
  ).filter((word) => !stopWords.has(word));
}

const stopWords = new Set(
  'a about am an and are as at be by can did do does for from had has have how i in is it me my of on or our that the their this to was we were what when where which who why with you your'.split(
    ' ',
  ),
);

/** Rare words count more (inverse document frequency); a word's beginning counts half, so that “keys” finds “key”. Ties go to the newer note. */
function rank(notes: readonly MemoryNote[], wanted: ReadonlySet<string>): MemoryNote[] {
  const words = notes.map((note) => new Set(wordsOf(note.text)));
  const weights = new Map(
    [...wanted].map((word) => [word, Math.log(1 + notes.length / (1 + words.filter((set) => set.has(word)).length))] as const),
  );
  const scoreOf = (set: ReadonlySet<string>): number => {
    let score = 0;
    for (const [word, weight] of weights)
      if (set.has(word)) score += weight;
      else if (word.length > 3 && [...set].some((other) => sharesBeginning(word, other))) score += weight / 2;
    return score;
  };
  return notes
    .map((note, index) => ({ note, index, score: scoreOf(words[index]!) }))
    .filter(({ score }) => score > 0)
    .sort((one, other) => other.score - one.score || one.index - other.index)
    .map(({ note }) => note);
}

function sharesBeginning(one: string, other: string): boolean {
  const length = Math.max(3, Math.min(one.length, other.length) - 1);
  return other.length >= 3 && Math.abs(one.length - other.length) <= 3 && one.slice(0, length) === other.slice(0, length);
}
