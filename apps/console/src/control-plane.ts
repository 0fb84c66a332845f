import { createHash } from 'node:crypto';
import type { DeadLetter, SecretName, StoredSpan, SubscriptionStats } from '@rockpool/cloud';
import type { EventId, ScheduleId, TenantId } from '@rockpool/contracts';
import type { InboxFilter, ReplyRecord, TurnRecord } from '@rockpool/conversations';
import type { ScheduleRecord, UsageRecord } from '@rockpool/jobs';
import type { BulkOperation, BulkPlan, BulkRequest } from '@rockpool/platform';
import type { Alert } from '@rockpool/service';
import type { AuditEntry, Plan, TenantSchedule, TenantsFile, TenantSpec } from '@rockpool/tenancy';
import type { JobControl } from './job-control.js';

export type { UsageRecord } from '@rockpool/jobs';

/** What an operator wants to be true, with the values of the secrets that are not stored yet, by `owner/field`. */
export interface ApplyRequest {
  readonly file: TenantsFile;
  readonly secrets: Readonly<Record<string, string>>;
}

export interface TenantSummary {
  readonly id: TenantId;
  readonly displayName?: string;
  readonly plan: string;
  readonly suspended: boolean;
  readonly model: string;
  readonly channels: readonly string[];
}

/** A tenant as an operator sees it: settings with references in place of secrets, never a value. */
export interface TenantDetails {
  readonly id: TenantId;
  readonly version: string;
  readonly spec: TenantSpec;
  /** Paths below the public URL at which its channels deliver and people chat. */
  readonly endpoints: readonly { readonly channel: string; readonly path: string }[];
  /** `version` is the newest enabled one, 0 when all are disabled. Stored when: ISO 8601. */
  readonly secrets: readonly { readonly field: string; readonly version: number; readonly storedAt?: string }[];
  /** The latest entries, oldest first. `auditIntact` is false when somebody has tampered with the log. */
  readonly audit: readonly AuditEntry[];
  readonly auditIntact: boolean;
}

export interface TurnDetails {
  readonly turn: TurnRecord;
  readonly replies: readonly ReplyRecord[];
}

export interface TurnPage {
  readonly items: readonly TurnRecord[];
  readonly nextCursor?: string;
}

export interface PlatformStatus {
  readonly version: string;
  readonly node: string;
  readonly engine: string;
  readonly startedAt: string;
  readonly uptimeMs: number;
  /** `undefined` when the engine is well. */
  readonly engineProblem?: string;
  /** Where channels reach this installation; absent when nobody said. */
  readonly publicUrl?: string;
  readonly subscriptions: readonly (SubscriptionStats & { readonly name: string })[];
  readonly tenants: number;
  /** What operators have to know: an agent host that takes no conversations. Those with `overAt` are over. */
  readonly alerts: readonly Alert[];
  /** Turns that wait for an operator, counted to 1,000. */
  readonly quarantined: number;
}

/** One thing that was looked at. `remedy` says what to do; it is there unless all is well. */
export interface Check {
  readonly name: string;
  readonly state: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  readonly remedy?: string;
}

export interface ChatLink {
  /** Below the public URL. Whoever has it can chat: it is a credential. */
  readonly path: string;
  /** ISO 8601; absent when it does not expire. */
  readonly expiresAt?: string;
}

export interface WebhookRegistration {
  /** Absent for the platform's shared bot. */
  readonly tenantId?: TenantId;
  readonly url: string;
  /** Why it was refused; absent when it was registered. */
  readonly problem?: string;
}

/** A schedule, and when it comes next: at most five times, epoch milliseconds. */
export interface ScheduleDetails extends ScheduleRecord {
  readonly nextRuns: readonly number[];
}

export interface SchedulePage {
  readonly items: readonly ScheduleDetails[];
  readonly nextCursor?: string;
}

export type ScheduleAction = 'pause' | 'resume';

/**
 * What operators do with an installation: {@link LocalControlPlane} does it in this process, and behind `/api/v1` for others. Ids of what does not exist reject with
 * `not_found`, input that breaks a rule with `invalid`.
 */
export abstract class ControlPlane {
  /** Writes nothing. */
  abstract plan(request: ApplyRequest): Promise<Plan>;
  /** Plans again and applies. With the {@link digestOf} a confirmed plan it rejects with `conflict` when another plan came out. */
  abstract apply(request: ApplyRequest, confirmed?: string): Promise<Plan>;
  abstract tenants(): Promise<TenantSummary[]>;
  abstract tenant(id: TenantId): Promise<TenantDetails>;
  /** Of the latest days on which it used anything, newest first; today as of the last full hour or so. */
  abstract usage(id: TenantId, days: number): Promise<UsageRecord[]>;
  abstract setSecret(name: SecretName, value: string): Promise<void>;
  abstract chatLink(id: TenantId, options?: { lifetimeMs?: number }): Promise<ChatLink>;
  /** Tells Telegram where each bot's updates go, with its secret. Below this URL, else the configured one; rejects with `invalid` when there is neither. */
  abstract registerWebhooks(publicUrl?: string): Promise<WebhookRegistration[]>;
  abstract inbox(filter: InboxFilter): Promise<TurnPage>;
  abstract turn(tenantId: TenantId, eventId: EventId): Promise<TurnDetails>;
  abstract replay(tenantId: TenantId, eventId: EventId): Promise<TurnRecord>;
  abstract discard(tenantId: TenantId, eventId: EventId): Promise<TurnRecord>;
  /** Writes nothing. */
  abstract planBulk(request: BulkRequest): Promise<BulkPlan>;
  /** Puts a bulk replay or discard on record. The running instance works it off, the next one goes on after a restart. */
  abstract beginBulk(request: BulkRequest): Promise<BulkOperation>;
  /** Newest first. */
  abstract operations(): Promise<BulkOperation[]>;
  abstract operation(id: string): Promise<BulkOperation>;
  /** Rejects with `conflict` when it has ended. */
  abstract cancelOperation(id: string): Promise<BulkOperation>;
  abstract readonly jobs: JobControl;
  /** Those of all tenants, the platform's own among them, by when they come; paused ones last. What has ended is not among them. */
  abstract allSchedules(page?: { readonly limit?: number; readonly cursor?: string }): Promise<SchedulePage>;
  /** Those of a tenant or, under `platformOwner`, the platform's own upkeep, by number. What has ended is among them for a month. */
  abstract schedules(tenantId: TenantId): Promise<ScheduleDetails[]>;
  /** Makes a schedule with this id, or changes the one that has it. */
  abstract putSchedule(tenantId: TenantId, id: ScheduleId, title: string, schedule: TenantSchedule): Promise<ScheduleDetails>;
  /** Rejects with `conflict` when it has ended. */
  abstract changeSchedule(tenantId: TenantId, id: ScheduleId, action: ScheduleAction): Promise<ScheduleDetails>;
  /** Absent is no error. Upkeep of the platform can be paused, not removed: that is `invalid`. */
  abstract removeSchedule(tenantId: TenantId, id: ScheduleId): Promise<void>;
  /**
   * Fires it now, beside its times. Resolves with the event that was put into the inbox, or names the occurrence of upkeep that begins; a second call with the same
   * `requestId` does nothing. Rejects with `conflict` where upkeep is paused, or under way.
   */
  abstract runSchedule(tenantId: TenantId, id: ScheduleId, requestId: string): Promise<EventId>;
  /** Oldest first, at most 1,000 of each subscription. */
  abstract deadLetters(): Promise<(DeadLetterSummary & { subscription: string })[]>;
  /** Resolves with how many went back. */
  abstract replayDeadLetters(): Promise<number>;
  /** Every span of the trace that a trace, event or turn id names; empty when none is kept. */
  abstract trace(id: string): Promise<StoredSpan[]>;
  abstract status(): Promise<PlatformStatus>;
  /** Looks at everything that must work. Without `network` nothing outside this installation is asked. */
  abstract checks(options: { network: boolean }): Promise<Check[]>;
}

/** A dead letter without its body. */
export type DeadLetterSummary = Pick<DeadLetter, 'messageId' | 'attributes' | 'attempts' | 'reason'> & { readonly deadAt: string };

/** Names what a plan would do, to be handed to {@link ControlPlane.apply} once a person has agreed to it. */
export function digestOf(plan: Plan): string {
  const { changes, unchanged, shared, alerts, problems } = plan;
  return createHash('sha256')
    .update(JSON.stringify([changes.map(({ id, kind, fields }) => [id, kind, fields]), unchanged, shared, alerts, problems.length]))
    .digest('hex');
}
