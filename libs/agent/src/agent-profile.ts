import type { TenantId } from '@rockpool/contracts';
import type { ModelKeys } from '@rockpool/models';
import type { AgentSettings } from '@rockpool/tenancy';

/** What the runtime needs to know of a tenant: its settings, and the keys they refer to as values. */
export interface AgentProfile {
  /** How the tenant is called among people. */
  readonly tenantName: string;
  readonly settings: Pick<AgentSettings, 'model' | 'instructions'>;
  /** The tenant's own keys. Empty: the platform's are used. */
  readonly keys: ModelKeys;
  /** Nothing new may be begun for it. */
  readonly suspended?: boolean;
  /** IANA name of the tenant's time zone. Default UTC. */
  readonly timeZone?: string;
}

/** Where profiles come from. Asked once a turn, so that a changed setting is used by the next message. */
export interface AgentProfiles {
  get(tenantId: TenantId): Promise<AgentProfile>;
}
