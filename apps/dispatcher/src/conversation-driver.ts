import { crashPoint, isTerminal, outcomeOf, RetryLater } from '@rockpool/contracts';
import type { DriveResult, FairPlaces, Wakes } from '@rockpool/conversations';
import type { AgentHost } from './agent-host.js';
import type { DriveRequest } from './host-client.js';

/**
 * A wake that was only ever asked to wait is replaced by a new one after so many deliveries, long before the bus would give it up: waiting is no failure, however
 * long an outage takes.
 */
const renewedAfterAttempts = 50;

/** One delivery of a wake. */
export interface WakeDelivery {
  readonly attempt: number;
  /** The subscription was closed: end what runs. */
  readonly signal: AbortSignal;
}

/**
 * Holds a wake until its conversation is drained. Ends normally when the wake may be acknowledged; throws when it must come back: the host failed, the tenant has all
 * its places in use, a turn wants to be tried again, or this very wake was delivered twice while its first delivery may still be at work.
 */
export class ConversationDriver {
  /** Conversations of which a wake waits here: whoever waits looks into the inbox later than a second wake of theirs, which may be acknowledged. */
  readonly #waiting = new Set<string>();

  constructor(
    private readonly host: Pick<AgentHost, 'drive'>,
    private readonly places: FairPlaces,
    private readonly wakes: Wakes,
    /** Aborts when the process is told to stop: nobody waits any longer, but what runs may go on. */
    private readonly stopping: AbortSignal,
  ) {}

  async drive(request: DriveRequest, { attempt, signal }: WakeDelivery): Promise<void> {
    const subject = `${request.tenantId}/${request.conversationId}`;
    if (this.#waiting.has(subject)) return;
    try {
      const result = await this.#push(subject, request, signal);
      crashPoint('after-release-before-ack');
      conclude(result);
    } catch (cause) {
      const error = this.#reasonOf(cause);
      if (attempt < renewedAfterAttempts || !asksToWait(error) || error instanceof StillHeld) throw error;
      await this.wakes.wake(request.tenantId, request.conversationId);
    }
  }

  /** What our own end cuts off is no failure of the host: it would be held back after the next start, longer each time. */
  #reasonOf(error: unknown): unknown {
    if (!this.stopping.aborted || isTerminal(error) || asksToWait(error)) return error;
    return new RetryLater(0, 'this dispatcher is shutting down', { cause: error });
  }

  async #push(subject: string, request: DriveRequest, signal: AbortSignal): Promise<DriveResult> {
    const ending = AbortSignal.any([signal, this.stopping]);
    this.#waiting.add(subject);
    try {
      return await this.places.run(request.tenantId, ending, () =>
        this.host.drive(request, { signal, ending, onBegin: () => this.#waiting.delete(subject) }),
      );
    } finally {
      this.#waiting.delete(subject);
    }
  }
}

/** Only this very wake may wait for the lease to run out: a new one would find it held by another and be acknowledged. */
class StillHeld extends RetryLater {}

function asksToWait(error: unknown): boolean {
  const outcome = outcomeOf(error);
  return outcome.kind === 'retry' && outcome.afterMs !== undefined;
}

function conclude(result: DriveResult): void {
  switch (result.kind) {
    case 'drained':
      return;
    case 'held':
      // Whoever holds the conversation looks into the inbox again before letting go, so another wake has nothing to add.
      if (result.ownWake) throw new StillHeld(result.retryAfterMs, 'an earlier delivery of this wake may still be at work');
      return;
    case 'retry':
      throw new RetryLater(result.retryAfterMs, `the first turn is tried again: ${result.reason}`);
  }
}
