import type { Documents } from '@rockpool/cloud';
import type { EventId, TenantId } from '@rockpool/contracts';
import { paths, type Inbox, type TurnRecord, type TurnState } from '@rockpool/conversations';

/** What became of an event by the end of the wait. `accepted`: it is durable, and nothing more is known yet. */
export interface WaitedAnswer {
  readonly eventId: EventId;
  readonly state: TurnState | 'accepted';
  /** The answer's messages, in order; empty while there is none. */
  readonly replies: readonly { readonly text: string }[];
}

/** Lets the sender of a webhook wait for the answer in the same request. */
export class AnswerWait {
  constructor(
    private readonly documents: Documents,
    private readonly inbox: Inbox,
  ) {}

  /** Resolves when the turn is over or the time is, whichever comes first. */
  async wait(tenantId: TenantId, eventId: EventId, timeoutMs: number): Promise<WaitedAnswer> {
    const over = Promise.withResolvers<TurnState | undefined>();
    let latest: TurnState | undefined;
    const timer = setTimeout(() => over.resolve(latest), timeoutMs);
    const stop = await this.documents.watch<TurnRecord>(
      { from: { collection: paths.turns(tenantId) }, where: { eventId }, limit: 1 },
      ({ items }) => {
        const turn = items[0]?.data;
        latest = turn?.state;
        if (turn && !turn.open) over.resolve(turn.state);
      },
    );
    try {
      const state = await over.promise;
      if (state === undefined) return { eventId, state: 'accepted', replies: [] };
      const { turn, replies } = await this.inbox.get(tenantId, eventId);
      const texts = turn.open ? [] : replies.flatMap((reply) => (reply.chunk ? [{ text: reply.chunk.text }] : []));
      return { eventId, state: turn.state, replies: texts };
    } finally {
      clearTimeout(timer);
      stop();
    }
  }
}
