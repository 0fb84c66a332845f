import type { WebSessions } from '@rockpool/channels';
import type { Cloud, SecretName, StoredSpan, TraceReader } from '@rockpool/cloud';
import {
  Conflict,
  InvalidInput,
  NotFound,
  platformOwner,
  subscriptions,
  type EventId,
  type ScheduleId,
  type TenantId,
} from '@rockpool/contracts';
import type { Inbox, InboxFilter, TurnRecord, Wakes } from '@rockpool/conversations';
import { usageOf, type Jobs, type ScheduleRecord, type Schedules, type UsageRecord } from '@rockpool/jobs';
import { Alerts, type PlatformConfig } from '@rockpool/service';
import {
  AuditLog,
  BotNames,
  TenantDirectory,
  TenantSecrets,
  type Credentials,
  type Plan,
  type Tenants,
  type TenantSchedule,
} from '@rockpool/tenancy';
import { FileSchedules, scheduleProblems, wishOf, type BulkOperation, type BulkPlan, type BulkRequest } from '@rockpool/platform';
import { BulkOperations } from './bulk-operations.js';
import {
  ControlPlane,
  digestOf,
  type ApplyRequest,
  type ChatLink,
  type Check,
  type DeadLetterSummary,
  type PlatformStatus,
  type ScheduleAction,
  type ScheduleDetails,
  type SchedulePage,
  type TenantDetails,
  type TenantSummary,
  type TurnDetails,
  type TurnPage,
  type WebhookRegistration,
} from './control-plane.js';
import { endpointsOf } from './endpoints.js';
import type { JobControl } from './job-control.js';
import { LocalJobControl } from './local-job-control.js';
import { PlatformChecks } from './platform-checks.js';
import { TelegramBots } from './telegram-bots.js';

/** Audit entries shown with a tenant. */
const auditShown = 20;
const countLimit = 1000;
/** Times to come that are shown of a schedule. */
const runsShown = 5;
/** Tenants whose schedules are brought into line at a time. */
const alignedAtOnce = 16;

/** What the control plane works with: the open engine and the parts the apps share. */
export interface ControlPlaneParts {
  readonly cloud: Cloud;
  readonly tenants: Tenants;
  readonly credentials: Credentials;
  readonly inbox: Inbox;
  readonly wakes: Wakes;
  readonly schedules: Schedules;
  readonly jobs: Jobs;
  readonly sessions: WebSessions;
  /** Absent where traces are kept elsewhere only. */
  readonly traces?: TraceReader;
  readonly config: PlatformConfig;
  readonly version: string;
  readonly startedAt: Date;
  /** Who the audit log says it was: `console`, `cli`. */
  readonly actor: string;
}

/** The control plane of this process. */
export class LocalControlPlane extends ControlPlane {
  override readonly jobs: JobControl;
  readonly #directory: TenantDirectory;
  readonly #secrets: TenantSecrets;
  readonly #audit: AuditLog;
  readonly #alerts: Alerts;
  readonly #bulk: BulkOperations;
  readonly #bots: TelegramBots;
  readonly #checks: PlatformChecks;

  constructor(private readonly parts: ControlPlaneParts) {
    super();
    const { cloud, config } = parts;
    this.#directory = new TenantDirectory(cloud.documents, cloud.secrets);
    this.#secrets = new TenantSecrets(cloud.documents, cloud.secrets);
    this.#audit = new AuditLog(cloud.documents);
    this.jobs = new LocalJobControl(parts.jobs, parts.tenants, this.#audit, parts.actor);
    this.#alerts = new Alerts(cloud.documents);
    this.#bulk = new BulkOperations(cloud.documents, parts.inbox, parts.actor);
    this.#bots = new TelegramBots(parts.tenants, parts.credentials, new BotNames(cloud.documents), config);
    this.#checks = new PlatformChecks(this, parts, this.#bots);
  }

  override plan({ file, secrets }: ApplyRequest): Promise<Plan> {
    return this.#directory.plan(file, secrets, scheduleProblems(file));
  }

  override async apply(request: ApplyRequest, confirmed?: string): Promise<Plan> {
    const plan = await this.plan(request);
    if (confirmed !== undefined && digestOf(plan) !== confirmed) {
      throw new Conflict('something changed since this plan was made: look at the new plan');
    }
    await this.#directory.apply(plan, this.parts.actor);
    await this.#alignSchedules(request, plan);
    return plan;
  }

  override async tenants(): Promise<TenantSummary[]> {
    return (await this.parts.tenants.list()).map(({ id, spec }) => ({
      id,
      ...(spec.displayName !== undefined && { displayName: spec.displayName }),
      plan: spec.plan,
      suspended: spec.suspended,
      model: spec.agent.model,
      channels: endpointsOf(id, spec).map(({ channel }) => channel),
    }));
  }

  override async tenant(id: TenantId): Promise<TenantDetails> {
    const tenant = await this.#tenant(id);
    const fields = await this.parts.cloud.secrets.list(id);
    const { entries, intact } = await this.#audit.read(id);
    return {
      id,
      version: tenant.version,
      spec: tenant.spec,
      endpoints: endpointsOf(id, tenant.spec),
      secrets: await Promise.all(fields.map((field) => this.#secret(id, field))),
      audit: entries.slice(-auditShown),
      auditIntact: intact,
    };
  }

  override async usage(id: TenantId, days: number): Promise<UsageRecord[]> {
    await this.#tenant(id);
    return usageOf(this.parts.cloud.documents, id, days);
  }

  override async setSecret(name: SecretName, value: string): Promise<void> {
    await this.#secrets.set(name, value, this.parts.actor);
  }

  override async chatLink(id: TenantId, options: { lifetimeMs?: number } = {}): Promise<ChatLink> {
    const { spec } = await this.#tenant(id);
    if (!spec.channels.web) throw new Conflict(`tenant ${id} has no web chat: give it channels: { web: {} }`);
    if (spec.channels.web.access === 'public') return { path: `/chat/${id}` };
    const link = await this.parts.sessions.mintLink(id, options);
    await this.#audit.record(id, { actor: this.parts.actor, action: 'chat-link', subjects: [link.expiresAt.toISOString()] });
    return { path: link.path, expiresAt: link.expiresAt.toISOString() };
  }

  override async registerWebhooks(publicUrl = this.parts.config.ROCKPOOL_PUBLIC_URL): Promise<WebhookRegistration[]> {
    if (publicUrl === undefined) throw new InvalidInput('set ROCKPOOL_PUBLIC_URL: Telegram has to be told where to deliver');
    return this.#bots.registerWebhooks(publicUrl);
  }

  override inbox(filter: InboxFilter): Promise<TurnPage> {
    return this.parts.inbox.list(filter);
  }

  override turn(tenantId: TenantId, eventId: EventId): Promise<TurnDetails> {
    return this.parts.inbox.get(tenantId, eventId);
  }

  /** A crash before the wake is repaired by the dispatcher, which looks after turns that stay open. */
  override async replay(tenantId: TenantId, eventId: EventId): Promise<TurnRecord> {
    const turn = await this.parts.inbox.replay(tenantId, eventId);
    await this.parts.wakes.wake(tenantId, turn.conversationId);
    await this.#audit.record(tenantId, { actor: this.parts.actor, action: 'replay', subjects: [eventId] });
    return turn;
  }

  override async discard(tenantId: TenantId, eventId: EventId): Promise<TurnRecord> {
    const turn = await this.parts.inbox.discard(tenantId, eventId);
    // What came after the discarded turn may have been waiting for it.
    await this.parts.wakes.wake(tenantId, turn.conversationId);
    await this.#audit.record(tenantId, { actor: this.parts.actor, action: 'discard', subjects: [eventId] });
    return turn;
  }

  override planBulk(request: BulkRequest): Promise<BulkPlan> {
    return this.#bulk.plan(request);
  }

  override beginBulk(request: BulkRequest): Promise<BulkOperation> {
    return this.#bulk.begin(request);
  }

  override operations(): Promise<BulkOperation[]> {
    return this.#bulk.list();
  }

  override operation(id: string): Promise<BulkOperation> {
    return this.#bulk.get(id);
  }

  override cancelOperation(id: string): Promise<BulkOperation> {
    return this.#bulk.cancel(id);
  }

  override async allSchedules(page?: { limit?: number; cursor?: string }): Promise<SchedulePage> {
    const { items, nextCursor } = await this.parts.schedules.listAll(page);
    return { items: items.map((schedule) => this.#details(schedule)), ...(nextCursor !== undefined && { nextCursor }) };
  }

  override async schedules(tenantId: TenantId): Promise<ScheduleDetails[]> {
    if (tenantId !== platformOwner) await this.#tenant(tenantId);
    const found: ScheduleRecord[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.parts.schedules.list(tenantId, { limit: 1000, ...(cursor && { cursor }) });
      found.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor);
    return found.sort((one, other) => one.number - other.number).map((schedule) => this.#details(schedule));
  }

  override async putSchedule(tenantId: TenantId, id: ScheduleId, title: string, schedule: TenantSchedule): Promise<ScheduleDetails> {
    const { spec } = await this.#tenant(tenantId);
    const record = await this.parts.schedules.put(tenantId, id, wishOf(title, schedule, spec, this.parts.actor));
    await this.#recordSchedule(tenantId, 'put', id);
    return this.#details(record);
  }

  override async changeSchedule(tenantId: TenantId, id: ScheduleId, action: ScheduleAction): Promise<ScheduleDetails> {
    const record = await this.parts.schedules[action](tenantId, id);
    await this.#recordSchedule(tenantId, action, id);
    return this.#details(record);
  }

  override async removeSchedule(tenantId: TenantId, id: ScheduleId): Promise<void> {
    if (tenantId === platformOwner) throw new InvalidInput('upkeep of the platform is not removed: pause it');
    await this.parts.schedules.remove(tenantId, id);
    await this.#recordSchedule(tenantId, 'remove', id);
  }

  override async runSchedule(tenantId: TenantId, id: ScheduleId, requestId: string): Promise<EventId> {
    const eventId = await this.parts.schedules.runNow(tenantId, id, requestId, new AbortController().signal);
    await this.#recordSchedule(tenantId, 'run', id);
    return eventId;
  }

  override async deadLetters(): Promise<(DeadLetterSummary & { subscription: string })[]> {
    const pages = Object.values(subscriptions).map(async ({ name: subscription }) => {
      const { items } = await this.parts.cloud.bus.deadLetters(subscription, { limit: countLimit });
      return items.map(({ messageId, attributes, attempts, reason, deadAt }) => {
        return { subscription, messageId, attributes, attempts, reason, deadAt: deadAt.toISOString() };
      });
    });
    return (await Promise.all(pages)).flat();
  }

  override async replayDeadLetters(): Promise<number> {
    const counts = Object.values(subscriptions).map(({ name }) => this.parts.cloud.bus.replayDeadLetters(name));
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  }

  override async trace(id: string): Promise<StoredSpan[]> {
    if (!this.parts.traces) throw new NotFound('this engine keeps no traces: look where OTEL_EXPORTER_OTLP_ENDPOINT points');
    return this.parts.traces.find(id);
  }

  override async status(): Promise<PlatformStatus> {
    const { cloud, config, inbox, tenants, version, startedAt } = this.parts;
    const stats = Object.values(subscriptions).map(async ({ name }) => ({ name, ...(await cloud.bus.stats(name)) }));
    const engineProblem = await cloud.check();
    return {
      version,
      node: process.version,
      engine: config.ROCKPOOL_ENGINE,
      startedAt: startedAt.toISOString(),
      uptimeMs: Date.now() - startedAt.getTime(),
      ...(engineProblem !== undefined && { engineProblem }),
      ...(config.ROCKPOOL_PUBLIC_URL !== undefined && { publicUrl: config.ROCKPOOL_PUBLIC_URL }),
      subscriptions: await Promise.all(stats),
      alerts: await this.#alerts.list(),
      tenants: (await tenants.list()).length,
      quarantined: (await inbox.list({ state: 'quarantined', limit: countLimit })).items.length,
    };
  }

  override checks(options: { network: boolean }): Promise<Check[]> {
    return this.#checks.run(options);
  }

  async #secret(tenant: TenantId, field: string): Promise<TenantDetails['secrets'][number]> {
    const versions = await this.parts.cloud.secrets.versions({ tenant, field });
    const enabled = versions.filter(({ state }) => state === 'enabled').sort((a, b) => b.version - a.version)[0];
    return enabled ? { field, version: enabled.version, storedAt: enabled.createdAt.toISOString() } : { field, version: 0 };
  }

  #details(schedule: ScheduleRecord): ScheduleDetails {
    return { ...schedule, nextRuns: this.parts.schedules.nextRuns(schedule, runsShown) };
  }

  async #recordSchedule(tenantId: TenantId, what: string, id: ScheduleId): Promise<void> {
    await this.#audit.record(tenantId, { actor: this.parts.actor, action: `schedule-${what}`, subjects: [id] });
  }

  /** Those that have schedules, also where nothing changed: an earlier apply may have died before this. */
  async #alignSchedules({ file }: ApplyRequest, { changes }: Plan): Promise<void> {
    const schedules = new FileSchedules(this.parts.schedules);
    const described = Object.keys(file.tenants).filter((id) => file.tenants[id as TenantId]?.schedules);
    const ids = [...new Set([...changes.map(({ id }) => id), ...(described as TenantId[])])];
    const work = async () => {
      for (let id = ids.pop(); id !== undefined; id = ids.pop()) await schedules.apply(id, file.tenants[id]);
    };
    await Promise.all(Array.from({ length: alignedAtOnce }, work));
  }

  async #tenant(id: TenantId) {
    const tenant = await this.parts.tenants.get(id);
    if (!tenant) throw new NotFound(`there is no tenant ${id}`);
    return tenant;
  }
}
