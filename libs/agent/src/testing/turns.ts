import type { ConversationId, EventId, TenantId } from '@rockpool/contracts';
import type { AgentEvent, AgentRuntime, AgentTurn, TranscriptMessage } from '@rockpool/conversations';

/** A message said some time in 2026. */
export function said(role: 'user' | 'assistant', text: string, senderName?: string): TranscriptMessage {
  return { role, text, at: '2026-11-20T12:00:00.000Z', ...(senderName && { senderName }) };
}

/** A turn of the tenant alice that asks `text`. */
export function turnOf(text: string, more: Partial<AgentTurn> = {}): AgentTurn {
  return {
    tenantId: 'alice' as TenantId,
    conversationId: 'telegram:1:2' as ConversationId,
    eventId: 'telegram:1:3' as EventId,
    message: said('user', text),
    senderId: '12345',
    history: [],
    attempt: 1,
    resumed: false,
    workId: 'telegram:1:3',
    interjections: async () => [],
    ...more,
  };
}

/** What a run gave: its events, its text, and what it threw. */
export interface RunResult {
  readonly events: AgentEvent[];
  readonly text: string;
  readonly error?: unknown;
}

/** Runs a turn to its end, whatever that is. `onEvent` is called as each event comes. */
export async function runTurn(
  runtime: AgentRuntime,
  turn: AgentTurn,
  options: { readonly signal?: AbortSignal; readonly onEvent?: (event: AgentEvent) => void } = {},
): Promise<RunResult> {
  const events: AgentEvent[] = [];
  const textOf = (): string => events.map((event) => (event.type === 'text' ? event.delta : '')).join('');
  try {
    for await (const event of runtime.run(turn, options.signal ?? new AbortController().signal)) {
      events.push(event);
      options.onEvent?.(event);
    }
    return { events, text: textOf() };
  } catch (error) {
    return { events, text: textOf(), error };
  }
}
