import type { Documents } from '@rockpool/cloud';
import type { TenantId } from '@rockpool/contracts';
import { ReadCache } from './read-cache.js';
import { TenantChanges } from './tenant-changes.js';
import { tenantOf, tenantPath, type TenantRecord } from './tenant-record.js';
import type { PlanName, Tenant } from './tenant.js';

/** A tenant that `tenants.yaml` describes no more. */
export interface RemovedTenant {
  readonly id: TenantId;
  readonly plan: PlanName;
  readonly removedAt: number;
}

/**
 * Tenants as running apps see them, from memory: a change is seen at once where the engine's watch works and within 30 s in any case.
 * Memory holds the 20,000 tenants read last, and for 5 s the names that turned out to be nobody's.
 */
export class Tenants {
  readonly #cache: ReadCache<Tenant>;
  readonly #changes: TenantChanges;

  constructor(
    private readonly documents: Documents,
    options: { now?: () => number } = {},
  ) {
    this.#cache = new ReadCache({ maxAgeMs: 30_000, maxEntries: 20_000, absentMaxAgeMs: 5_000, maxAbsentEntries: 5_000 }, options.now);
    this.#changes = new TenantChanges(
      documents,
      (changed) => (changed === 'any' ? this.#cache.clear() : this.#cache.forget(changed)),
      options.now,
    );
  }

  /** `undefined` for a tenant that does not exist or was removed. A suspended one is returned: what it may do is {@link admit}'s to say. */
  async get(id: TenantId): Promise<Tenant | undefined> {
    await this.#changes.start();
    return this.#cache.get(id, async () => {
      const document = await this.documents.get<TenantRecord>(tenantPath(id));
      return document && tenantOf(document);
    });
  }

  /** All tenants by id, read anew and completely. */
  async list(): Promise<Tenant[]> {
    const tenants: Tenant[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.documents.query<TenantRecord>({ from: { collection: 'tenants' }, limit: 1000, cursor });
      tenants.push(...page.items.map(tenantOf).filter((tenant) => tenant !== undefined));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return tenants;
  }

  /** Those that were removed and left something behind, by id, with when that was (epoch milliseconds). */
  async removed(): Promise<RemovedTenant[]> {
    const removed: RemovedTenant[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.documents.query<TenantRecord>({
        from: { collection: 'tenants' },
        where: { status: 'removed' },
        limit: 1000,
        cursor,
      });
      for (const { id, data } of page.items) {
        removed.push({ id: id as TenantId, plan: data.spec.plan, removedAt: Date.parse(data.changedAt) });
      }
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return removed;
  }

  /** Stops watching for changes. */
  close(): void {
    this.#changes.close();
  }
}
