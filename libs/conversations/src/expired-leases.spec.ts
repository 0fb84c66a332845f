import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { ExpiredLeases } from './expired-leases.js';
import { paths, type ConversationRecord } from './records.js';
import { openHost, type TestHost } from './testing/host.js';
import { alice, chat, messageOf } from './testing/messages.js';
import { hang } from './testing/scripted-runtime.js';

let host: TestHost;
beforeEach(async () => (host = await openHost()));
afterEach(() => host.close());

const path = paths.conversation(alice, chat);
const conversation = async () => (await host.documents.get<ConversationRecord>(path))!.data;
const clear = () => new ExpiredLeases(host.documents).clear(new AbortController().signal);

/** As a process leaves it that died between the end of its last turn and the release. */
async function abandon(expiresAt: number): Promise<void> {
  const lease = { holder: 'dead', token: 7, expiresAt, wakeId: 'w' };
  await host.documents.set(path, { ...(await conversation()), fence: 7, lease });
}

it('clears a lease that ran out in a conversation with nothing open, and the next claim has a higher token', async () => {
  await host.say('hi');
  await abandon(0);
  expect(await clear()).toBe(1);
  expect(await conversation()).not.toHaveProperty('lease');
  expect(await clear()).toBe(0);
  await host.say('again');
  expect((await conversation()).fence).toBe(8);
  expect(host.channel.visible).toEqual(['You said: hi', 'You said: again']);
});

it('leaves a lease that somebody has, and one of a conversation with something open', async () => {
  await host.say('hi');
  await abandon(host.documents.now() + 60_000);
  expect(await clear()).toBe(0);
  await host.inbox.append(alice, messageOf(2, 'more'));
  await abandon(0);
  expect(await clear()).toBe(0);
  expect((await conversation()).lease).toMatchObject({ holder: 'dead' });
});

it('takes nothing from a host that lives and runs a turn', async () => {
  await host.inbox.append(alice, messageOf(1, 'hi'));
  const stop = new AbortController();
  const started = Promise.withResolvers<void>();
  host.runtime.script = hang('Well', () => started.resolve());
  const driven = host.drive('wake', stop.signal);
  await started.promise;
  await host.takeLeaseAway();
  expect(await clear()).toBe(0);
  stop.abort(new Error('enough'));
  await driven;
  expect(await host.states(1)).toEqual(['pending']);
});

it('goes through all pages, and stops when it is told to', async () => {
  await host.say('hi');
  const { lease: _, ...free } = await conversation();
  for (let n = 0; n < 230; n++) {
    const conversationId = `telegram:1:9${n}`;
    const lease = { holder: 'dead', token: 1, expiresAt: 1, wakeId: 'w' };
    await host.documents.set(`tenants/alice/conversations/${conversationId}`, { ...free, conversationId, lease });
  }
  expect(await new ExpiredLeases(host.documents).clear(AbortSignal.abort())).toBe(0);
  expect(await clear()).toBe(230);
});
