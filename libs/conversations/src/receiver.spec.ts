import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ConversationId, InboundMessage, TenantId } from '@rockpool/contracts';
import { tenantSpec, type Tenant } from '@rockpool/tenancy';
import { Admissions } from './admissions.js';
import { commandOf, Commands } from './commands.js';
import { ImmediateAnswers } from './immediate-answers.js';
import { Receiver, Wakes } from './receiver.js';
import { unrouted } from './records.js';
import { openHost, type TestHost } from './testing/host.js';
import { alice, chat, messageOf } from './testing/messages.js';
import { OneChannel } from './testing/recording-channel.js';
import { failing, hang } from './testing/scripted-runtime.js';

class RecordedWakes extends Wakes {
  readonly woken: string[] = [];
  override async wake(tenantId: TenantId, conversationId: ConversationId): Promise<void> {
    this.woken.push(`${tenantId}/${conversationId}`);
  }
}

const tenant: Tenant = {
  id: alice,
  version: '1',
  spec: tenantSpec.parse({
    displayName: 'Alice',
    channels: { telegram: { botToken: 'secret://alice/a', webhookSecret: 'secret://alice/b', allowFrom: ['100'] } },
  }),
};

const withAgent = (agent: Partial<Tenant['spec']['agent']>): Tenant => ({
  ...tenant,
  spec: { ...tenant.spec, agent: { ...tenant.spec.agent, ...agent } },
});

let host: TestHost;
let wakes: RecordedWakes;
let receiver: Receiver;
let known: Tenant | undefined;

beforeEach(async () => {
  host = await openHost();
  wakes = new RecordedWakes();
  known = tenant;
  const channels = new OneChannel(host.channel);
  const answers = new ImmediateAnswers(host.documents, channels);
  const tenants = { get: async (id: TenantId) => (known?.id === id ? known : undefined) };
  const routes = { resolve: async () => undefined };
  const admissions = new Admissions(host.documents, tenants, routes);
  receiver = new Receiver(admissions, host.inbox, new Commands(host.inbox, answers), answers, channels, wakes);
});
afterEach(() => host.close());

const turnsOf = async (tenantId: TenantId) => (await host.inbox.list({ tenantId })).items;

describe('an event', () => {
  it('gets its place, typing is shown, and its conversation is woken', async () => {
    expect(await receiver.receive(messageOf(1, 'hi'))).toEqual({ kind: 'appended', tenantId: alice });
    expect(await turnsOf(alice)).toMatchObject([{ state: 'pending', seq: 1 }]);
    expect(wakes.woken).toEqual([`${alice}/${chat}`]);
    await new Promise(setImmediate);
    expect(host.channel.typed).toHaveLength(1);
  });

  it('that is delivered eleven times at once is one turn, and woken as long as it is open', async () => {
    await Promise.all(Array.from({ length: 11 }, () => receiver.receive(messageOf(1, 'hi'))));
    expect(await turnsOf(alice)).toHaveLength(1);
    expect(wakes.woken).toHaveLength(11);
    await host.drive();
    expect(await receiver.receive(messageOf(1, 'hi'))).toMatchObject({ kind: 'finished-before' });
    expect(wakes.woken).toHaveLength(11);
  });

  it.each<[string, Partial<InboundMessage>, string]>([
    ['a stranger', { sender: { id: '666', isBot: false } }, 'sender-not-allowed'],
    ['a bot', { sender: { id: '100', isBot: true } }, 'sender-is-bot'],
    ['a group nobody listed', { chatKind: 'group' }, 'group-not-allowed'],
  ])('of %s is dropped on record, without its text, and nothing is woken', async (_who, changes, reason) => {
    expect(await receiver.receive(messageOf(1, 'secret words', changes))).toMatchObject({ kind: 'dropped', reason });
    expect(await turnsOf(alice)).toMatchObject([{ state: 'dropped', reason, open: false, message: { text: '' } }]);
    expect(wakes.woken).toEqual([]);
    expect(host.channel.typed).toEqual([]);
  });

  it('that is no message is recorded, and a stranger cannot run anything through an edit', async () => {
    expect(await receiver.receive(messageOf(1, 'changed', { kind: 'edit' }))).toMatchObject({ kind: 'recorded' });
    expect(await receiver.receive(messageOf(2, '/stop', { kind: 'edit', sender: { id: '666', isBot: false } }))).toMatchObject({
      kind: 'dropped',
    });
    expect(wakes.woken).toEqual([]);
  });

  it('of a shared bot that leads to nobody is recorded under nobody', async () => {
    expect(await receiver.receive(messageOf(1, 'hi', { tenantId: undefined }))).toMatchObject({
      kind: 'dropped',
      tenantId: unrouted,
      reason: 'unknown-tenant',
    });
    expect(await turnsOf(unrouted)).toHaveLength(1);
  });

  it('of a suspended tenant is recorded as dropped', async () => {
    known = { ...tenant, spec: { ...tenant.spec, suspended: true } };
    expect(await receiver.receive(messageOf(1, 'hi'))).toMatchObject({ kind: 'dropped', reason: 'suspended' });
  });
});

describe('commands', () => {
  it('are known with and without the bot’s name, and words that begin alike are not', () => {
    expect(['/stop', ' /STOP ', '/stop@alice_bot now', '!stop', '/start abc'].map(commandOf)).toEqual([
      'stop',
      'stop',
      'stop',
      'stop',
      'start',
    ]);
    expect(['/stopped', 'stop', 'say /stop', '/unknown', ''].map(commandOf)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('/stop ends the running turn at once, cancels what waits, and answers', async () => {
    const started = Promise.withResolvers<void>();
    host.runtime.script = hang('I was saying', started.resolve);
    await receiver.receive(messageOf(1, 'long work'));
    await receiver.receive(messageOf(2, 'and then'));
    const driven = host.drive();
    await started.promise;
    await receiver.receive(messageOf(3, '/stop'));
    await driven;
    expect(host.channel.visible.join('|')).toMatch(/I was saying\s+_Stopped\._/);
    expect(host.channel.visible.join('|')).toContain('Stopped, with 1 more waiting');
    expect((await turnsOf(alice)).map((turn) => [turn.seq, turn.state]).sort()).toEqual([
      [0, 'done'],
      [1, 'cancelled'],
      [2, 'cancelled'],
    ]);
  });

  it('/stop ends a turn whose tool does not listen, although its promise never settles', async () => {
    const started = Promise.withResolvers<void>();
    host.runtime.script = async function* () {
      yield { type: 'text', delta: 'Looking it up' };
      started.resolve();
      await new Promise(() => undefined);
    };
    await receiver.receive(messageOf(1, 'go'));
    const driven = host.drive();
    await started.promise;
    await receiver.receive(messageOf(2, '/stop'));
    expect(await driven).toEqual({ kind: 'drained' });
    expect(host.channel.visible.join('|')).toMatch(/Looking it up\s+_Stopped\._/);
  });

  it('/stop ends everything that a run answers together', async () => {
    known = withAgent({ overlap: 'collect' });
    const started = Promise.withResolvers<void>();
    host.runtime.script = hang('…', started.resolve);
    await receiver.receive(messageOf(1, 'a'));
    await receiver.receive(messageOf(2, 'b'));
    const driven = host.drive();
    await started.promise;
    await receiver.receive(messageOf(3, '/stop'));
    await driven;
    expect((await turnsOf(alice)).filter(({ seq }) => seq > 0).map(({ state }) => state)).toEqual(['cancelled', 'cancelled']);
    expect(host.channel.visible.join('|')).toContain('⏹ Stopped.');
  });

  it('/stop ends a turn that waits for another try, in the message it had begun, without another run of the agent', async () => {
    host.runtime.script = failing(() => new Error('connection reset'));
    await receiver.receive(messageOf(1, 'go'));
    expect(await host.drive()).toMatchObject({ kind: 'retry' });
    expect([...host.channel.messages.values()]).toEqual(['…']);
    await receiver.receive(messageOf(2, '/stop'));
    expect(wakes.woken).toHaveLength(2);
    await host.drive();
    expect([...host.channel.messages.values()]).toEqual(['_Stopped._', '⏹ Stopped.']);
    expect(await host.turn(1)).toMatchObject({ state: 'cancelled', open: false });
    expect(host.asked).toEqual(['go']);
  });

  it('/stop ends what was interrupted and has not begun anew, with what interrupted it', async () => {
    known = withAgent({ overlap: 'interrupt' });
    const started = Promise.withResolvers<void>();
    host.runtime.script = hang('Wait, I think', started.resolve);
    await receiver.receive(messageOf(1, 'red'));
    const shutdown = new AbortController();
    const driven = host.drive('wake', shutdown.signal);
    await started.promise;
    await host.channel.until((visible) => visible[0] === 'Wait, I think');
    shutdown.abort(new Error('shutdown'));
    await driven;
    await receiver.receive(messageOf(2, 'no, blue'));
    await receiver.receive(messageOf(3, '/stop'));
    await host.drive();
    expect(host.channel.visible).toEqual(['_Stopped._', '⏹ Stopped, with 1 more waiting.']);
    expect(await host.states(1, 2)).toEqual(['cancelled', 'cancelled']);
  });

  it('/stop does not touch what comes after it', async () => {
    await receiver.receive(messageOf(1, '/stop'));
    await receiver.receive(messageOf(2, 'hi'));
    await host.drive();
    expect(host.channel.visible).toEqual(['Nothing is running.', 'You said: hi']);
  });

  it('/new begins a session that knows nothing of the one before', async () => {
    await host.say('one');
    await receiver.receive(messageOf(10, '/new'));
    await receiver.receive(messageOf(11, 'two'));
    await host.drive();
    expect(host.runtime.turns.at(-1)!.history).toEqual([]);
  });

  it('/status tells what waits, /help what can be said', async () => {
    await receiver.receive(messageOf(1, 'waiting'));
    await receiver.receive(messageOf(2, '/status'));
    await receiver.receive(messageOf(3, '/help'));
    expect(host.channel.visible.join('')).toMatch(/Alice.*idle.*Waiting: 1.*\/stop/s);
  });

  it('/queue shows what becomes of messages that come meanwhile, chooses it for this chat, and gives the choice back', async () => {
    known = withAgent({ overlap: 'steer' });
    const said = async (n: number, text: string) => {
      await receiver.receive(messageOf(n, text));
      return host.inbox.get(alice, messageOf(n, '').eventId).then(({ turn }) => turn.command?.answer ?? '');
    };
    expect(await said(1, '/queue')).toContain('**steer**');
    expect(await said(2, '/queue Collect')).toContain('**collect**');
    expect(await said(3, '/queue')).toContain('**collect**');
    await receiver.receive(messageOf(4, 'hi'));
    expect((await host.inbox.get(alice, messageOf(4, '').eventId)).turn.overlap).toBe('collect');
    expect(await said(5, '/queue whatever')).toMatch(/do not know.*\/queue interrupt/s);
    expect(await said(6, '/queue default')).toContain('**steer** again');
    expect(await said(7, '/queue')).toContain('**steer**');
  });

  it('delivered twice act and answer once', async () => {
    await host.say('one');
    await receiver.receive(messageOf(10, '/new'));
    await receiver.receive(messageOf(10, '/new'));
    expect(host.channel.visible.filter((text) => text.includes('new conversation'))).toHaveLength(1);
    expect((await host.documents.get<{ session: number }>(`tenants/${alice}/conversations/${chat}`))!.data.session).toBe(2);
  });

  it('whose answer was cut short by a crash are answered by the next delivery', async () => {
    host.channel.before = () => {
      throw new Error('the process died here');
    };
    await expect(receiver.receive(messageOf(1, '/help'))).rejects.toThrow('died');
    host.channel.before = () => undefined;
    await receiver.receive(messageOf(1, '/help'));
    expect(host.channel.visible).not.toEqual([]);
  });
});
