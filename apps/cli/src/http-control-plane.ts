import type { SecretName, StoredSpan } from '@rockpool/cloud';
import {
  ControlPlane,
  type ApplyRequest,
  type BulkOperation,
  type BulkPlan,
  type BulkRequest,
  type ChatLink,
  type Check,
  type DeadLetterSummary,
  type JobControl,
  type PlatformStatus,
  type ScheduleAction,
  type ScheduleDetails,
  type SchedulePage,
  type TenantDetails,
  type TenantSummary,
  type TurnDetails,
  type TurnPage,
  type UsageRecord,
  type WebhookRegistration,
} from '@rockpool/console';
import type { EventId, ScheduleId, TenantId } from '@rockpool/contracts';
import type { InboxFilter, TurnRecord } from '@rockpool/conversations';
import type { Plan, TenantSchedule } from '@rockpool/tenancy';
import { ConsoleApi, path } from './console-api.js';
import { HttpJobControl } from './http-job-control.js';

/** The control plane of a running instance, over its HTTP API. Failures keep the code and words they had there; no answer is `unavailable`. */
export class HttpControlPlane extends ControlPlane {
  override readonly jobs: JobControl;
  readonly #api: ConsoleApi;

  constructor(url: string, adminToken: string) {
    super();
    this.#api = new ConsoleApi(url, adminToken);
    this.jobs = new HttpJobControl(this.#api);
  }

  override plan(request: ApplyRequest): Promise<Plan> {
    return this.#api.send('apply', { method: 'POST', body: { ...request, dryRun: true } });
  }

  override apply(request: ApplyRequest, confirmed?: string): Promise<Plan> {
    return this.#api.send('apply', { method: 'POST', body: { ...request, confirmed } });
  }

  override tenants(): Promise<TenantSummary[]> {
    return this.#api.items('tenants');
  }

  override tenant(id: TenantId): Promise<TenantDetails> {
    return this.#api.send(path`tenants/${id}`);
  }

  override usage(id: TenantId, days: number): Promise<UsageRecord[]> {
    return this.#api.items(path`tenants/${id}/usage`, { query: { days } });
  }

  override async setSecret({ tenant, field }: SecretName, value: string): Promise<void> {
    await this.#api.send(path`tenants/${tenant}/secrets/${field}`, { method: 'PUT', body: { value } });
  }

  override chatLink(id: TenantId, options: { lifetimeMs?: number } = {}): Promise<ChatLink> {
    return this.#api.send(path`tenants/${id}/chat-links`, { method: 'POST', body: options });
  }

  override registerWebhooks(publicUrl?: string): Promise<WebhookRegistration[]> {
    return this.#api.items('webhooks', { method: 'POST', body: { publicUrl } });
  }

  override inbox({ tenantId, conversationId, state, before, limit, cursor }: InboxFilter): Promise<TurnPage> {
    return this.#api.send('inbox', {
      query: { tenant: tenantId, conversation: conversationId, state, olderThanMs: olderThan(before), limit, cursor },
    });
  }

  override turn(tenantId: TenantId, eventId: EventId): Promise<TurnDetails> {
    return this.#api.send(path`inbox/${tenantId}/${eventId}`);
  }

  override replay(tenantId: TenantId, eventId: EventId): Promise<TurnRecord> {
    return this.#api.send(path`inbox/${tenantId}/${eventId}/replay`, { method: 'POST' });
  }

  override discard(tenantId: TenantId, eventId: EventId): Promise<TurnRecord> {
    return this.#api.send(path`inbox/${tenantId}/${eventId}/discard`, { method: 'POST' });
  }

  override planBulk(request: BulkRequest): Promise<BulkPlan> {
    return this.#api.send('operations/plan', { method: 'POST', body: bulkBody(request) });
  }

  override beginBulk(request: BulkRequest): Promise<BulkOperation> {
    return this.#api.send('operations', { method: 'POST', body: bulkBody(request) });
  }

  override operations(): Promise<BulkOperation[]> {
    return this.#api.items('operations');
  }

  override operation(id: string): Promise<BulkOperation> {
    return this.#api.send(path`operations/${id}`);
  }

  override cancelOperation(id: string): Promise<BulkOperation> {
    return this.#api.send(path`operations/${id}/cancel`, { method: 'POST' });
  }

  override allSchedules(page: { limit?: number; cursor?: string } = {}): Promise<SchedulePage> {
    return this.#api.send('schedules', { query: page });
  }

  override schedules(tenantId: TenantId): Promise<ScheduleDetails[]> {
    return this.#api.items(path`tenants/${tenantId}/schedules`);
  }

  override putSchedule(tenantId: TenantId, id: ScheduleId, title: string, schedule: TenantSchedule): Promise<ScheduleDetails> {
    return this.#api.send(path`tenants/${tenantId}/schedules/${id}`, { method: 'PUT', body: { title, schedule } });
  }

  override changeSchedule(tenantId: TenantId, id: ScheduleId, action: ScheduleAction): Promise<ScheduleDetails> {
    return this.#api.send(path`tenants/${tenantId}/schedules/${id}/${action}`, { method: 'POST' });
  }

  override async removeSchedule(tenantId: TenantId, id: ScheduleId): Promise<void> {
    await this.#api.send(path`tenants/${tenantId}/schedules/${id}`, { method: 'DELETE' });
  }

  override async runSchedule(tenantId: TenantId, id: ScheduleId, requestId: string): Promise<EventId> {
    return (
      await this.#api.send<{ eventId: EventId }>(path`tenants/${tenantId}/schedules/${id}/run`, { method: 'POST', body: { requestId } })
    ).eventId;
  }

  override deadLetters(): Promise<(DeadLetterSummary & { subscription: string })[]> {
    return this.#api.items('dead-letters');
  }

  override async replayDeadLetters(): Promise<number> {
    return (await this.#api.send<{ replayed: number }>('dead-letters/replay', { method: 'POST' })).replayed;
  }

  override trace(id: string): Promise<StoredSpan[]> {
    return this.#api.items(path`traces/${id}`);
  }

  override status(): Promise<PlatformStatus> {
    return this.#api.send('status');
  }

  override checks({ network }: { network: boolean }): Promise<Check[]> {
    return this.#api.items('checks', { query: { network } });
  }
}

function bulkBody({ action, state, tenantId, conversationId, before }: BulkRequest): object {
  return { action, state, tenant: tenantId, conversation: conversationId, olderThanMs: olderThan(before) };
}

/** Ages, not times, so that two clocks need not agree. */
function olderThan(before: number | undefined): number | undefined {
  return before === undefined ? undefined : Math.max(0, Date.now() - before);
}
