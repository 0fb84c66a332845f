import { afterEach, describe, expect, it } from '@jest/globals';
import { RetryLater } from '@rockpool/contracts';
import { openHost, type TestHost } from './testing/host.js';
import { alice, messageOf } from './testing/messages.js';
import { echo, hang } from './testing/scripted-runtime.js';

let host: TestHost;
afterEach(() => host.close());

// A shutdown gives a turn back uncounted; the next run took that for "never begun", did not read the ledger, and answered in a second message beside the
// half-told first one.
describe('a turn that a shutdown gave back half told', () => {
  it('is answered in the message it had begun', async () => {
    host = await openHost();
    await host.inbox.append(alice, messageOf(1, 'hi'));
    host.runtime.script = hang('You said');
    const shutdown = new AbortController();
    const driven = host.drive('wake-1', shutdown.signal);
    await host.channel.until((visible) => visible[0] === 'You said');
    shutdown.abort(new RetryLater(0, 'shutdown'));
    expect(await driven).toMatchObject({ kind: 'retry' });

    host.runtime.script = echo;
    expect(await host.drive('wake-2')).toEqual({ kind: 'drained' });
    expect([...host.channel.messages.values()]).toEqual(['You said: hi']);
  });
});
