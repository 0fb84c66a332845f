import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NotFound, RetryLater, TerminalError, type EventId } from '@rockpool/contracts';
import { LooseEnds, type LooseEndsResult } from './loose-ends.js';
import { paths, type ReplyRecord } from './records.js';
import { ReplyChannels, type ReplyChannel } from './reply-channel.js';
import { openHost, type TestHost } from './testing/host.js';
import { alice, messageOf } from './testing/messages.js';
import { OneChannel, type RecordingChannel } from './testing/recording-channel.js';
import { failing } from './testing/scripted-runtime.js';

const minute = 60_000;
const first = messageOf(1, '').eventId;
const aside = /^🗂 The operator of this assistant set this/;
const live = () => new AbortController().signal;

let host: TestHost;
let warnings: string[];
beforeEach(async () => {
  host = await openHost();
  warnings = [];
});
afterEach(() => host.close());

/** A scheduler so long after now. */
const looseEnds = (agoMs = 2 * minute, channels: ReplyChannels = new OneChannel(host.channel)) =>
  new LooseEnds(host.documents, channels, {
    now: () => Date.now() + agoMs,
    onWarning: (message) => warnings.push(message),
  });
const end = (agoMs?: number): Promise<LooseEndsResult> => looseEnds(agoMs).end(live());
const rows = async (eventId: EventId = first) => (await host.inbox.get(alice, eventId)).replies.map(({ state }) => state);

/** A turn that failed once and waits for another try, with what its first try left at the channel. */
async function waiting(): Promise<void> {
  host.runtime.script = failing(() => new RetryLater(60_000, 'the model is away'));
  await host.inbox.append(alice, messageOf(1, 'hi'));
  await host.drive();
}

/** The same, and the answer to its placing was lost: nobody knows whether it is at the channel. */
async function waitingUnknown(): Promise<void> {
  await waiting();
  const path = paths.reply(alice, first, 0);
  const { receipt: _, ...row } = (await host.documents.get<ReplyRecord>(path))!.data;
  await host.documents.set(path, { ...row, state: 'placing' } satisfies ReplyRecord);
}

class NoChannel extends ReplyChannels {
  override async for(): Promise<ReplyChannel> {
    throw new NotFound('alice has no bot any more');
  }
}

describe('a placeholder of a turn that was discarded while it waited for another try', () => {
  it('says that the message was set aside, once', async () => {
    await waiting();
    expect([...host.channel.messages.values()]).toEqual(['…']);
    await host.inbox.discard(alice, first);
    expect(await end()).toEqual({ ended: 1, unresolved: [] });
    expect(await end(10 * minute)).toEqual({ ended: 0, unresolved: [] });
    expect(host.channel.visible.join('')).toMatch(aside);
    expect(new Set(await rows())).toEqual(new Set(['sent']));
  });

  it('is left alone for a minute, in which whoever was at it may still be', async () => {
    await waiting();
    await host.inbox.discard(alice, first);
    expect(await end(30_000)).toEqual({ ended: 0, unresolved: [] });
    expect(host.channel.visible).toEqual([]);
  });

  it('is taken away when nobody knew whether it was there, and the person is told in one that is known', async () => {
    await waitingUnknown();
    expect(await rows()).toEqual(['placing']);
    await host.inbox.discard(alice, first);
    expect(await end()).toEqual({ ended: 1, unresolved: [] });
    expect(host.channel.visible.join('')).toMatch(aside);
    expect([...host.channel.messages.values()]).not.toContain('…');
  });

  it('ends as failed when the channel will never take it, or is not set up any more', async () => {
    await waiting();
    await host.inbox.discard(alice, first);
    host.channel.before = () => {
      throw new TerminalError('the bot was blocked');
    };
    expect(await end()).toEqual({ ended: 1, unresolved: [] });
    expect(new Set(await rows())).toEqual(new Set(['failed']));
  });

  it('ends as failed when its tenant has no such channel any more', async () => {
    await waiting();
    await host.inbox.discard(alice, first);
    expect(await looseEnds(2 * minute, new NoChannel()).end(live())).toEqual({ ended: 1, unresolved: [] });
    expect(await rows()).toEqual(['failed']);
  });

  it('is named while the channel is down, ended when it is back, and given up after a day', async () => {
    await waiting();
    await host.inbox.discard(alice, first);
    host.channel.before = () => {
      throw new Error('the channel is down');
    };
    expect(await end()).toMatchObject({ ended: 0, unresolved: [{ tenantId: alice, eventId: first, channel: 'telegram' }] });
    expect(warnings).toEqual(['a message could not be ended']);
    expect(await end(26 * 60 * minute)).toEqual({ ended: 1, unresolved: [] });
    expect(new Set(await rows())).toEqual(new Set(['failed']));
  });

  it('is ended by the next run when the process died between the message and its record', async () => {
    await waiting();
    await host.inbox.discard(alice, first);
    const died = Promise.withResolvers<void>();
    // What is called after this is never answered, as it would not be after a kill.
    host.channel.after = () => {
      died.resolve();
      return new Promise(() => undefined);
    };
    void looseEnds().end(live());
    await died.promise;
    host.channel.after = () => undefined;
    expect(await end(4 * minute)).toEqual({ ended: 1, unresolved: [] });
    expect(host.channel.visible.join('').match(/🗂/gu)).toHaveLength(1);
    expect(new Set(await rows())).toEqual(new Set(['sent']));
  });

  it('is written by one of two schedulers that come at the same moment', async () => {
    await waitingUnknown();
    await host.inbox.discard(alice, first);
    const results = await Promise.all([end(), end()]);
    expect(results.map(({ ended }) => ended).sort()).toEqual([0, 1]);
    expect(host.channel.visible.join('').match(/🗂/gu)).toHaveLength(1);
  });
});

describe('beside running hosts', () => {
  it('nothing of an open turn is touched, and what nobody knows of one that waits is named', async () => {
    await waitingUnknown();
    expect(await end()).toMatchObject({ ended: 0, unresolved: [{ eventId: first }] });
    expect(await rows()).toEqual(['placing']);
    expect([...host.channel.messages.values()]).toEqual(['…']);
  });

  it('a turn that is replayed in that moment is answered, and by its run alone', async () => {
    await waiting();
    await host.inbox.discard(alice, first);
    const replayed = Promise.withResolvers<void>();
    host.channel.before = async (call) => {
      if (call !== 'update') return;
      host.channel.before = () => undefined;
      await host.inbox.replay(alice, first);
      replayed.resolve();
    };
    expect(await end()).toEqual({ ended: 0, unresolved: [] });
    await replayed.promise;
    host.runtime.script = async function* () {
      yield { type: 'text', delta: 'Hello.' };
    };
    await host.drive();
    expect(host.channel.visible.filter((text) => text === 'Hello.')).toHaveLength(1);
    expect(await host.turn(1)).toMatchObject({ state: 'done', replays: 1 });
  });

  it('an answer on record is put into its message when what was to do that is gone', async () => {
    const turn = await host.inbox.command(alice, messageOf(1, '/help'), 'help', (_, conversation) => ({ conversation, answer: 'Help.' }));
    await host.channel.place(turn.message.target, 'key');
    const row: ReplyRecord = {
      n: 0,
      key: `${first}#0.0`,
      state: 'placed',
      receipt: 'm1',
      chunk: { text: 'Help.', payload: 'Help.' },
      unknownPlacements: 0,
      updatedAt: Date.now(),
    };
    await host.documents.set(paths.reply(alice, first, 0), row);
    expect(await end(20 * minute)).toEqual({ ended: 0, unresolved: [] });
    expect(await end(40 * minute)).toEqual({ ended: 1, unresolved: [] });
    expect((host.channel as RecordingChannel).visible).toEqual(['Help.']);
  });

  it('an answer on record in several messages is finished in order, once', async () => {
    const turn = await host.inbox.command(alice, messageOf(1, '/help'), 'help', (_, conversation) => ({ conversation, answer: 'Help.' }));
    for (const n of [0, 1, 2]) {
      const chunk = { text: `part ${n}`, payload: `part ${n}` };
      const row: ReplyRecord = { n, key: `k${n}`, state: 'placing', chunk, unknownPlacements: 0, updatedAt: Date.now() };
      await host.documents.set(paths.reply(alice, turn.eventId, n), row);
    }
    expect(await end(40 * minute)).toEqual({ ended: 1, unresolved: [] });
    expect(host.channel.visible).toEqual(['part 0', 'part 1', 'part 2']);
    expect(await rows()).toEqual(['sent', 'sent', 'sent']);
  });

  it('a row whose turn is gone ends too', async () => {
    await waiting();
    await host.documents.delete(paths.turn(alice, first));
    expect(await end()).toEqual({ ended: 1, unresolved: [] });
    expect((await host.documents.get<ReplyRecord>(paths.reply(alice, first, 0)))?.data).toMatchObject({ state: 'failed' });
  });

  it('a run that is told to stop begins nothing', async () => {
    await waiting();
    await host.inbox.discard(alice, first);
    expect(await looseEnds().end(AbortSignal.abort())).toEqual({ ended: 0, unresolved: [] });
  });
});
