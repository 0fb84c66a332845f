import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RetryLater } from '@rockpool/contracts';
import { ConversationLeases } from './conversation-leases.js';
import { Inbox } from './inbox.js';
import { openHost, type TestHost } from './testing/host.js';
import { alice, chat, messageOf } from './testing/messages.js';

let host: TestHost;
beforeEach(async () => {
  host = await openHost();
});
afterEach(() => host.close());

describe('debounce', () => {
  let now: number;
  let inbox: Inbox;
  let leases: ConversationLeases;
  beforeEach(() => {
    now = 1_000_000;
    inbox = new Inbox(host.documents, () => now);
    leases = new ConversationLeases(host.documents, { holder: 'h', leaseMs: 30_000 }, () => now);
  });
  const claim = () => leases.claim(alice, chat, 'wake');
  const settings = { overlap: 'collect', debounceMs: 1_000 } as const;

  it('waits until the person has been silent for so long, then answers the pieces together', async () => {
    await inbox.append(alice, messageOf(1, 'hi'), settings);
    now += 600;
    await inbox.append(alice, messageOf(2, 'are you there'), settings);
    expect(await claim()).toEqual({ kind: 'waiting', afterMs: 1_000 });
    now += 999;
    await inbox.append(alice, messageOf(3, '?'), settings);
    expect(await claim()).toEqual({ kind: 'waiting', afterMs: 1_000 });
    now += 1_000;
    expect(await claim()).toMatchObject({ kind: 'claimed', claim: { turn: { seq: 1 }, merged: [{ seq: 2 }, { seq: 3 }] } });
  });

  it('does not wait for other people', async () => {
    await inbox.append(alice, messageOf(1, 'hi'), settings);
    now += 900;
    await inbox.append(alice, messageOf(2, 'hello', { sender: { id: '200', isBot: false } }), settings);
    now += 100;
    expect(await claim()).toMatchObject({ kind: 'claimed' });
  });

  it('lets nobody put off their own answer for more than half a minute', async () => {
    for (let n = 1; n <= 15; n++) {
      await inbox.append(alice, messageOf(n, 'and'), { overlap: 'collect', debounceMs: 5_000 });
      now += 2_000;
    }
    expect(await claim()).toMatchObject({ kind: 'claimed', claim: { turn: { seq: 1 } } });
  });

  it('holds back a followup without merging it', async () => {
    await inbox.append(alice, messageOf(1, 'hi'), { debounceMs: 1_000 });
    await inbox.append(alice, messageOf(2, 'you'), { debounceMs: 1_000 });
    expect(await claim()).toEqual({ kind: 'waiting', afterMs: 1_000 });
    now += 1_000;
    expect(await claim()).toMatchObject({ kind: 'claimed', claim: { turn: { seq: 1 }, merged: [] } });
  });

  it('is waited out by the drive, whichever wake it came with', async () => {
    for (const n of [1, 2, 3]) await host.inbox.append(alice, messageOf(n, `m${n}`), { overlap: 'collect', debounceMs: 20 });
    const results = await Promise.all([host.drive('wake-1'), host.drive('wake-2')]);
    expect(results).toContainEqual({ kind: 'drained' });
    expect(host.runtime.turns.map(({ message }) => message.text)).toEqual(['m1\n\nm2\n\nm3']);
  });

  it('is given back at a shutdown', async () => {
    await host.inbox.append(alice, messageOf(1, 'hi'), { debounceMs: 10_000 });
    const shutdown = new AbortController();
    const driven = host.drive('wake', shutdown.signal);
    shutdown.abort(new RetryLater(0, 'shutdown'));
    expect(await driven).toEqual({ kind: 'retry', retryAfterMs: 0, reason: 'shutdown' });
    expect((await host.inbox.get(alice, messageOf(1, '').eventId)).turn).toMatchObject({ state: 'pending', attempts: 0 });
  });
});
