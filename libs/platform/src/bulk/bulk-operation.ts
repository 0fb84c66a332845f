import type { ConversationId, EventId, TenantId } from '@rockpool/contracts';
import type { TurnState } from '@rockpool/conversations';
import { z } from 'zod';

/** States from which each action may take turns in bulk: what is with an agent is left to it. */
export const bulkStates = {
  replay: ['quarantined', 'failed', 'cancelled', 'discarded', 'done'],
  discard: ['quarantined', 'failed', 'pending'],
} as const satisfies Record<string, readonly TurnState[]>;

export const bulkAction = z.enum(['replay', 'discard']);
export type BulkAction = z.infer<typeof bulkAction>;

/** Which turns are meant. A state has to be named, so that nobody replays everything by leaving something out. */
export interface BulkRequest {
  readonly action: BulkAction;
  readonly state: TurnState;
  readonly tenantId?: TenantId;
  readonly conversationId?: ConversationId;
  /** Received before this, epoch milliseconds; absent: before now. */
  readonly before?: number;
}

/** What a bulk operation would do. Nothing was written. */
export interface BulkPlan {
  readonly request: BulkRequest & { readonly before: number };
  readonly count: number;
  /** More than were counted: the operation takes them all the same. */
  readonly isMore: boolean;
  readonly tenants: Readonly<Record<string, number>>;
  /** The oldest. */
  readonly first: readonly { readonly tenantId: TenantId; readonly eventId: EventId; readonly reason?: string }[];
}

/** A turn of the batch at work, as it was when the batch was taken. */
export interface BulkItem {
  readonly tenantId: TenantId;
  readonly eventId: EventId;
  readonly conversationId: ConversationId;
  readonly replays: number;
}

/** A bulk operation at `operations/{id}`: worked off in batches by whichever instance runs, resumed by the next one where it stands. Times are epoch milliseconds. */
export interface BulkOperation {
  /** Sorts by when it was begun. */
  readonly id: string;
  readonly request: BulkRequest & { readonly before: number };
  /** Who began it. */
  readonly actor: string;
  readonly state: 'running' | 'done' | 'cancelled';
  readonly createdAt: number;
  readonly finishedAt?: number;
  /** Turns that were counted when it began. */
  readonly planned: number;
  readonly done: number;
  /** Turns that were no longer in that state, or cannot run again. */
  readonly skipped: number;
  /** The first of the skipped. */
  readonly problems: readonly { readonly tenantId: TenantId; readonly eventId: EventId; readonly reason: string }[];
  /** Taken, and not accounted for yet. */
  readonly batch?: readonly BulkItem[];
  /** Where the next batch begins; absent: with the oldest turn, or after the last. */
  readonly cursor?: string;
  readonly isLastBatch?: boolean;
  /** Who works on it, and until when nobody else may. */
  readonly holder?: string;
  readonly heldUntil?: number;
}

export const operationPath = (id: string) => `operations/${id}`;

/** How long an operation that has ended can be looked at. */
export const operationKeptMs = 30 * 86_400_000;
