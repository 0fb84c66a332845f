import type { IndexDeclaration, Json } from '@rockpool/cloud';
import { joinId, type ConversationId, type EventId, type ReplyTarget, type ScheduleId, type TenantId } from '@rockpool/contracts';
import type { QuietHours, When } from './occurrences.js';

/** What a schedule does when it fires. */
export type ScheduleEffect =
  /** Puts a prompt into the conversation's inbox: the agent answers it there. `target`: where the conversation is, should nobody have written in it yet. */
  | { readonly kind: 'prompt'; readonly conversationId: ConversationId; readonly text: string; readonly target?: ReplyTarget }
  /** The same, but the agent may find that there is nothing to say. */
  | { readonly kind: 'heartbeat'; readonly conversationId: ConversationId; readonly text: string; readonly target?: ReplyTarget }
  /** Runs a function of the platform. */
  | { readonly kind: 'upkeep'; readonly name: string; readonly input?: Json };

/** An effect that says something in a conversation. */
export type PromptEffect = Extract<ScheduleEffect, { kind: 'prompt' | 'heartbeat' }>;

/** A schedule, at `tenants/{t}/schedules/{s}`. Times are epoch milliseconds. */
export interface ScheduleRecord {
  readonly tenantId: TenantId;
  readonly scheduleId: ScheduleId;
  /** What people call it: unique within the tenant, and never given again. */
  readonly number: number;
  readonly title: string;
  readonly when: When;
  readonly quiet?: QuietHours;
  readonly effect: ScheduleEffect;
  /** What becomes of an occurrence that could not fire in time: it fires once, late, for all that were missed, or not at all. */
  readonly missed: 'fire-late' | 'skip';
  /** `ended`: it has no occurrence any more; it is forgotten after a month. */
  readonly state: 'active' | 'paused' | 'ended';
  /** The occurrence to come; absent unless `active`. */
  readonly nextAt?: number;
  /** When the task for it comes: then, or earlier to bridge a part of a long wait. The sweep looks at this. */
  readonly armedAt?: number;
  /** Raised with every task, so that each has a name of its own. */
  readonly hop: number;
  /** Somebody runs its upkeep until then. */
  readonly busyUntil?: number;
  readonly fired: number;
  /** Occurrences that were missed, quiet or failed. */
  readonly skipped: number;
  readonly last?: {
    readonly plannedAt: number;
    readonly firedAt: number;
    readonly outcome: 'fired' | 'skipped' | 'failed';
    readonly reason?: string;
  };
  /** Who made it: a sender's id, `tenants.yaml`, `platform`. */
  readonly createdBy: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** {@link ScheduleRecord.createdBy} of those that `tenants.yaml` describes. */
export const fromFile = 'tenants.yaml';

/** At `tenants/{t}/counters/schedules`: the number that was given last. */
export interface ScheduleCounter {
  readonly last: number;
}

export const schedulePaths = {
  schedules: (tenantId: TenantId) => `tenants/${tenantId}/schedules`,
  schedule: (tenantId: TenantId, scheduleId: ScheduleId) => `tenants/${tenantId}/schedules/${scheduleId}`,
  counter: (tenantId: TenantId) => `tenants/${tenantId}/counters/schedules`,
} as const;

/** The indexes that the queries of schedules need. */
export const scheduleIndexes: readonly IndexDeclaration[] = [
  { collection: 'schedules', scope: 'group', fields: ['state', 'armedAt'] },
  { collection: 'schedules', scope: 'group', fields: ['state', 'nextAt'] },
];

/** Names one occurrence: a pure function of the schedule and the time it was planned for, so that firing it twice is one event. */
export function occurrenceId({ scheduleId }: Pick<ScheduleRecord, 'scheduleId'>, plannedAt: number): EventId {
  return joinId('schedule', scheduleId, new Date(plannedAt).toISOString()) as EventId;
}
