import type { Attachment, ConversationId, EventId, TenantId } from '@rockpool/contracts';

/** One entry of a conversation's transcript. */
export interface TranscriptMessage {
  readonly role: 'user' | 'assistant';
  readonly text: string;
  readonly senderName?: string;
  readonly attachments?: readonly Attachment[];
  /** ISO 8601. */
  readonly at: string;
}

/** The answer of an agent that has nothing to say, where that is allowed. */
export const silence = 'NOTHING_TO_SAY';

/** What a runtime is given to answer one message. */
export interface AgentTurn {
  readonly tenantId: TenantId;
  readonly conversationId: ConversationId;
  /** The turn's id; also the idempotency key of whatever the agent does outside. */
  readonly eventId: EventId;
  readonly message: TranscriptMessage;
  readonly senderId: string;
  /** Earlier exchange of this session, oldest first, after what `summary` covers. */
  readonly history: readonly TranscriptMessage[];
  readonly summary?: string;
  /** 1 on the first run; higher when an earlier run was cut short. */
  readonly attempt: number;
  /** True when an earlier run may have begun something: it was cut short, or given back. */
  readonly resumed: boolean;
  /** Names the work that this turn may go on as: the event's id, and after an operator's replay one of its own. */
  readonly workId: string;
  /** True when the platform wrote the message: something that was planned for now, or the end of a job. */
  readonly isFromPlatform?: boolean;
  /** True when nobody waits for an answer: an empty one, or {@link silence}, says nothing. */
  readonly mayBeSilent?: boolean;
  /**
   * Takes what the person wrote since the turn began and wants to have considered by it, oldest first. A runtime asks between two model calls, and only when
   * another call follows: what it was given is answered with this turn. A runtime that never asks leaves those messages to turns of their own.
   */
  interjections(): Promise<readonly TranscriptMessage[]>;
}

/** Tokens and money of one turn. Cost in US dollars, absent when the model's price is not known. */
export interface TurnUsage {
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costUsd?: number;
}

/** What a runtime tells while it works. `text` deltas make up the answer, Markdown. `summary` replaces the conversation's summary up to this turn. */
export type AgentEvent =
  | { readonly type: 'text'; readonly delta: string }
  | { readonly type: 'tool'; readonly name: string; readonly state: 'started' | 'succeeded' | 'failed' }
  | { readonly type: 'usage'; readonly usage: TurnUsage }
  | { readonly type: 'summary'; readonly summary: string; readonly coversMessages: number }
  /**
   * The last event but usage: the turn goes on as work that outlives it, and this is its answer, Markdown, in place of the text so far. `cancel` ends that work: the turn was
   * stopped in this moment.
   */
  | { readonly type: 'promoted'; readonly answer: string; cancel(): Promise<void> };

/**
 * Runs one turn. Ends normally when the answer is complete; throws `TerminalError` when this turn can never be answered, anything else when it may be
 * tried again. Stops promptly, throwing the signal's reason, when the signal aborts.
 */
export abstract class AgentRuntime {
  abstract run(turn: AgentTurn, signal: AbortSignal): AsyncIterable<AgentEvent>;
}
