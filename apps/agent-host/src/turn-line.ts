import type { TurnRecord } from '@rockpool/conversations';

/** What is said of every turn that ended. Metrics, dashboards and alerts find the line by it (infra/modules/monitoring). */
export const turnEnded = 'turn ended';

/** The fields of that line: whose turn it was, how it went and what it cost, never what was said. `durationMs` is from the receipt of the message to the end of its answer. */
export function turnFacts({ tenantId, eventId, conversationId, state, attempts, receivedAt, finishedAt, usage }: TurnRecord): object {
  return {
    tenantId,
    eventId,
    conversationId,
    outcome: state,
    attempts,
    ...(finishedAt !== undefined && { durationMs: Math.max(0, finishedAt - receivedAt) }),
    ...usage,
  };
}
