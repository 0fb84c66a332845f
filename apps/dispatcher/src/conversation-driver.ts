import { crashPoint, RetryLater } from '@rockpool/contracts';
import type { DriveRequest, HostClient } from './host-client.js';

/**
 * Holds a wake until its conversation is drained. Ends normally when the wake may be acknowledged; throws when it must come back: the host failed, a turn
 * wants to be tried again, or this very wake was delivered twice while its first delivery may still be at work.
 */
export class ConversationDriver {
  constructor(private readonly hosts: Pick<HostClient, 'drive'>) {}

  async drive(request: DriveRequest, signal: AbortSignal): Promise<void> {
    const result = await this.hosts.drive(request, signal);
    crashPoint('after-release-before-ack');
    switch (result.kind) {
      case 'drained':
        return;
      case 'held':
        // Whoever holds the conversation looks into the inbox again before letting go, so another wake has nothing to add.
        if (result.ownWake) throw new RetryLater(result.retryAfterMs, 'an earlier delivery of this wake may still be at work');
        return;
      case 'retry':
        throw new RetryLater(result.retryAfterMs, `the first turn is tried again: ${result.reason}`);
    }
  }
}
