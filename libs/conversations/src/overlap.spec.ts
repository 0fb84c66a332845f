import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { OverlapPolicy } from '@rockpool/tenancy';
import { openHost, type TestHost } from './testing/host.js';
import { alice, chat, messageOf } from './testing/messages.js';
import { echo, hang, held, type Script } from './testing/scripted-runtime.js';

let host: TestHost;
beforeEach(async () => {
  host = await openHost();
});
afterEach(() => host.close());

const appendAs = (overlap: OverlapPolicy, n: number, text: string) => host.inbox.append(alice, messageOf(n, text), { overlap });

describe('interrupt', () => {
  const append = (n: number, text: string) => appendAs('interrupt', n, text);

  it('ends the running turn and begins again with both in view, in the message it had begun', async () => {
    host.runtime.script = hang('Wait, I think');
    await append(1, 'red');
    const driven = host.drive();
    await host.channel.until((visible) => visible[0] === 'Wait, I think');
    host.runtime.script = echo;
    await append(2, 'no, blue');
    expect(await driven).toEqual({ kind: 'drained' });
    expect([...host.channel.messages.values()]).toEqual(['You said: red\n\nno, blue']);
    expect(host.asked).toEqual(['red', 'red\n\nno, blue']);
    expect(await host.turn(1)).toMatchObject({ state: 'done', attempts: 1, interrupted: true });
    expect(await host.turn(2)).toMatchObject({ state: 'done', answeredBy: messageOf(1, '').eventId });
  });

  it('does so as often as messages come, and never counts it as a failed try', async () => {
    const runs = Array.from({ length: 8 }, () => Promise.withResolvers<void>());
    let run = 0;
    host.runtime.script = (agentTurn, signal) => (run === 7 ? echo(agentTurn) : hang('…', runs[run++]!.resolve)(agentTurn, signal));
    await append(1, 'm1');
    const driven = host.drive();
    for (let n = 2; n <= 8; n++) {
      await runs[n - 2]!.promise;
      await append(n, `m${n}`);
    }
    expect(await driven).toEqual({ kind: 'drained' });
    expect(host.runtime.turns).toHaveLength(8);
    expect(host.asked.at(-1)).toBe('m1\n\nm2\n\nm3\n\nm4\n\nm5\n\nm6\n\nm7\n\nm8');
    expect(await host.states(1, 2, 3, 4, 5, 6, 7, 8)).toEqual(Array(8).fill('done'));
    expect((await host.turn(1)).attempts).toBe(1);
  });

  it('ends an agent that does not listen', async () => {
    const began = Promise.withResolvers<void>();
    host.runtime.script = async function* () {
      began.resolve();
      await new Promise(() => undefined);
    };
    await append(1, 'a');
    const driven = host.drive();
    await began.promise;
    host.runtime.script = echo;
    await append(2, 'b');
    await driven;
    expect(host.channel.visible).toEqual(['You said: a\n\nb']);
  });

  it('is not done again by a second delivery of the message', async () => {
    const began = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const second = held();
    host.runtime.script = hang('…', began[0]!.resolve);
    await append(1, 'a');
    const driven = host.drive();
    await began[0]!.promise;
    host.runtime.script = second.script;
    await append(2, 'b');
    await second.began;
    await append(2, 'b');
    second.letGo();
    await driven;
    expect(host.asked).toEqual(['a', 'a\n\nb']);
  });

  it('is answered after a turn whose answer was on record already', async () => {
    await append(1, 'a');
    let late: Promise<unknown> | undefined;
    host.channel.before = (call, text) => {
      if (call === 'update' && text === 'You said: a') late ??= append(2, 'b');
    };
    await host.drive();
    await late;
    await host.drive();
    expect(host.channel.visible).toEqual(['You said: a', 'You said: b']);
  });

  it('holds when the process dies before it has begun anew', async () => {
    await append(1, 'a');
    await host.leases.claim(alice, chat, 'wake of the dead');
    await append(2, 'b');
    await host.takeLeaseAway();
    const successor = await host.another();
    await successor.drive();
    expect(successor.asked).toEqual(['a\n\nb']);
  });

  it('takes effect on a turn that began under another policy', async () => {
    const began = Promise.withResolvers<void>();
    host.runtime.script = hang('…', began.resolve);
    await host.inbox.append(alice, messageOf(1, 'a'));
    const driven = host.drive();
    await began.promise;
    host.runtime.script = echo;
    await append(2, 'b');
    await driven;
    expect(host.asked).toEqual(['a', 'a\n\nb']);
  });
});

describe('steer', () => {
  const append = (n: number, text: string) => appendAs('steer', n, text);

  /** Looks for what came meanwhile between its steps, and says everything. */
  const inSteps: Script = async function* (turn) {
    const seen = [turn.message, ...(await turn.interjections()), ...(await turn.interjections())];
    yield { type: 'text', delta: `Saw: ${seen.map(({ text }) => text).join(', ')}` };
  };

  it('shows the running turn what came, once, and answers it with that turn', async () => {
    const run = held(inSteps);
    host.runtime.script = run.script;
    await append(1, 'a');
    const driven = host.drive();
    await run.began;
    await append(2, 'b');
    await append(3, 'c');
    run.letGo();
    expect(await driven).toEqual({ kind: 'drained' });
    expect(host.channel.visible).toEqual(['Saw: a, b, c']);
    expect(await host.turn(3)).toMatchObject({ state: 'done', answeredBy: messageOf(1, '').eventId });
    expect(await append(3, 'c')).toMatchObject({ state: 'done' });
  });

  it('puts what was taken in before the answer in the transcript', async () => {
    const run = held(inSteps);
    host.runtime.script = run.script;
    await append(1, 'a');
    const driven = host.drive();
    await run.began;
    await append(2, 'b');
    run.letGo();
    await driven;
    await append(3, 'c');
    await host.drive();
    expect(host.runtime.turns.at(-1)!.history.map(({ text }) => text)).toEqual(['a', 'b', 'Saw: a, b']);
  });

  it('gives what comes after the last step a turn of its own', async () => {
    host.runtime.script = async function* (agentTurn) {
      yield* echo(agentTurn);
      if (agentTurn.message.text === 'a') await append(2, 'b');
    };
    await append(1, 'a');
    await host.drive();
    expect(host.channel.visible).toEqual(['You said: a', 'You said: b']);
  });

  it('lets nobody overtake a message that came before under another policy', async () => {
    const run = held(inSteps);
    host.runtime.script = run.script;
    await append(1, 'a');
    const driven = host.drive();
    await run.began;
    await appendAs('followup', 2, 'b');
    await append(3, 'c');
    run.letGo();
    await driven;
    expect(host.channel.visible).toEqual(['Saw: a', 'Saw: b, c']);
  });

  it('holds when the run fails after it took something in: the next run sees both from the start', async () => {
    let fails = true;
    host.runtime.script = async function* (agentTurn) {
      if (agentTurn.attempt === 1) await append(2, 'b');
      await agentTurn.interjections();
      if (fails) {
        fails = false;
        throw new Error('connection reset');
      }
      yield* echo(agentTurn);
    };
    await append(1, 'a');
    expect(await host.drive()).toMatchObject({ kind: 'retry' });
    expect(await host.states(1, 2)).toEqual(['pending', 'pending']);
    expect(await host.drive()).toEqual({ kind: 'drained' });
    expect(host.asked).toEqual(['a', 'a\n\nb']);
    expect(host.channel.visible).toEqual(['You said: a\n\nb']);
  });

  it('holds when the process dies after it took something in', async () => {
    await append(1, 'a');
    const claimed = await host.leases.claim(alice, chat, 'wake of the dead');
    await append(2, 'b');
    if (claimed.kind === 'claimed') expect(await host.leases.takeIn(claimed.claim)).toMatchObject([{ seq: 2 }]);
    await host.takeLeaseAway();
    const successor = await host.another();
    await successor.drive();
    expect(successor.asked).toEqual(['a\n\nb']);
    expect(await host.states(1, 2)).toEqual(['done', 'done']);
  });

  it('refuses a zombie: what it would take in is left to the holder', async () => {
    await append(1, 'a');
    const claimed = await host.leases.claim(alice, chat, 'wake');
    await host.takeLeaseAway();
    await (await host.another()).leases.claim(alice, chat, 'another wake');
    await append(2, 'b');
    if (claimed.kind !== 'claimed') throw new Error('not claimed');
    await expect(host.leases.takeIn(claimed.claim)).rejects.toMatchObject({ message: expect.stringContaining('taken over') });
    expect((await host.turn(2)).state).toBe('pending');
  });
});
