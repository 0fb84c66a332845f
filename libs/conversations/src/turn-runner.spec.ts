import { afterEach, describe, expect, it } from '@jest/globals';
import { OutcomeUnknown, RetryLater, TerminalError } from '@rockpool/contracts';
import { paths, type ConversationRecord, type TurnRecord } from './records.js';
import { openHost, type TestHost } from './testing/host.js';
import { alice, chat, messageOf } from './testing/messages.js';
import { echo, failing, hang } from './testing/scripted-runtime.js';

let host: TestHost;
afterEach(() => host.close());

describe('a turn', () => {
  it('is answered in the placeholder it placed, and ends as done with its usage', async () => {
    host = await openHost();
    await host.inbox.append(alice, messageOf(1, 'hi'));
    expect(await host.drive()).toEqual({ kind: 'drained' });
    expect([...host.channel.messages.values()]).toEqual(['You said: hi']);
    const { turn, replies } = await host.inbox.get(alice, messageOf(1, '').eventId);
    expect(turn).toMatchObject({ state: 'done', open: false, attempts: 1, usage: { model: 'test/echo', inputTokens: 3, outputTokens: 5 } });
    expect(replies).toMatchObject([{ n: 0, state: 'sent', receipt: 'm1' }]);
  });

  it('is told of once, as it is on record, when it has ended and when it can never be answered', async () => {
    host = await openHost();
    await host.say('hi');
    host.runtime.script = failing(() => new TerminalError('never'));
    await host.say('again');
    expect(host.ended).toEqual([await host.turn(1), await host.turn(2)]);
    expect(host.ended[0]).toMatchObject({ state: 'done', usage: { inputTokens: 3, outputTokens: 5 } });
  });

  it('sees the exchange before it, and nothing of an earlier session', async () => {
    host = await openHost();
    await host.say('one', 'two');
    await host.documents.transaction(async (transaction) => {
      const conversation = (await transaction.get<ConversationRecord>(paths.conversation(alice, chat)))!;
      transaction.set(conversation.path, { ...conversation.data, session: 2 });
    });
    await host.say('three');
    expect(host.runtime.turns.map((turn) => turn.history.map((message) => message.text))).toEqual([[], ['one', 'You said: one'], []]);
  });

  it('runs in arrival order with those that came while it ran, under one lease', async () => {
    host = await openHost();
    await host.inbox.append(alice, messageOf(1, 'first'));
    host.runtime.script = async function* (turn) {
      if (turn.message.text === 'first') {
        await host.inbox.append(alice, messageOf(2, 'second'));
        expect(await host.drive('another wake')).toMatchObject({ kind: 'held', ownWake: false });
      }
      yield* echo(turn);
    };
    expect(await host.drive()).toEqual({ kind: 'drained' });
    expect(host.channel.visible).toEqual(['You said: first', 'You said: second']);
  });

  it('splits a long answer into messages in order', async () => {
    host = await openHost();
    const long = 'x'.repeat(35) + 'y'.repeat(35) + 'z'.repeat(20);
    await host.say(long);
    expect(host.channel.visible.join('')).toBe(`You said: ${long}`);
    expect(host.channel.visible).toHaveLength(3);
  });

  it('shows the answer while it grows', async () => {
    host = await openHost();
    const seen = Promise.withResolvers<void>();
    host.runtime.script = async function* () {
      yield { type: 'text', delta: 'Once upon' };
      await seen.promise;
      yield { type: 'text', delta: ' a time.' };
    };
    await host.inbox.append(alice, messageOf(1, 'tell'));
    const driven = host.drive();
    await host.channel.until((visible) => visible[0] === 'Once upon');
    seen.resolve();
    await driven;
    expect(host.channel.visible).toEqual(['Once upon a time.']);
  });
});

describe('a second delivery', () => {
  it('of an event that is finished changes nothing', async () => {
    host = await openHost();
    await host.say('hi');
    const again = await host.inbox.append(alice, messageOf(1, 'hi'));
    expect(again.state).toBe('done');
    expect(await host.drive()).toEqual({ kind: 'drained' });
    expect(host.runtime.turns).toHaveLength(1);
  });

  it('of the wake that drives the conversation has to wait, any other is told that it is held', async () => {
    host = await openHost();
    const started = Promise.withResolvers<void>();
    host.runtime.script = hang('…', started.resolve);
    await host.inbox.append(alice, messageOf(1, 'hi'));
    const stop = new AbortController();
    const driven = host.drive('wake-1', stop.signal);
    await started.promise;
    expect(await host.drive('wake-1')).toMatchObject({ kind: 'held', ownWake: true });
    expect(await host.drive('wake-2')).toMatchObject({ kind: 'held', ownWake: false });
    stop.abort(new RetryLater(0, 'shutdown'));
    await driven;
  });
});

describe('a failing agent', () => {
  it('is tried again, and the answer then takes the placeholder', async () => {
    host = await openHost();
    host.runtime.script = failing(() => new Error('connection reset'), 2);
    await host.inbox.append(alice, messageOf(1, 'hi'));
    expect(await host.drive()).toMatchObject({ kind: 'retry', retryAfterMs: 1000 });
    expect(await host.drive()).toMatchObject({ kind: 'retry', retryAfterMs: 2000 });
    expect(await host.drive()).toEqual({ kind: 'drained' });
    expect([...host.channel.messages.values()]).toEqual(['You said: hi']);
  });

  it('that can never succeed gives an honest message, once, and the conversation goes on', async () => {
    host = await openHost();
    await host.inbox.append(alice, messageOf(1, 'bad'));
    await host.inbox.append(alice, messageOf(2, 'good'));
    host.runtime.script = async function* (turn) {
      if (turn.message.text === 'bad') throw new TerminalError('the key was revoked');
      yield* echo(turn);
    };
    await host.drive();
    expect(host.channel.visible.join(' ')).toMatch(/could not answer.*You said: good/s);
    expect((await host.inbox.get(alice, messageOf(1, '').eventId)).turn).toMatchObject({
      state: 'failed',
      reason: 'terminal: the key was revoked',
    });
  });

  it('is quarantined after its last try, the person told once, and can be replayed', async () => {
    host = await openHost();
    host.runtime.script = failing(() => new Error('out of memory'), 5);
    await host.inbox.append(alice, messageOf(1, 'poison'));
    for (let tries = 1; tries < 5; tries++) expect((await host.drive()).kind).toBe('retry');
    expect(await host.drive()).toEqual({ kind: 'drained' });
    expect(host.channel.visible.join('')).toMatch(/set it aside/);
    expect((await host.inbox.list({ tenantId: alice, state: 'quarantined' })).items).toHaveLength(1);

    await host.inbox.replay(alice, messageOf(1, '').eventId);
    expect(await host.drive()).toEqual({ kind: 'drained' });
    expect(host.channel.visible[0]).toBe('You said: poison');
    expect((await host.inbox.get(alice, messageOf(1, '').eventId)).turn).toMatchObject({ state: 'done', replays: 1, attempts: 1 });
  });

  it('that ends the process every time is quarantined without being run again', async () => {
    host = await openHost();
    await host.inbox.append(alice, messageOf(1, 'crash'));
    await host.amend(1, (turn) => ({ ...turn, attempts: 5 }));
    await host.drive();
    expect(host.runtime.turns).toHaveLength(0);
    expect((await host.inbox.get(alice, messageOf(1, '').eventId)).turn.state).toBe('quarantined');
  });

  it('that takes too long is stopped with an honest message', async () => {
    host = await openHost({ turnTimeoutMs: 50 });
    host.runtime.script = hang('partial');
    await host.say('hi');
    expect(host.channel.visible.join('')).toMatch(/did not finish in time/);
  });

  it('that says nothing is not left without a word', async () => {
    host = await openHost();
    host.runtime.script = async function* () {};
    await host.say('hi');
    expect(host.channel.visible.join('')).toMatch(/could not answer/);
  });
});

describe('a channel', () => {
  it('is swept by the next run when a shutdown came first', async () => {
    host = await openHost();
    let lost = false;
    host.channel.after = (call) => {
      if (call !== 'place' || lost) return;
      lost = true;
      throw new OutcomeUnknown('the connection broke');
    };
    const shutdown = new AbortController();
    host.channel.beforeSweep = () => {
      shutdown.abort(new RetryLater(0, 'shutdown'));
      throw new Error('503');
    };
    await host.inbox.append(alice, messageOf(1, 'hi'));
    expect(await host.drive('wake-1', shutdown.signal)).toMatchObject({ kind: 'retry' });
    expect([...host.channel.messages.values()]).toEqual(['…', 'You said: hi']);
    host.channel.beforeSweep = () => undefined;
    expect(await host.drive('wake-2')).toEqual({ kind: 'drained' });
    expect([...host.channel.messages.values()]).toEqual(['You said: hi']);
    expect(host.runtime.turns).toHaveLength(1);
  });

  it('whose answer to the placeholder was lost gets another one, shows the answer once, and is swept', async () => {
    host = await openHost();
    let lost = false;
    host.channel.after = (call) => {
      if (call === 'place' && !lost) {
        lost = true;
        throw new OutcomeUnknown('the connection broke');
      }
    };
    await host.say('hi');
    expect([...host.channel.messages.values()]).toEqual(['You said: hi']);
    expect((await host.inbox.get(alice, messageOf(1, '').eventId)).replies[0]).toMatchObject({ unknownPlacements: 1, state: 'sent' });
  });

  it('that asks to wait is waited for', async () => {
    host = await openHost();
    let refusals = 2;
    host.channel.before = (call) => {
      if (call === 'update' && refusals-- > 0) throw new RetryLater(1, 'slow down');
    };
    await host.say('hi');
    expect(host.channel.visible).toEqual(['You said: hi']);
  });

  it('that blocked the bot ends the turn as failed and stops the agent', async () => {
    host = await openHost();
    host.channel.before = () => {
      throw new TerminalError('bot was blocked by the user');
    };
    host.runtime.script = hang('never seen');
    await host.say('hi');
    expect((await host.inbox.get(alice, messageOf(1, '').eventId)).turn).toMatchObject({ state: 'failed', open: false });
  });

  it('that is down keeps the answer on record: the agent is not run again for it', async () => {
    host = await openHost();
    let down = true;
    host.channel.before = (call) => {
      if (call === 'update' && down) throw new RetryLater(60_000, 'maintenance');
    };
    await host.inbox.append(alice, messageOf(1, 'hi'));
    expect(await host.drive()).toMatchObject({ kind: 'retry', retryAfterMs: 60_000 });
    down = false;
    expect(await host.drive()).toEqual({ kind: 'drained' });
    expect(host.runtime.turns).toHaveLength(1);
    expect(host.channel.visible).toEqual(['You said: hi']);
  });

  it('with native keys is answered once, also when the answer to the first try was lost', async () => {
    host = await openHost({ guarantee: 'key' });
    let lost = false;
    host.channel.after = (call) => {
      if (call === 'place' && !lost) {
        lost = true;
        throw new OutcomeUnknown('the connection broke');
      }
    };
    await host.say('hi');
    expect([...host.channel.messages.values()]).toEqual(['You said: hi']);
  });
});

describe('a lease', () => {
  it('that was taken over stops the zombie: it writes nothing and says nothing more', async () => {
    // It does not renew its lease meanwhile: it is frozen.
    host = await openHost({ leaseMs: 3_600_000 });
    await host.inbox.append(alice, messageOf(1, 'hi'));
    const frozen = Promise.withResolvers<void>();
    const thawed = Promise.withResolvers<void>();
    host.runtime.script = async function* () {
      frozen.resolve();
      await thawed.promise;
      yield { type: 'text', delta: 'from the zombie' };
    };
    const zombie = host.drive('wake-1');
    await frozen.promise;
    await host.takeLeaseAway();
    const successor = await host.another();
    expect(await successor.drive('wake-2')).toEqual({ kind: 'drained' });
    thawed.resolve();
    expect(await zombie).toMatchObject({ kind: 'held' });
    expect(host.channel.visible).toEqual(['You said: hi']);
    expect((await host.inbox.get(alice, messageOf(1, '').eventId)).turn).toMatchObject({ state: 'done', attempts: 2 });
  });

  it('of a holder that is known to be dead is taken at once', async () => {
    host = await openHost({ leaseMs: 3_600_000 });
    await host.inbox.append(alice, messageOf(1, 'hi'));
    await host.leases.claim(alice, chat, 'wake-of-the-dead');
    const successor = await host.another({ mayBeAlive: (holder) => holder !== 'host-1' });
    expect(await successor.drive('wake-2')).toEqual({ kind: 'drained' });
    expect(host.channel.visible).toEqual(['You said: hi']);
  });

  it('is given back at a shutdown, the turn unfinished and uncounted', async () => {
    host = await openHost();
    const started = Promise.withResolvers<void>();
    host.runtime.script = hang('part', started.resolve);
    await host.inbox.append(alice, messageOf(1, 'hi'));
    const shutdown = new AbortController();
    const driven = host.drive('wake-1', shutdown.signal);
    await started.promise;
    shutdown.abort(new RetryLater(0, 'shutdown'));
    expect(await driven).toMatchObject({ kind: 'retry', retryAfterMs: 0 });
    expect((await host.documents.get<TurnRecord>(paths.turn(alice, messageOf(1, '').eventId)))!.data).toMatchObject({
      state: 'pending',
      attempts: 0,
    });
    host.runtime.script = echo;
    expect(await host.drive('wake-1')).toEqual({ kind: 'drained' });
    expect(host.channel.visible).toEqual(['You said: hi']);
  });
});
