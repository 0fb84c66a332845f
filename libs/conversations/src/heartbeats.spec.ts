import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { heartbeatMessage, TerminalError } from '@rockpool/contracts';
import { silence } from './agent-runtime.js';
import { openHost, type TestHost } from './testing/host.js';
import { alice, messageOf } from './testing/messages.js';
import { echo, failing, type Script } from './testing/scripted-runtime.js';

const heartbeat = (n: number) => messageOf(n, 'Is there anything new?', { providerType: heartbeatMessage });

/** Answers with this text, if any. */
const saying = (text: string): Script =>
  async function* () {
    if (text) yield { type: 'text', delta: text };
  };

let host: TestHost;
beforeEach(async () => {
  host = await openHost();
});
afterEach(() => host.close());

describe('a heartbeat', () => {
  it.each([silence, `\n${silence} `, ''])('that is answered with %j says nothing, and is not remembered', async (answer) => {
    host.runtime.script = saying(answer);
    await host.inbox.append(alice, heartbeat(1));
    await host.drive();
    expect(await host.turn(1)).toMatchObject({ state: 'done', open: false });
    expect(host.runtime.turns[0]).toMatchObject({ isFromPlatform: true, mayBeSilent: true });
    host.runtime.script = echo;
    await host.inbox.append(alice, messageOf(2, 'hello'));
    await host.drive();
    expect([...host.channel.messages.values()]).toEqual(['You said: hello']);
    expect(host.runtime.turns[1]).toMatchObject({ history: [], isFromPlatform: false, mayBeSilent: false });
  });

  it('that finds something says it, in one message', async () => {
    host.runtime.script = saying('The kettle boils.');
    await host.inbox.append(alice, heartbeat(1));
    await host.drive();
    expect([...host.channel.messages.values()]).toEqual(['The kettle boils.']);
  });

  it('that fails troubles nobody, and is on record as failed', async () => {
    host.runtime.script = failing(() => new TerminalError('no model'));
    await host.inbox.append(alice, heartbeat(1));
    await host.drive();
    expect(await host.turn(1)).toMatchObject({ state: 'failed', reason: 'terminal: no model' });
    expect(host.channel.messages.size).toBe(0);
  });

  it('into which a person writes answers that person', async () => {
    host.runtime.script = async function* (turn) {
      await host.inbox.append(alice, messageOf(2, 'hello?'), { overlap: 'steer' });
      const [written] = await turn.interjections();
      yield { type: 'text', delta: `You wrote ${written!.text}` };
    };
    await host.inbox.append(alice, heartbeat(1));
    await host.drive();
    expect([...host.channel.messages.values()]).toEqual(['You wrote hello?']);
    expect(await host.states(1, 2)).toEqual(['done', 'done']);
  });
});

describe('any other message', () => {
  it('is answered, also when the agent says the word for silence', async () => {
    host.runtime.script = saying(silence);
    await host.say('hello');
    expect([...host.channel.messages.values()]).toEqual([silence]);
  });
});
