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
  type PlatformStatus,
  type ScheduleAction,
  type ScheduleDetails,
  type TenantDetails,
  type TenantSummary,
  type TurnDetails,
  type TurnPage,
  type UsageRecord,
  type WebhookRegistration,
} from '@rockpool/console';
import { errorCodes, RockpoolError, type ErrorCode, type EventId, type Problem, type ScheduleId, type TenantId } from '@rockpool/contracts';
import type { InboxFilter, TurnRecord } from '@rockpool/conversations';
import type { Plan, TenantSchedule } from '@rockpool/tenancy';

interface Request {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: object;
}

/** Looking at thousands of bots takes its time; nothing else here does. */
const timeoutMs = 120_000;

/** The control plane of a running instance, over its HTTP API. Failures keep the code and words they had there; no answer is `unavailable`. */
export class HttpControlPlane extends ControlPlane {
  constructor(
    private readonly url: string,
    private readonly adminToken: string,
  ) {
    super();
  }

  override plan(request: ApplyRequest): Promise<Plan> {
    return this.#send('apply', { method: 'POST', body: { ...request, dryRun: true } });
  }

  override apply(request: ApplyRequest, confirmed?: string): Promise<Plan> {
    return this.#send('apply', { method: 'POST', body: { ...request, confirmed } });
  }

  override tenants(): Promise<TenantSummary[]> {
    return this.#items('tenants');
  }

  override tenant(id: TenantId): Promise<TenantDetails> {
    return this.#send(path`tenants/${id}`);
  }

  override usage(id: TenantId, days: number): Promise<UsageRecord[]> {
    return this.#items(path`tenants/${id}/usage`, { query: { days } });
  }

  override async setSecret({ tenant, field }: SecretName, value: string): Promise<void> {
    await this.#send(path`tenants/${tenant}/secrets/${field}`, { method: 'PUT', body: { value } });
  }

  override chatLink(id: TenantId, options: { lifetimeMs?: number } = {}): Promise<ChatLink> {
    return this.#send(path`tenants/${id}/chat-links`, { method: 'POST', body: options });
  }

  override registerWebhooks(publicUrl?: string): Promise<WebhookRegistration[]> {
    return this.#items('webhooks', { method: 'POST', body: { publicUrl } });
  }

  override inbox({ tenantId, conversationId, state, before, limit, cursor }: InboxFilter): Promise<TurnPage> {
    return this.#send('inbox', {
      query: { tenant: tenantId, conversation: conversationId, state, olderThanMs: olderThan(before), limit, cursor },
    });
  }

  override turn(tenantId: TenantId, eventId: EventId): Promise<TurnDetails> {
    return this.#send(path`inbox/${tenantId}/${eventId}`);
  }

  override replay(tenantId: TenantId, eventId: EventId): Promise<TurnRecord> {
    return this.#send(path`inbox/${tenantId}/${eventId}/replay`, { method: 'POST' });
  }

  override discard(tenantId: TenantId, eventId: EventId): Promise<TurnRecord> {
    return this.#send(path`inbox/${tenantId}/${eventId}/discard`, { method: 'POST' });
  }

  override planBulk(request: BulkRequest): Promise<BulkPlan> {
    return this.#send('operations/plan', { method: 'POST', body: bulkBody(request) });
  }

  override beginBulk(request: BulkRequest): Promise<BulkOperation> {
    return this.#send('operations', { method: 'POST', body: bulkBody(request) });
  }

  override operations(): Promise<BulkOperation[]> {
    return this.#items('operations');
  }

  override operation(id: string): Promise<BulkOperation> {
    return this.#send(path`operations/${id}`);
  }

  override cancelOperation(id: string): Promise<BulkOperation> {
    return this.#send(path`operations/${id}/cancel`, { method: 'POST' });
  }

  override schedules(tenantId: TenantId): Promise<ScheduleDetails[]> {
    return this.#items(path`tenants/${tenantId}/schedules`);
  }

  override putSchedule(tenantId: TenantId, id: ScheduleId, title: string, schedule: TenantSchedule): Promise<ScheduleDetails> {
    return this.#send(path`tenants/${tenantId}/schedules/${id}`, { method: 'PUT', body: { title, schedule } });
  }

  override changeSchedule(tenantId: TenantId, id: ScheduleId, action: ScheduleAction): Promise<ScheduleDetails> {
    return this.#send(path`tenants/${tenantId}/schedules/${id}/${action}`, { method: 'POST' });
  }

  override async removeSchedule(tenantId: TenantId, id: ScheduleId): Promise<void> {
    await this.#send(path`tenants/${tenantId}/schedules/${id}`, { method: 'DELETE' });
  }

  override async runSchedule(tenantId: TenantId, id: ScheduleId, requestId: string): Promise<EventId> {
    return (await this.#send<{ eventId: EventId }>(path`tenants/${tenantId}/schedules/${id}/run`, { method: 'POST', body: { requestId } }))
      .eventId;
  }

  override deadLetters(): Promise<(DeadLetterSummary & { subscription: string })[]> {
    return this.#items('dead-letters');
  }

  override async replayDeadLetters(): Promise<number> {
    return (await this.#send<{ replayed: number }>('dead-letters/replay', { method: 'POST' })).replayed;
  }

  override trace(id: string): Promise<StoredSpan[]> {
    return this.#items(path`traces/${id}`);
  }

  override status(): Promise<PlatformStatus> {
    return this.#send('status');
  }

  override checks({ network }: { network: boolean }): Promise<Check[]> {
    return this.#items('checks', { query: { network } });
  }

  async #items<Item>(route: string, request?: Request): Promise<Item[]> {
    return (await this.#send<{ items: Item[] }>(route, request)).items;
  }

  async #send<Answer>(route: string, { method = 'GET', query = {}, body }: Request = {}): Promise<Answer> {
    const url = new URL(`${this.url}/api/v1/${route}`);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
    const headers = { authorization: `Bearer ${this.adminToken}`, ...(body && { 'content-type': 'application/json' }) };
    const request = { method, headers, signal: AbortSignal.timeout(timeoutMs), ...(body && { body: JSON.stringify(body) }) };
    const response = await fetch(url, request).catch((cause: unknown) => {
      throw new RockpoolError('unavailable', `${this.url} does not answer`, { cause });
    });
    if (!response.ok) throw await this.#failure(response);
    return (response.status === 204 ? undefined : await response.json()) as Answer;
  }

  async #failure(response: Response): Promise<RockpoolError> {
    const text = await response.text();
    const problem = response.headers.get('content-type')?.includes('json') ? (JSON.parse(text) as Partial<Problem>) : {};
    const code: ErrorCode = problem.code !== undefined && problem.code in errorCodes ? problem.code : 'unavailable';
    const where = `${this.url} answered ${response.status}`;
    if (code === 'unauthenticated') return new RockpoolError(code, `${this.url} refuses the admin token; is it another installation's?`);
    return new RockpoolError(code, problem.detail ?? where);
  }
}

function bulkBody({ action, state, tenantId, conversationId, before }: BulkRequest): object {
  return { action, state, tenant: tenantId, conversation: conversationId, olderThanMs: olderThan(before) };
}

/** Ages, not times, so that two clocks need not agree. */
function olderThan(before: number | undefined): number | undefined {
  return before === undefined ? undefined : Math.max(0, Date.now() - before);
}

/** A path with its values escaped: event ids hold characters that mean something in a URL. */
function path(parts: TemplateStringsArray, ...values: string[]): string {
  return String.raw({ raw: parts }, ...values.map(encodeURIComponent));
}
