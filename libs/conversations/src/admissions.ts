import type { InboundMessage, TenantId } from '@rockpool/contracts';
import type { Documents } from '@rockpool/cloud';
import { admit, peersOf, type Routes, type Tenant, type Tenants } from '@rockpool/tenancy';
import { commandOf } from './commands.js';
import { MessageLimits } from './message-limits.js';
import { rateLimitNotice } from './notices.js';
import { paths, unrouted, type TurnRecord } from './records.js';

/** What becomes of an event. `notice` is what the person is to be told, in Markdown; only where it helps, and never a stranger. */
export type Decision =
  | { readonly kind: 'run'; readonly tenant: Tenant }
  | { readonly kind: 'dropped' | 'recorded'; readonly tenantId: TenantId; readonly reason: string; readonly notice?: string };

/** Decides what becomes of an event: its tenant, the tenant's policy, then the limits. */
export class Admissions {
  private readonly limits: MessageLimits;

  constructor(
    private readonly documents: Documents,
    private readonly tenants: Pick<Tenants, 'get'>,
    private readonly routes: Pick<Routes, 'resolve'>,
    now: () => number = Date.now,
  ) {
    this.limits = new MessageLimits(documents, now);
  }

  async decide(message: InboundMessage): Promise<Decision> {
    const tenantId = message.tenantId ?? (await this.route(message));
    const tenant = tenantId && (await this.tenants.get(tenantId));
    if (!tenant) return dropped(unrouted, 'unknown-tenant');
    const admission = admit(tenant, message);
    if (admission.kind === 'record') return { kind: 'recorded', tenantId: tenant.id, reason: admission.reason };
    if (admission.kind === 'drop') return dropped(tenant.id, admission.reason);
    // Whoever has said too much may still stop what came of it.
    if (commandOf(message.text) === 'stop') return { kind: 'run', tenant };
    // A delivery that is repeated goes on from where the first one stood.
    const known = (await this.documents.get<TurnRecord>(paths.turn(tenant.id, message.eventId)))?.data;
    if (known?.state === 'dropped') return dropped(tenant.id, known.reason ?? '', known.notice);
    if (known) return { kind: 'run', tenant };
    const excess = await this.limits.excess(tenant, message);
    if (!excess) return { kind: 'run', tenant };
    return dropped(tenant.id, 'rate-limited', rateLimitNotice(excess));
  }

  private route(message: InboundMessage): Promise<TenantId | undefined> {
    const { channel, account } = message.target;
    return this.routes.resolve({ channel, account, peers: peersOf(message) });
  }
}

function dropped(tenantId: TenantId, reason: string, notice?: string): Decision {
  return { kind: 'dropped', tenantId, reason, ...(notice && { notice }) };
}
