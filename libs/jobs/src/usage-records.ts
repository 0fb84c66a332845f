import type { Documents } from '@rockpool/cloud';
import type { TenantId } from '@rockpool/contracts';

/** What one model was used for. Cost in US dollars, of those turns whose model has a known price. */
export interface ModelUsage {
  readonly turns: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costUsd: number;
}

/**
 * What a tenant used on one day (UTC), at `tenants/{t}/usage/{day}`: a sum over turns that came that day and jobs that ended that day, and nothing that they do not say. Jobs
 * have tokens and money of all their models together, those of builders in their manager's; one that a person has go on ends, and counts, again.
 */
export interface UsageRecord {
  readonly tenantId: TenantId;
  /** `2026-11-30`. */
  readonly day: string;
  /** Answered by an agent, commands and what was dropped not among them. */
  readonly turns: number;
  readonly jobs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly jobTokens: number;
  /** Of turns and jobs. */
  readonly costUsd: number;
  readonly models: Readonly<Record<string, ModelUsage>>;
  /** Epoch milliseconds. */
  readonly computedAt: number;
}

/** How far the roll-up came, at `upkeep/usage`. */
export interface UsageProgress {
  /** The last day whose sums are final. */
  readonly through: string;
}

export const usagePaths = {
  days: (tenantId: TenantId) => `tenants/${tenantId}/usage`,
  day: (tenantId: TenantId, day: string) => `tenants/${tenantId}/usage/${day}`,
  progress: 'upkeep/usage',
} as const;

/** What the tenant used on its latest days, newest first; a day on which nothing was used has none. Today is as of the last full hour or so. */
export async function usageOf(documents: Documents, tenantId: TenantId, days: number): Promise<UsageRecord[]> {
  const { items } = await documents.query<UsageRecord>({
    from: { collection: usagePaths.days(tenantId) },
    orderBy: { field: 'day', direction: 'desc' },
    limit: days,
  });
  return items.map(({ data }) => data);
}
