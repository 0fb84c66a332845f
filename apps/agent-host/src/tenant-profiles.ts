import type { AgentProfile, AgentProfiles } from '@rockpool/agent';
import { NotFound, type TenantId } from '@rockpool/contracts';
import type { Credentials, Tenants } from '@rockpool/tenancy';

/** Profiles of the tenants as they are applied now, with the keys their settings refer to. */
export class TenantProfiles implements AgentProfiles {
  constructor(
    private readonly tenants: Tenants,
    private readonly credentials: Credentials,
  ) {}

  async get(tenantId: TenantId): Promise<AgentProfile> {
    const tenant = await this.tenants.get(tenantId);
    if (!tenant) throw new NotFound(`tenant ${tenantId} was removed`);
    const { displayName, agent, suspended, timeZone } = tenant.spec;
    const keys = await this.credentials.modelKeys(tenantId);
    return { tenantName: displayName ?? tenantId, settings: agent, keys, suspended, ...(timeZone && { timeZone }) };
  }
}
