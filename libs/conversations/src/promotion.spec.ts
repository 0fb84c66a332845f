import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { announcements } from '@rockpool/contracts';
import { paths, type TranscriptRecord } from './records.js';
import { openHost, type TestHost } from './testing/host.js';
import { alice, chat, messageOf } from './testing/messages.js';
import { echo, type Script } from './testing/scripted-runtime.js';

let host: TestHost;
let cancelled: number;
beforeEach(async () => {
  host = await openHost();
  cancelled = 0;
});
afterEach(() => host.close());

const promoted = (answer: string) => ({ type: 'promoted' as const, answer, cancel: async () => void cancelled++ });
/** Says something and then goes on as a job. */
const promotes: Script = async function* () {
  yield { type: 'text', delta: 'Let me look.' };
  yield promoted('Still working: job 1.');
};
const transcript = async () => {
  const { items } = await host.documents.query<TranscriptRecord>({ from: { collection: paths.messages(alice, chat) } });
  return items.map(({ data }) => `${data.role}: ${data.text}`);
};
const ended = (n: number, text: string) =>
  messageOf(n, text, { providerType: announcements.jobEnded, sender: { id: 'rockpool', isBot: true } });

describe('a turn that goes on as a job', () => {
  it('is answered with what the job is called, in place of what was said so far, and is over', async () => {
    host.runtime.script = promotes;
    await host.say('a long task');
    expect(await host.turn(1)).toMatchObject({ state: 'done', open: false, promoted: true });
    expect(host.channel.visible).toEqual(['Still working: job 1.']);
    expect(await transcript()).toEqual(['user: a long task', 'assistant: Still working: job 1.']);
    expect(cancelled).toBe(0);
  });

  it('leaves the conversation to the messages that came meanwhile, in their order', async () => {
    host.runtime.script = async function* (turn) {
      if (turn.message.text !== 'a long task') return yield* echo(turn);
      for (const n of [2, 3]) await host.inbox.append(alice, messageOf(n, `message ${n}`));
      yield* promotes(turn, new AbortController().signal);
    };
    await host.say('a long task');
    expect(host.channel.visible).toEqual(['Still working: job 1.', 'You said: message 2', 'You said: message 3']);
    expect(host.runtime.turns[1]!.history.map(({ text }) => text)).toEqual(['a long task', 'Still working: job 1.']);
  });

  it('ends that work when it is stopped in this moment, and says so alone', async () => {
    host.runtime.script = async function* (_turn, signal) {
      yield promoted('Still working: job 1.');
      await host.inbox.command(alice, messageOf(2, '/stop'), 'stop', (transaction, conversation) => {
        transaction.set(paths.signal(alice, chat, 'stop'), { kind: 'stop', throughSeq: 1 });
        return { conversation, answer: 'Stopped.' };
      });
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
    };
    await host.say('a long task');
    expect(cancelled).toBe(1);
    expect(await host.turn(1)).toMatchObject({ state: 'cancelled' });
    expect(host.channel.visible).toEqual(['_Stopped._']);
  });

  it('is told when it runs again, and what its work is called: another name for each replay', async () => {
    host.runtime.script = promotes;
    await host.say('a long task');
    await host.inbox.replay(alice, messageOf(1, '').eventId);
    await host.drive();
    expect(host.runtime.turns.map(({ resumed, workId }) => [resumed, workId])).toEqual([
      [false, 'telegram:1:1'],
      [true, 'telegram:1:1~1'],
    ]);
  });
});

describe('what a job has to say', () => {
  it('is said as it is, in its place, without asking an agent', async () => {
    await host.inbox.append(alice, messageOf(1, 'before'));
    await host.inbox.append(alice, ended(2, 'Job 1 is done: 12 fish'));
    await host.inbox.append(alice, messageOf(3, 'after'));
    await host.drive();
    expect(host.channel.visible).toEqual(['You said: before', 'Job 1 is done: 12 fish', 'You said: after']);
    expect(host.asked).toEqual(['before', 'after']);
    expect(await transcript()).toEqual([
      'user: before',
      'assistant: You said: before',
      'assistant: Job 1 is done: 12 fish',
      'user: after',
      'assistant: You said: after',
    ]);
  });

  it('is said once, also when it is sent again after the channel took it and gave no answer', async () => {
    await host.inbox.append(alice, messageOf(1, 'before'));
    await host.drive();
    await host.inbox.append(alice, ended(2, 'Job 1 is done.'));
    let lost = 0;
    host.channel.after = (call) => {
      if (call === 'update' && lost++ === 0) throw new Error('no answer');
    };
    await host.drive();
    await host.inbox.append(alice, ended(2, 'Job 1 is done.'));
    await host.drive();
    expect(lost).toBeGreaterThan(1);
    expect(host.channel.visible).toEqual(['You said: before', 'Job 1 is done.']);
  });
});
