import { Conflict, type TenantId } from '@rockpool/contracts';
import type { Document, Documents } from '@rockpool/cloud';
import { AuditLog, type AuditFact } from './audit.js';
import { routePath, tenantPath, type RouteRecord, type TenantRecord } from './tenant-record.js';

/** What a tenant's record is to say. */
export type DesiredRecord = Pick<TenantRecord, 'spec' | 'status' | 'routes'>;

/** One change of a tenant, written whole or not at all. */
export interface RecordChange {
  /** Given the record as it is; `undefined` when nothing is to be written. It throws to refuse. */
  readonly desired: (current: Document<TenantRecord> | undefined) => DesiredRecord | undefined;
  /** Whether a route another tenant holds may be taken over. */
  readonly mayTake?: (route: string, holder: TenantId) => boolean;
  readonly fact: AuditFact;
}

/** The stored tenants with what must never come apart: record, routes and audit entry. */
export class TenantRecords {
  readonly #audit: AuditLog;

  constructor(
    private readonly documents: Documents,
    private readonly now: () => number,
  ) {
    this.#audit = new AuditLog(documents, now);
  }

  /** Every record, removed tenants' too. */
  async all(): Promise<Map<TenantId, Document<TenantRecord>>> {
    const records = new Map<TenantId, Document<TenantRecord>>();
    let cursor: string | undefined;
    do {
      const page = await this.documents.query<TenantRecord>({ from: { collection: 'tenants' }, limit: 1000, cursor });
      for (const item of page.items) records.set(item.id as TenantId, item);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return records;
  }

  /** Rejects with `conflict` when another tenant holds a route and may not lose it. */
  async change(id: TenantId, { desired, mayTake = () => false, fact }: RecordChange): Promise<void> {
    await this.documents.transaction(async (transaction) => {
      const current = await transaction.get<TenantRecord>(tenantPath(id));
      const after = desired(current);
      if (!after) return;
      const before = new Set(current?.data.routes);
      const wanted = new Set(after.routes);
      const moved = [...new Set([...before, ...wanted])].filter((route) => before.has(route) !== wanted.has(route));
      const holders = await Promise.all(moved.map(async (route) => [route, await transaction.get<RouteRecord>(routePath(route))] as const));
      const head = await this.#audit.head(transaction, id);
      for (const [route, holder] of holders) {
        const owner = holder?.data.tenantId;
        if (!wanted.has(route)) {
          // Somebody else may have taken it over already.
          if (owner === id) transaction.delete(routePath(route));
        } else if (owner === undefined || owner === id || mayTake(route, owner)) {
          transaction.set(routePath(route), { tenantId: id } satisfies RouteRecord);
        } else {
          throw new Conflict(`${owner} already holds ${route}, which ${id} claims`);
        }
      }
      const record: TenantRecord = { ...after, changedAt: new Date(this.now()).toISOString() };
      transaction.set(tenantPath(id), record);
      this.#audit.append(transaction, id, head, fact);
    });
  }
}
