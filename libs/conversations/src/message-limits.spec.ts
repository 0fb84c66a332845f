import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { InboundMessage, TenantId } from '@rockpool/contracts';
import { tenantSpec, type Tenant } from '@rockpool/tenancy';
import { Admissions } from './admissions.js';
import { Commands } from './commands.js';
import { ImmediateAnswers } from './immediate-answers.js';
import { MessageLimits } from './message-limits.js';
import { Receiver, Wakes } from './receiver.js';
import { openHost, type TestHost } from './testing/host.js';
import { alice, messageOf } from './testing/messages.js';
import { OneChannel } from './testing/recording-channel.js';

class NoWakes extends Wakes {
  override async wake(): Promise<void> {}
}

const channels = {
  telegram: { botToken: 'secret://alice/a', webhookSecret: 'secret://alice/b', dmPolicy: 'open' },
  http: { secret: 'secret://alice/c' },
};
const tenantWith = (limits: object): Tenant => ({ id: alice, version: '1', spec: tenantSpec.parse({ channels, limits }) });

let host: TestHost;
let tenant: Tenant;
beforeEach(async () => {
  host = await openHost();
});
afterEach(() => host.close());

/** A dispatcher on the documents of the host; several are several copies. */
function dispatcher(): Receiver {
  const all = new OneChannel(host.channel);
  const answers = new ImmediateAnswers(host.documents, all);
  const tenants = { get: async (id: TenantId) => (id === alice ? tenant : undefined) };
  const admissions = new Admissions(host.documents, tenants, { resolve: async () => undefined });
  return new Receiver(admissions, host.inbox, new Commands(host.inbox, answers), answers, all, new NoWakes());
}

const at = (ms: number): Partial<InboundMessage> => ({ sentAt: new Date(1_700_000_000_000 + ms).toISOString() });
const from = (id: string): Partial<InboundMessage> => ({ sender: { id, isBot: false } });
const told = () => host.channel.visible.join('').match(/🐢/g)?.length ?? 0;

describe('one person', () => {
  beforeEach(() => {
    tenant = tenantWith({ senderMessagesPerMinute: 3 });
  });

  it('is not taken in above the limit of a minute, whichever copy of the dispatcher receives it', async () => {
    const copies = [dispatcher(), dispatcher()];
    const kinds = [];
    for (let n = 1; n <= 6; n++) kinds.push((await copies[n % 2]!.receive(messageOf(n, 'hi', at(n)))).kind);
    expect(kinds).toEqual(['appended', 'appended', 'appended', 'dropped', 'dropped', 'dropped']);
    const { turn } = await host.inbox.get(alice, messageOf(4, '').eventId);
    expect(turn).toMatchObject({ state: 'dropped', reason: 'rate-limited', open: false, message: { text: '' } });
  });

  it('is told once, and what is dropped does not count against what comes later', async () => {
    const receiver = dispatcher();
    for (let n = 1; n <= 6; n++) await receiver.receive(messageOf(n, 'hi', at(n * 1_000)));
    expect(told()).toBe(1);
    expect((await receiver.receive(messageOf(7, 'hi', at(61_000)))).kind).toBe('appended');
    expect((await receiver.receive(messageOf(8, 'hi', at(61_001)))).kind).toBe('dropped');
  });

  it('is not told again by a second delivery; one that was cut short before the word got out is finished by the next', async () => {
    const receiver = dispatcher();
    for (let n = 1; n <= 3; n++) await receiver.receive(messageOf(n, 'hi', at(n)));
    host.channel.before = () => {
      throw new Error('the process died here');
    };
    await expect(receiver.receive(messageOf(4, 'hi', at(4)))).rejects.toThrow('died');
    host.channel.before = () => undefined;
    for (let times = 0; times < 3; times++) {
      expect(await receiver.receive(messageOf(4, 'hi', at(4)))).toMatchObject({ kind: 'dropped', reason: 'rate-limited' });
    }
    expect(told()).toBe(1);
  });

  it('may be delivered again and again: each event counts once', async () => {
    const receiver = dispatcher();
    for (let times = 0; times < 5; times++) await receiver.receive(messageOf(1, 'hi', at(1)));
    expect((await receiver.receive(messageOf(2, 'hi', at(2)))).kind).toBe('appended');
  });

  it('does not use up what others may say, and may still stop what runs', async () => {
    const receiver = dispatcher();
    for (let n = 1; n <= 4; n++) await receiver.receive(messageOf(n, 'hi', at(n)));
    expect((await receiver.receive(messageOf(5, 'hi', { ...at(5), ...from('200') }))).kind).toBe('appended');
    expect((await receiver.receive(messageOf(6, '/stop', at(6)))).kind).toBe('command');
    expect((await receiver.receive(messageOf(7, '/help', at(7)))).kind).toBe('dropped');
  });

  it('is not held to account for an outage: what was written over an hour may come all at once', async () => {
    const receiver = dispatcher();
    for (let n = 1; n <= 20; n++) expect((await receiver.receive(messageOf(n, 'hi', at(n * 30_000)))).kind).toBe('appended');
  });

  it('that is the tenant’s own system counts for the tenant only', async () => {
    const receiver = dispatcher();
    const target = { channel: 'http', account: alice, chatId: 'default', shared: false } as const;
    for (let n = 1; n <= 9; n++) expect((await receiver.receive(messageOf(n, 'hi', { ...at(n), target }))).kind).toBe('appended');
  });
});

describe('a tenant', () => {
  it('is held to its limit over all its people and all copies of the dispatcher, and each person is told once', async () => {
    tenant = tenantWith({ messagesPerMinute: 40, senderMessagesPerMinute: 500 });
    const copies = [dispatcher(), dispatcher(), dispatcher()];
    let taken = 0;
    for (let n = 1; n <= 90; n++) {
      const received = await copies[n % 3]!.receive(messageOf(n, 'hi', { ...at(20_000 + n), ...from(String(n % 5)) }));
      if (received.kind === 'appended') taken++;
    }
    expect(taken).toBe(40);
    expect(told()).toBe(5);
  });

  it('has no limit unless the operator sets one, nor has a person', async () => {
    tenant = tenantWith({});
    const limits = new MessageLimits(host.documents);
    for (let n = 1; n <= 2_000; n++) expect(await limits.excess(tenant, messageOf(n, 'hi', at(0)))).toBeUndefined();
  });

  it('gets its places back as the window slides on', async () => {
    tenant = tenantWith({ messagesPerMinute: 40 });
    const limits = new MessageLimits(host.documents);
    const minute = Math.ceil(1_700_000_000_000 / 60_000) * 60_000;
    const taken = async (ms: number) => {
      let count = 0;
      while (count < 100 && !(await limits.excess(tenant, messageOf(1, 'hi', { sentAt: new Date(minute + ms).toISOString() })))) count++;
      return count;
    };
    expect(await taken(0)).toBe(40);
    expect(await taken(60_000)).toBe(0);
    const later = new MessageLimits(host.documents);
    let half = 0;
    while (!(await later.excess(tenant, messageOf(1, 'hi', { sentAt: new Date(minute + 90_000).toISOString() })))) half++;
    expect(half).toBe(20);
  });

  it('writes its counter some twenty times a minute, however many messages come', async () => {
    tenant = tenantWith({ messagesPerMinute: 1_000 });
    let writes = 0;
    const stop = await host.documents.watch({ from: { collection: `tenants/${alice}/allowances` } }, () => writes++);
    const limits = new MessageLimits(host.documents);
    for (let n = 0; n < 1_000; n++) await limits.excess(tenant, messageOf(1, 'hi', at(20_000)));
    stop();
    expect(writes).toBeLessThanOrEqual(21);
    expect(await host.documents.get(`tenants/${alice}/allowances/${Math.floor(1_700_000_020_000 / 60_000)}`)).toMatchObject({
      data: { granted: 1_000 },
    });
  });
});
