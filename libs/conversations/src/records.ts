import type { Attachment, ConversationId, EventId, InboundMessage, ReplyTarget, TenantId } from '@rockpool/contracts';
import type { IndexDeclaration } from '@rockpool/cloud';
import type { OverlapPolicy } from '@rockpool/tenancy';
import type { TurnUsage } from './agent-runtime.js';
import type { Receipt, ReplyChunk } from './reply-channel.js';

/**
 * The documents of this library, tenant first. Times are epoch milliseconds.
 *
 * tenants/{t}/conversations/{c}                the conversation, its lease and counters
 * tenants/{t}/conversations/{c}/messages/{n}   the transcript
 * tenants/{t}/conversations/{c}/signals/{kind} what must reach a running turn at once
 * tenants/{t}/turns/{eventId}                  the inbox
 * tenants/{t}/turns/{eventId}/replies/{n}      the reply ledger
 * tenants/{t}/allowances/{minute}              messages of that minute the dispatchers were granted
 * tenants/{t}/notices/{sender}                 that this person was told of a limit within the last minute
 */

/**
 * `pending` waits for its place, `running` is with an agent, `answered` has its answer on record but perhaps not at the channel yet; these three are open. `done`,
 * `failed` (the person was told), `cancelled` (by /stop), `quarantined` (five tries; waits for an operator), `discarded` (by an operator) are final, as are
 * `dropped` (a policy refused it) and `recorded` (not a message).
 */
export type TurnState =
  'pending' | 'running' | 'answered' | 'done' | 'failed' | 'cancelled' | 'quarantined' | 'discarded' | 'dropped' | 'recorded';

/** States in which a turn still holds its place in the conversation. */
export const openStates: ReadonlySet<TurnState> = new Set(['pending', 'running', 'answered']);

/** One event of a channel and what became of it. */
export interface TurnRecord {
  readonly tenantId: TenantId;
  readonly eventId: EventId;
  readonly conversationId: ConversationId;
  /** Place in the conversation, from 1; 0 for what never had one. */
  readonly seq: number;
  readonly state: TurnState;
  /** True in `pending`, `running`, `answered`. Kept as a field because queries know equality only. */
  readonly open: boolean;
  /** Runs begun, this one included. An operator's replay starts again at 0. */
  readonly attempts: number;
  /** How often an operator replayed it; part of every reply's key. */
  readonly replays: number;
  readonly message: InboundMessage;
  readonly receivedAt: number;
  readonly startedAt?: number;
  readonly finishedAt?: number;
  /** Why it was dropped, failed or quarantined: a code, then what happened. */
  readonly reason?: string;
  /** The command this was, and what it answered, in Markdown. */
  readonly command?: { readonly name: string; readonly answer: string };
  /** What the person was told on account of a limit, in Markdown. */
  readonly notice?: string;
  /** `<channel>:<person>`, on what counts for that person's limit. */
  readonly sender?: string;
  /** When the person sent it, by the channel's clock. */
  readonly sentAt?: number;
  /** The policy at the moment it came; absent: `followup`. */
  readonly overlap?: OverlapPolicy;
  /** Its sender may go on writing until then. */
  readonly quietUntil?: number;
  /** A message that came meanwhile ended a run of it; the next one sees both. */
  readonly interrupted?: true;
  /** The turns that this one answers too, in order. They end together with it. */
  readonly merged?: readonly EventId[];
  /** The turn that answers this one. It holds the reply ledger of both. */
  readonly answeredBy?: EventId;
  /** What `answered` turns to once the reply is out. */
  readonly outcome?: 'done' | 'failed' | 'cancelled' | 'quarantined';
  readonly usage?: TurnUsage;
  /** It went on as a job: {@link workIdOf}. */
  readonly promoted?: true;
  /** W3C trace context of the webhook. */
  readonly traceparent?: string;
}

/** Who may run and write for a conversation. `token` grows with every claim: a write with an older one is refused. */
export interface Lease {
  readonly holder: string;
  readonly token: number;
  /** By `Documents.now()`, the clock that all holders share. */
  readonly expiresAt: number;
  /** The wake whose delivery this claim runs in: a redelivery of that one must wait, any other may be acknowledged. */
  readonly wakeId: string;
}

export interface ConversationRecord {
  readonly tenantId: TenantId;
  readonly conversationId: ConversationId;
  readonly target: ReplyTarget;
  /** Given to the last turn that took a place. */
  readonly lastSeq: number;
  /** Raised by /new: the transcript of earlier sessions is kept, and not shown to the agent. */
  readonly session: number;
  /** Transcript messages written. */
  readonly messages: number;
  readonly fence: number;
  readonly lease?: Lease;
  readonly summary?: string;
  /** The summary covers this session's transcript up to this message. */
  readonly summaryThrough?: number;
  /** Chosen by /queue; absent: the tenant's. */
  readonly overlap?: OverlapPolicy;
  readonly updatedAt: number;
}

/**
 * One message of an answer at the channel. `queued`: nothing was sent. `placing`: a placeholder is being sent. `placed`: its receipt is known. `sent`: the
 * content is at the channel. `failed`: it never will be. `chunk` is there once the answer is on record.
 */
export interface ReplyRecord {
  readonly n: number;
  /** Idempotency key for the channel: `<eventId>#<replays>.<n>`. */
  readonly key: string;
  readonly state: 'queued' | 'placing' | 'placed' | 'sent' | 'failed';
  readonly receipt?: Receipt;
  readonly chunk?: ReplyChunk;
  /** Placements whose outcome nobody knows: each may have left a placeholder behind. */
  readonly unknownPlacements: number;
  readonly error?: string;
  readonly updatedAt: number;
}

export interface TranscriptRecord {
  readonly n: number;
  readonly session: number;
  readonly role: 'user' | 'assistant';
  readonly text: string;
  readonly senderName?: string;
  readonly attachments?: readonly Attachment[];
  readonly eventId: EventId;
  readonly at: string;
}

/**
 * Tells a running turn something at once. `stop`: every turn whose place is at most `throughSeq` ends. `interrupt`: the message with the place `throughSeq`
 * came, and a turn that began without it begins anew. A later signal of a kind takes the place of the earlier: it says at least as much.
 */
export interface SignalRecord {
  readonly kind: 'stop' | 'interrupt';
  readonly throughSeq: number;
}

/** A signal is read within moments or never: the run it is for has ended by then. */
export const signalKeptMs = 3_600_000;

/** Messages of one minute, by the channel's clock, that the dispatchers were granted together. */
export interface AllowanceRecord {
  readonly granted: number;
}

/** What the work is called that a turn may go on as. No event's id has a `~`. */
export function workIdOf({ eventId, replays }: Pick<TurnRecord, 'eventId' | 'replays'>): string {
  return replays > 0 ? `${eventId}~${replays}` : eventId;
}

/** The turn that goes on as this work, if one does. */
export function turnIdOf(workId: string): EventId {
  return workId.replace(/~\d+$/, '') as EventId;
}

/** The key under which a person's messages are counted: nobody is the same on two channels. */
export function senderOf({ target, sender }: InboundMessage): string {
  return `${target.channel}:${sender.id}`;
}

/** When it was sent, by the channel's clock; when it came, if the channel does not tell. */
export function sentAtOf({ sentAt, receivedAt }: InboundMessage): number {
  return [sentAt, receivedAt].map((time) => Date.parse(time)).find(Number.isFinite) ?? 0;
}

/** Where shared-bot events of nobody are recorded. Not a valid tenant id, so no tenant can have this name. */
export const unrouted = '_unrouted' as TenantId;

export const paths = {
  conversations: (tenantId: TenantId) => `tenants/${tenantId}/conversations`,
  conversation: (tenantId: TenantId, conversationId: ConversationId) => `tenants/${tenantId}/conversations/${conversationId}`,
  messages: (tenantId: TenantId, conversationId: ConversationId) => `tenants/${tenantId}/conversations/${conversationId}/messages`,
  message: (tenantId: TenantId, conversationId: ConversationId, n: number) =>
    `tenants/${tenantId}/conversations/${conversationId}/messages/${String(n).padStart(9, '0')}`,
  signals: (tenantId: TenantId, conversationId: ConversationId) => `tenants/${tenantId}/conversations/${conversationId}/signals`,
  signal: (tenantId: TenantId, conversationId: ConversationId, kind: SignalRecord['kind']) =>
    `tenants/${tenantId}/conversations/${conversationId}/signals/${kind}`,
  turns: (tenantId: TenantId) => `tenants/${tenantId}/turns`,
  turn: (tenantId: TenantId, eventId: EventId) => `tenants/${tenantId}/turns/${eventId}`,
  replies: (tenantId: TenantId, eventId: EventId) => `tenants/${tenantId}/turns/${eventId}/replies`,
  reply: (tenantId: TenantId, eventId: EventId, n: number) => `tenants/${tenantId}/turns/${eventId}/replies/${String(n).padStart(4, '0')}`,
  allowance: (tenantId: TenantId, minute: number) => `tenants/${tenantId}/allowances/${minute}`,
  notice: (tenantId: TenantId, sender: string) => `tenants/${tenantId}/notices/${encodeURIComponent(sender)}`,
} as const;

/** The indexes that the queries of this library need. */
export const conversationIndexes: readonly IndexDeclaration[] = [
  { collection: 'turns', scope: 'collection', fields: ['conversationId', 'open', 'seq'] },
  { collection: 'turns', scope: 'group', fields: ['open', 'receivedAt'] },
  { collection: 'turns', scope: 'collection', fields: ['open', 'receivedAt'] },
  { collection: 'turns', scope: 'collection', fields: ['sender', 'sentAt'] },
  { collection: 'messages', scope: 'collection', fields: ['session', 'n'] },
  { collection: 'conversations', scope: 'group', fields: ['lease.expiresAt'] },
  { collection: 'replies', scope: 'group', fields: ['state', 'updatedAt'] },
  ...(['collection', 'group'] as const).flatMap((scope) => [
    { collection: 'turns', scope, fields: ['receivedAt'] },
    { collection: 'turns', scope, fields: ['state', 'receivedAt'] },
    { collection: 'turns', scope, fields: ['conversationId', 'receivedAt'] },
    { collection: 'turns', scope, fields: ['conversationId', 'state', 'receivedAt'] },
  ]),
];
