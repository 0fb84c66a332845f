import { createHash } from 'node:crypto';
import type { Documents, Transaction } from '@rockpool/cloud';
import type { TenantId } from '@rockpool/contracts';

/** Something an operator changed. What is secret is named, never quoted. */
export interface AuditFact {
  /** Who: `cli`, `console`. */
  readonly actor: string;
  /** What, imperative: `add`, `change`, `remove`, `set-secret`, `replay`, `discard`. */
  readonly action: string;
  /** What it was done to: paths of settings, or the id of an event. */
  readonly subjects: readonly string[];
}

/** One entry of a tenant's audit log. `hash` covers the entry with the hash of the one before, so that none can be changed or taken out unseen. */
export interface AuditEntry extends AuditFact {
  /** 1, 2, 3 … */
  readonly n: number;
  /** ISO 8601. */
  readonly at: string;
  readonly previousHash: string;
  readonly hash: string;
}

/** The place at which a chain goes on. Read it in the transaction that appends. */
export interface AuditHead {
  readonly n: number;
  readonly hash: string;
}

const start: AuditHead = { n: 0, hash: '' };
const headPath = (tenantId: TenantId) => `tenants/${tenantId}/heads/audit`;

/** The log of what operators did to a tenant: a hash chain at `tenants/{t}/audit/{n}`. */
export class AuditLog {
  constructor(
    private readonly documents: Documents,
    private readonly now: () => number = Date.now,
  ) {}

  /** Where this tenant's chain goes on; a read, so it comes before the transaction's writes. */
  async head(transaction: Transaction, tenantId: TenantId): Promise<AuditHead> {
    return (await transaction.get<AuditHead>(headPath(tenantId)))?.data ?? start;
  }

  /** Appends in the same transaction as what it tells of. */
  append(transaction: Transaction, tenantId: TenantId, head: AuditHead, { actor, action, subjects }: AuditFact): void {
    const entry = { n: head.n + 1, at: new Date(this.now()).toISOString(), actor, action, subjects, previousHash: head.hash };
    const hash = hashOf(entry);
    transaction.create(`tenants/${tenantId}/audit/${String(entry.n).padStart(9, '0')}`, { ...entry, hash });
    transaction.set(headPath(tenantId), { n: entry.n, hash });
  }

  /** Appends a fact whose effect is written elsewhere. */
  async record(tenantId: TenantId, fact: AuditFact): Promise<void> {
    await this.documents.transaction(async (transaction) => {
      this.append(transaction, tenantId, await this.head(transaction, tenantId), fact);
    });
  }

  /** The whole log, oldest first. `intact` is false when an entry was changed, taken out or added from outside. */
  async read(tenantId: TenantId): Promise<{ entries: AuditEntry[]; intact: boolean }> {
    const entries: AuditEntry[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.documents.query<AuditEntry>({ from: { collection: `tenants/${tenantId}/audit` }, limit: 1000, cursor });
      entries.push(...page.items.map((item) => item.data));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    const head = (await this.documents.get<AuditHead>(headPath(tenantId)))?.data ?? start;
    const linked = entries.every(
      (entry, index) => entry.n === index + 1 && entry.previousHash === (entries[index - 1] ?? start).hash && entry.hash === hashOf(entry),
    );
    return { entries, intact: linked && (entries.at(-1) ?? start).hash === head.hash };
  }
}

function hashOf({ n, at, actor, action, subjects, previousHash }: Omit<AuditEntry, 'hash'>): string {
  return createHash('sha256')
    .update(JSON.stringify([previousHash, n, at, actor, action, subjects]))
    .digest('hex');
}
