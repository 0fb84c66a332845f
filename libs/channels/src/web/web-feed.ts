import type { Document, Documents, IndexDeclaration, Snapshot } from '@rockpool/cloud';
import { codeOf, idPart, type ConversationId, type TenantId } from '@rockpool/contracts';

/** `placed`: the answer is awaited. `streaming`: more of it is to come. `final`: it stays as it is. `typing`: a passing sign, not a message. */
export type FeedState = 'placed' | 'streaming' | 'final' | 'typing';

/** A message as the chat page shows it, at `tenants/{t}/conversations/{c}/feed/{key}`. Times are ISO 8601 in UTC. */
export interface FeedRecord {
  /** When it took its place. Never changes: it is the order of the feed. */
  readonly at: string;
  /** When it was last written; a reader that comes back asks for what is younger. */
  readonly changedAt: string;
  readonly role: 'user' | 'assistant';
  readonly state: FeedState;
  /** What was said: plain text of a visitor, Markdown of the assistant. */
  readonly text: string;
  /** The assistant's Markdown as safe HTML. */
  readonly html?: string;
  /** Of an answer: the sender's id of the message it answers. Of a visitor's message: its own id. */
  readonly messageId?: string;
  /** Of a typing sign: when it is over. */
  readonly until?: string;
}

/** A {@link FeedRecord} with its key, unique in its conversation. */
export interface FeedItem extends FeedRecord {
  readonly key: string;
}

/** What a follower is told. `complete`: these are all there are and whatever else it had is gone; otherwise they are added or replaced by key. */
export interface FeedChange {
  readonly complete: boolean;
  /** In the feed's order. */
  readonly items: readonly FeedItem[];
}

/** The indexes the web chat's queries need. */
export const webIndexes: readonly IndexDeclaration[] = [{ collection: 'feed', scope: 'collection', fields: ['at'] }];

const retentionMs = 90 * 86_400_000;
const typingMs = 6_000;
const historyLimit = 200;
/** A change is looked for among this many of the newest items; when all of them are new at once, the history is read again. */
const watchLimit = 40;
/** Items are stamped by several machines: whoever comes back is also told what changed this much before it left. */
const clockSkewMs = 60_000;
const typingKey = 'typing';

/**
 * What is seen of the web chat: a projection kept for 90 days, apart from the transcript that the agent reads. Visitors' messages are put here by the
 * ingress, answers by the host that runs the turn.
 */
export class WebFeed {
  constructor(
    private readonly documents: Documents,
    private readonly now: () => number = Date.now,
  ) {}

  /** Shows a visitor's message, in the place it had when it was received. Repeating it changes nothing. */
  async show(tenantId: TenantId, conversationId: ConversationId, message: { id: string; text: string; receivedAt: Date }): Promise<void> {
    const at = message.receivedAt.toISOString();
    await this.#createIfAbsent(itemPath(tenantId, conversationId, `m.${message.id}`), {
      at,
      changedAt: this.#time(),
      role: 'user',
      state: 'final',
      text: message.text,
      messageId: message.id,
    });
  }

  /** Makes an empty answer exist and resolves with its key. The same `replyKey` always gives the same one, whatever has been written into it. */
  async place(tenantId: TenantId, conversationId: ConversationId, replyKey: string, messageId?: string): Promise<string> {
    const key = `r.${idPart(replyKey)}`;
    await this.#createIfAbsent(itemPath(tenantId, conversationId, key), {
      at: this.#time(),
      changedAt: this.#time(),
      role: 'assistant',
      state: 'placed',
      text: '',
      html: '',
      messageId,
    });
    return key;
  }

  /** Replaces what an answer says. A `streaming` write that comes after the `final` one is dropped. */
  async write(
    tenantId: TenantId,
    conversationId: ConversationId,
    key: string,
    content: { text: string; html: string; state: 'streaming' | 'final'; messageId?: string },
  ): Promise<void> {
    const path = itemPath(tenantId, conversationId, key);
    await this.documents.transaction(async (transaction) => {
      const before = (await transaction.get<FeedRecord>(path))?.data;
      if (before?.state === 'final' && content.state === 'streaming') return;
      const record: FeedRecord = {
        messageId: content.messageId,
        ...before,
        at: before?.at ?? this.#time(),
        changedAt: this.#time(),
        role: 'assistant',
        state: content.state,
        text: content.text,
        html: content.html,
      };
      transaction.set(path, record, this.#kept());
      if (content.state === 'final') transaction.delete(itemPath(tenantId, conversationId, typingKey));
    });
  }

  /** Shows that an answer is being worked on: for six seconds, or until it is final. */
  async showTyping(tenantId: TenantId, conversationId: ConversationId): Promise<void> {
    const until = new Date(this.now() + typingMs);
    const record: FeedRecord = {
      at: this.#time(),
      changedAt: this.#time(),
      role: 'assistant',
      state: 'typing',
      text: '',
      until: until.toISOString(),
    };
    await this.documents.set(itemPath(tenantId, conversationId, typingKey), record, { expireAt: until });
  }

  /**
   * Tells `listener` at once the newest 200 items, or with `since` (a `changedAt` the follower has seen) only what is younger, then every change.
   * Resolves once it follows; the function it resolves with ends it, after which nothing is told. `failed` is called once when it cannot go on.
   */
  async follow(
    tenantId: TenantId,
    conversationId: ConversationId,
    follower: { listener: (change: FeedChange) => void; failed: (error: unknown) => void; since?: string },
  ): Promise<() => void> {
    const newest = { from: { collection: feedPath(tenantId, conversationId) }, orderBy: { field: 'at', direction: 'desc' } } as const;
    const versions = new Map<string, string>();
    let stopped = false;
    let work = Promise.resolve();

    const tell = (documents: readonly Document<FeedRecord>[], complete: boolean): void => {
      const items = documents.filter((document) => versions.get(document.id) !== document.version);
      for (const document of documents) versions.set(document.id, document.version);
      follower.listener({ complete, items: items.map(itemOf).sort(byPlace) });
    };
    const tellHistory = async (since?: string): Promise<void> => {
      versions.clear();
      const page = await this.documents.query<FeedRecord>({ ...newest, limit: historyLimit });
      if (stopped) return;
      for (const document of page.items) if (since && isOlder(document.data, since)) versions.set(document.id, document.version);
      tell(page.items, since === undefined);
    };
    const onSnapshot = async ({ items }: Snapshot<FeedRecord>): Promise<void> => {
      if (stopped) return;
      if (items.length === watchLimit && items.every((document) => !versions.has(document.id))) await tellHistory();
      else if (items.some((document) => versions.get(document.id) !== document.version)) tell(items, false);
    };
    const enqueue = (step: () => Promise<void>): void => {
      work = work.then(step).catch((error: unknown) => {
        if (stopped) return;
        stopped = true;
        follower.failed(error);
      });
    };

    enqueue(() => tellHistory(follower.since));
    const unwatch = await this.documents.watch<FeedRecord>({ ...newest, limit: watchLimit }, (snapshot) =>
      enqueue(() => onSnapshot(snapshot)),
    );
    return () => {
      stopped = true;
      unwatch();
    };
  }

  async #createIfAbsent(path: string, record: FeedRecord): Promise<void> {
    try {
      await this.documents.create(path, record, this.#kept());
    } catch (error) {
      if (codeOf(error) !== 'already_exists') throw error;
    }
  }

  #kept(): { expireAt: Date } {
    return { expireAt: new Date(this.now() + retentionMs) };
  }

  #time(): string {
    return new Date(this.now()).toISOString();
  }
}

function feedPath(tenantId: TenantId, conversationId: ConversationId): string {
  return `tenants/${tenantId}/conversations/${conversationId}/feed`;
}

function itemPath(tenantId: TenantId, conversationId: ConversationId, key: string): string {
  return `${feedPath(tenantId, conversationId)}/${key}`;
}

function itemOf(document: Document<FeedRecord>): FeedItem {
  return { key: document.id, ...document.data };
}

/** Of two items of the same millisecond the question (`m.…`) comes before the answer (`r.…`). */
function byPlace(one: FeedItem, other: FeedItem): number {
  return one.at === other.at ? (one.key < other.key ? -1 : 1) : one.at < other.at ? -1 : 1;
}

function isOlder(record: FeedRecord, since: string): boolean {
  return Date.parse(record.changedAt) < Date.parse(since) - clockSkewMs;
}
