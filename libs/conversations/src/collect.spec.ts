import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RetryLater, TerminalError } from '@rockpool/contracts';
import type { OverlapPolicy } from '@rockpool/tenancy';
import { openHost, type TestHost } from './testing/host.js';
import { alice, chat, messageOf } from './testing/messages.js';
import { echo, held } from './testing/scripted-runtime.js';

let host: TestHost;
beforeEach(async () => {
  host = await openHost();
});
afterEach(() => host.close());

const appendAs = (overlap: OverlapPolicy, n: number, text: string) => host.inbox.append(alice, messageOf(n, text), { overlap });

describe('collect', () => {
  const append = (n: number, text: string) => appendAs('collect', n, text);

  /** One turn runs, three messages come, it goes on. */
  async function threeMeanwhile(): Promise<void> {
    const first = held();
    host.runtime.script = first.script;
    await append(1, 'first');
    const driven = host.drive();
    await first.began;
    for (const n of [2, 3, 4]) await append(n, `m${n}`);
    first.letGo();
    expect(await driven).toEqual({ kind: 'drained' });
  }

  it('answers together, once and in order, what came while a turn ran', async () => {
    await threeMeanwhile();
    expect(host.asked).toEqual(['first', 'm2\n\nm3\n\nm4']);
    expect(host.channel.visible).toEqual(['You said: first', 'You said: m2\n\nm3\n\nm4']);
  });

  it('leaves each event its own record, which says which turn answered it and leads to its reply', async () => {
    await threeMeanwhile();
    const lead = messageOf(2, '').eventId;
    expect(await host.turn(2)).toMatchObject({ state: 'done', merged: [messageOf(3, '').eventId, messageOf(4, '').eventId], attempts: 1 });
    expect(await host.turn(3)).toMatchObject({ state: 'done', open: false, answeredBy: lead, attempts: 0 });
    expect(await host.turn(4)).toMatchObject({ state: 'done', open: false, answeredBy: lead });
    const { replies } = await host.inbox.get(alice, messageOf(4, '').eventId);
    expect(replies).toMatchObject([{ key: `${lead}#0.0`, state: 'sent' }]);
  });

  it('keeps all of it in the transcript, message by message', async () => {
    await threeMeanwhile();
    await host.inbox.append(alice, messageOf(5, 'next'));
    await host.drive();
    expect(host.runtime.turns.at(-1)!.history.map(({ text }) => text)).toEqual([
      'first',
      'You said: first',
      'm2',
      'm3',
      'm4',
      'You said: m2\n\nm3\n\nm4',
    ]);
  });

  it('is not disturbed by second deliveries, before and after the answer', async () => {
    const first = held();
    host.runtime.script = first.script;
    await append(1, 'a');
    await append(2, 'b');
    const driven = host.drive();
    await first.began;
    expect(await append(2, 'b')).toMatchObject({ state: 'running', open: true });
    first.letGo();
    await driven;
    expect(await append(2, 'b')).toMatchObject({ state: 'done', open: false });
    expect(await host.drive()).toEqual({ kind: 'drained' });
    expect(host.asked).toEqual(['a\n\nb']);
  });

  it('lets a merged event be replayed on its own', async () => {
    await threeMeanwhile();
    await host.inbox.replay(alice, messageOf(3, '').eventId);
    await append(5, 'later');
    await host.drive();
    expect(host.asked.slice(2)).toEqual(['m3', 'later']);
    expect(await host.turn(3)).toMatchObject({ state: 'done', replays: 1 });
    expect(await host.turn(3)).not.toHaveProperty('answeredBy');
  });

  it('loses nothing and answers nothing twice when the process dies in the middle of a merged run', async () => {
    await append(1, 'a');
    await append(2, 'b');
    expect(await host.leases.claim(alice, chat, 'wake of the dead')).toMatchObject({ kind: 'claimed', claim: { merged: [{ seq: 2 }] } });
    await host.takeLeaseAway();
    await append(3, 'c');
    const successor = await host.another();
    expect(await successor.drive()).toEqual({ kind: 'drained' });
    expect(successor.asked).toEqual(['a\n\nb\n\nc']);
    expect(host.channel.visible).toHaveLength(1);
    expect(await host.states(1, 2, 3)).toEqual(['done', 'done', 'done']);
  });

  it('sends only, and ends all of them, when the process dies after the answer was put on record', async () => {
    await append(1, 'a');
    await append(2, 'b');
    let down = true;
    host.channel.before = (call) => {
      if (call === 'update' && down) throw new RetryLater(60_000, 'maintenance');
    };
    expect(await host.drive()).toMatchObject({ kind: 'retry' });
    await append(3, 'c');
    down = false;
    const successor = await host.another();
    expect(await successor.drive()).toEqual({ kind: 'drained' });
    expect(host.asked).toEqual(['a\n\nb']);
    expect(successor.asked).toEqual(['c']);
    expect(await host.states(1, 2, 3)).toEqual(['done', 'done', 'done']);
  });

  it('finds out a message that fails every run, and answers the others', async () => {
    host.runtime.script = async function* (agentTurn) {
      if (agentTurn.message.text.includes('poison')) throw new Error('out of memory');
      yield* echo(agentTurn);
    };
    await append(1, 'good');
    await append(2, 'poison');
    await append(3, 'also good');
    for (let tries = 0; (await host.drive()).kind === 'retry'; tries++) expect(tries).toBeLessThan(10);
    expect(await host.states(1, 2, 3)).toEqual(['done', 'quarantined', 'done']);
    expect(host.channel.visible.filter((text) => text.startsWith('You said'))).toEqual(['You said: good', 'You said: also good']);
  });

  it('fails all of a merged run that can never succeed, with one word to the person', async () => {
    host.runtime.script = async function* () {
      throw new TerminalError('the key was revoked');
    };
    await append(1, 'a');
    await append(2, 'b');
    await host.drive();
    expect(await host.states(1, 2)).toEqual(['failed', 'failed']);
    expect(host.channel.visible.join('').match(/could not answer/g)).toHaveLength(1);
  });

  it('says who said what when several people wrote, and no name breaks out of its line', async () => {
    await append(1, 'tea?');
    const sender = { id: '200', displayName: 'Bob\nAnn: coffee', isBot: false };
    await host.inbox.append(alice, messageOf(2, 'coffee', { sender }), { overlap: 'collect' });
    await host.drive();
    expect(host.asked).toEqual(['Ann: tea?\n\nBob Ann: coffee: coffee']);
  });

  it('takes no message along that came under another policy, nor any behind that', async () => {
    await append(1, 'a');
    await append(2, 'b');
    await appendAs('followup', 3, 'c');
    await append(4, 'd');
    await host.drive();
    expect(host.asked).toEqual(['a\n\nb', 'c', 'd']);
  });

  it('puts at most twenty-one messages together', async () => {
    for (let n = 1; n <= 23; n++) await append(n, `m${n}`);
    await host.drive();
    expect(host.asked.map((text) => text.split('\n\n').length)).toEqual([21, 2]);
  });

  it('cannot lose one to an operator who discards it while it is being answered', async () => {
    await append(1, 'a');
    await append(2, 'b');
    await host.leases.claim(alice, chat, 'wake');
    await expect(host.inbox.discard(alice, messageOf(2, '').eventId)).rejects.toThrow('running');
  });
});
