import { describe, expect, it } from '@jest/globals';
import { RockpoolError, type ConversationId, type TenantId } from '@rockpool/contracts';
import { FairPlaces, Wakes } from '@rockpool/conversations';
import { ConversationDriver } from './conversation-driver.js';

class NoWakes extends Wakes {
  override async wake(): Promise<void> {}
}

// Connections that our own shutdown cut counted as failures of the host, and the backoff for them was on disk: after some restarts under load a conversation
// waited for most of a minute.
describe('a push that the own shutdown cuts off', () => {
  it('is taken up at once by the next start', async () => {
    const stopping = new AbortController();
    const host = {
      async drive(): Promise<never> {
        stopping.abort();
        throw new RockpoolError('unavailable', 'the agent host did not answer: ECONNRESET');
      },
    };
    const places = new FairPlaces({ total: 10, perTenant: 10, waitingPerTenant: 10 });
    const driver = new ConversationDriver(host, places, new NoWakes(), stopping.signal);
    const request = { tenantId: 'alice' as TenantId, conversationId: 'telegram:1:1' as ConversationId, wakeId: 'w1' };
    await expect(driver.drive(request, { attempt: 9, signal: new AbortController().signal })).rejects.toMatchObject({ afterMs: 0 });
  });
});
