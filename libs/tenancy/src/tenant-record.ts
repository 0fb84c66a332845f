import { TerminalError, type TenantId } from '@rockpool/contracts';
import type { Document, IndexDeclaration } from '@rockpool/cloud';
import { tenantSpec, type AlertSettings, type SharedSettings, type Tenant, type TenantSpec } from './tenant.js';

/** What is stored at `tenants/{t}`. A removed tenant keeps its record, and its data for `removedKeptDays`, so that adding it again within that time brings everything back. */
export interface TenantRecord {
  readonly spec: TenantSpec;
  readonly status: 'active' | 'removed';
  /** ISO 8601. Watchers see changes by it. */
  readonly changedAt: string;
  /** Ids of the `routes/…` documents this tenant holds. */
  readonly routes: readonly string[];
}

/** What is stored at `platform/settings`. */
export interface PlatformRecord {
  readonly shared: SharedSettings;
  /** Absent in what was written before 0.2, and where nobody is told. */
  readonly alerts?: AlertSettings;
}

/** What is stored at `routes/{r}`. */
export interface RouteRecord {
  readonly tenantId: TenantId;
}

export const platformPath = 'platform/settings';
export const tenantPath = (tenantId: TenantId): string => `tenants/${tenantId}`;
export const routePath = (routeId: string): string => `routes/${routeId}`;

/** The indexes the queries of this library need; engines are opened with them. */
export const tenancyIndexes: readonly IndexDeclaration[] = [{ collection: 'tenants', scope: 'collection', fields: ['changedAt'] }];

/** The tenant of a stored record; `undefined` when it was removed. Throws `TerminalError` when the record makes no sense to this version. */
export function tenantOf(document: Document<TenantRecord>): Tenant | undefined {
  if (document.data.status === 'removed') return undefined;
  return { id: document.id as TenantId, spec: readSpec(document.id, document.data.spec), version: document.version };
}

/**
 * Settings that a newer version stored and this one does not know are left out, so that a rollback keeps every tenant running. (In the file,
 * where they are a person's typing mistake, they are refused.)
 */
function readSpec(id: string, stored: unknown): TenantSpec {
  const spec = structuredClone(stored);
  for (;;) {
    const result = tenantSpec.safeParse(spec);
    if (result.success) return result.data;
    const unknown = result.error.issues.filter((issue) => issue.code === 'unrecognized_keys');
    if (unknown.length === 0) throw new TerminalError(`the stored settings of tenant ${id} cannot be read`, { cause: result.error });
    for (const issue of unknown) {
      const holder = issue.path.reduce<unknown>((value, part) => (value as Record<PropertyKey, unknown>)[part], spec);
      for (const key of issue.keys) delete (holder as Record<string, unknown>)[key];
    }
  }
}
